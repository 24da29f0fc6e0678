"""The trained part of a model, behind its frozen backbones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
from numpy.typing import NDArray

from multimodal_ensemble.encoders import split_backbone
from multimodal_ensemble.exceptions import ModalityError


def input_names(model: keras.Model) -> list[str]:
    """Return the names of a model's inputs, in their order."""
    return [tensor.name for tensor in model.inputs]


def backbone_names(model: keras.Model) -> list[str]:
    """Return the modalities of a fusion model that pass through a backbone."""
    layers = {layer.name for layer in model.layers}
    return [name for name in input_names(model) if f"{name}_features" in layers]


def feature_model(model: keras.Model, modalities: Sequence[str] | None = None) -> keras.Model:
    """Return the part of a fusion model behind its frozen backbones; it shares the model's layers.

    It takes features where the whole model takes, for example, pixels, under the same input
    names. Training it trains the whole model, and ``model(x) == feature_model(model)(f)`` for
    the features ``f`` of ``x``. Of a backbone whose last layers are trained, these layers are
    part of it, and the features are what goes into them; a backbone that is trained from its first
    layers on is left out as a whole.

    Parameters
    ----------
    model : keras.Model
        Made by `fuse_encoders`, or by `fuse_models` of such models.
    modalities : sequence of str, optional
        Which modalities are given as features. Default: all that have a backbone.

    Returns
    -------
    keras.Model
        Takes a dictionary with the input names of `model`.

    Raises
    ------
    ModalityError
        If the model has no backbone for one of the modalities.

    Examples
    --------
    >>> from multimodal_ensemble import ImageEncoder, fuse_encoders, feature_model
    >>> poster = ImageEncoder("poster", backbone="MobileNet", weights=None, image_size=32)
    >>> model = fuse_encoders([poster], n_labels=3)
    >>> feature_model(model).input_shape
    (None, 1024)
    """
    names = backbone_names(model)
    modalities = names if modalities is None else list(modalities)
    if unknown := [name for name in modalities if name not in names]:
        msg = (
            f"The model {model.name!r} has no backbone for {unknown}; it has one for {names}. "
            "Only models made by fuse_encoders, or by fuse_models of such, can be cut."
        )
        raise ModalityError(msg)
    # What stands between the features and the seam in front of the head.
    trained = {name: trained_part(model, name) for name in modalities}
    inputs: dict[str, keras.KerasTensor] = {}
    for tensor in model.inputs:
        # Features have a dtype of their own: those of whole numbers are fractions.
        like = tensor
        if tensor.name in trained:
            part = trained[tensor.name]
            like = part.input if part else model.get_layer(f"{tensor.name}_features").output
        inputs[tensor.name] = keras.Input(like.shape[1:], dtype=like.dtype, name=tensor.name)
    seams = {id(inputs[name]): f"{name}_features" for name in modalities}
    parts = {id(inputs[name]): part for name, part in trained.items()}

    def skip_frozen(layer: keras.Layer, *args: Any, **kwargs: Any) -> Any:
        seam = seams.get(id(args[0])) if args else None
        if seam is None or layer.name == seam:
            return layer(*args, **kwargs)
        part = parts[id(args[0])]
        return args[0] if part is None else part(args[0])

    # Not `keras.Model(seam.output, ...)`: Keras 3.15 cannot save a model after it was cut so.
    return keras.models.clone_model(
        model, input_tensors=inputs, clone_function=_same_layer, call_function=skip_frozen
    )


def _same_layer(layer: keras.Layer) -> keras.Layer:
    return layer


def find_backbone(model: keras.Model, modality: str) -> keras.Model:
    """Return a fusion model's own backbone of a modality."""
    # A third party's backbone may have any name, so it is found by what it feeds.
    seam = model.get_layer(f"{modality}_features")
    backbone: keras.Model = seam.input._keras_history.operation
    return backbone


def frozen_part(model: keras.Model, modality: str) -> keras.Model | None:
    """Return the part of a fusion model's backbone that training does not change."""
    return split_backbone(find_backbone(model, modality)).frozen


def trained_part(model: keras.Model, modality: str) -> keras.Model | None:
    """Return the part of a fusion model's backbone behind its frozen one; None if all is frozen."""
    split = split_backbone(find_backbone(model, modality))
    return None if split.frozen is None else split.trained


def heads_to_adapt(model: keras.Model) -> list[str]:
    """Return the modalities whose head holds layers that have yet to adapt to training rows."""
    layers = {layer.name for layer in model.layers}
    return [
        name
        for name in input_names(model)
        if f"{name}_head" in layers and _has_to_adapt(model.get_layer(f"{name}_head"))
    ]


def adapt_heads(model: keras.Model, features: Mapping[str, NDArray[Any]]) -> None:
    """Adapt the layers at the beginning of heads to the training rows.

    Every layer of a head that has an `adapt` method, such as `FeatureScaling` or
    `keras.layers.Normalization`, is adapted to what reaches it. `fit_model` does this by itself.

    Parameters
    ----------
    model : keras.Model
        Made by `fuse_encoders`.
    features : mapping of str to ndarray of shape (n_samples, ...)
        For each modality to adapt, what its head receives for the training rows: features, or
        encoded rows where there is no backbone.

    Raises
    ------
    ModalityError
        If the model has no head for a modality.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble import ImageEncoder, fuse_encoders
    >>> from multimodal_ensemble.encoders import DenseHead
    >>> from multimodal_ensemble.fusion import adapt_heads
    >>> poster = ImageEncoder("poster", backbone="MobileNet", weights=None, image_size=32,
    ...                       head=DenseHead(8, scaling="standard"))
    >>> model = fuse_encoders([poster], n_labels=3)
    >>> adapt_heads(model, {"poster": np.full((4, 1024), 7.0)})
    >>> float(model.get_layer("poster_head").get_layer("scaling").mean[0])
    7.0
    """
    layers = {layer.name: layer for layer in model.layers}
    for name, values in features.items():
        if f"{name}_head" not in layers:
            msg = f"The model {model.name!r} has no head for {name!r}. It has {sorted(layers)}."
            raise ModalityError(msg)
        _adapt(layers[f"{name}_head"], values)
    # `Normalization` is a constant in what Keras traced before.
    model.make_predict_function(force=True)


def can_adapt(layer: keras.Layer) -> bool:
    """Return whether a layer, or one of a sequential model, has an `adapt` method."""
    if isinstance(layer, keras.Sequential):
        return any(can_adapt(inner) for inner in layer.layers)
    return hasattr(layer, "adapt")


def _has_to_adapt(layer: keras.Layer) -> bool:
    if isinstance(layer, keras.Sequential):
        return any(_has_to_adapt(inner) for inner in layer.layers)
    # Weights that were trained on features scaled in one way would be wrong under another.
    return can_adapt(layer) and not getattr(layer, "is_adapted", False)


def _adapt(layer: keras.Layer, values: Any) -> None:
    if not isinstance(layer, keras.Sequential):
        layer.adapt(values)
        return
    adaptable = [can_adapt(inner) for inner in layer.layers]
    for position, inner in enumerate(layer.layers):
        if adaptable[position]:
            _adapt(inner, values)
        if not any(adaptable[position + 1 :]):
            return
        values = keras.ops.convert_to_numpy(inner(values, training=False))
