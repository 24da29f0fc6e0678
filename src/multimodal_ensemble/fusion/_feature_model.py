"""The part of a fusion model behind its frozen backbones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from multimodal_ensemble._keras import clone_model, using_dtype_policy
from multimodal_ensemble._layer_names import seam_name
from multimodal_ensemble.exceptions import ModalityError
from multimodal_ensemble.fusion._parts import fusion_parts


def feature_model(model: keras.Model, modalities: Sequence[str] | None = None) -> keras.Model:
    """Return the part of a fusion model behind its frozen backbones; it shares the model's layers.

    The part is not compiled.

    It takes features where the model takes, for example, pixels, under the same input names.
    ``model(x) == feature_model(model)(f)`` for the features ``f`` of ``x``, and training it trains
    the whole model. The trained last layers of a backbone are part of the result. A backbone whose
    first layers are trained is left out completely.

    Parameters
    ----------
    model : keras.Model
        Made by `fuse_encoders` or `fuse_models`.
    modalities : sequence of str, optional
        Modalities given as features. Default: all that have a backbone.

    Returns
    -------
    keras.Model
        Takes a dictionary with the input names of `model`.

    Raises
    ------
    ModalityError
        If the model has no backbone for one of the modalities.

    See Also
    --------
    fusion_parts : The parts of a model by modality.

    Examples
    --------
    >>> from multimodal_ensemble import ImageEncoder, fuse_encoders
    >>> from multimodal_ensemble.fusion import feature_model
    >>> poster = ImageEncoder("poster", backbone="MobileNet", weights=None, image_size=32)
    >>> model = fuse_encoders([poster], n_labels=3)
    >>> feature_model(model).input_shape
    (None, 1024)
    """
    cut = {name: parts for name, parts in fusion_parts(model).items() if parts.backbone}
    if unknown := [name for name in modalities or () if name not in cut]:
        msg = (
            f"The model {model.name!r} has no backbone for {unknown}; it has one for {[*cut]}. "
            "Only models made by fuse_encoders, or by fuse_models from such models, can be cut."
        )
        raise ModalityError(msg)
    if modalities is not None:
        cut = {name: cut[name] for name in modalities}
    inputs: dict[str, keras.KerasTensor] = {}
    for tensor in model.inputs:
        # Features have their own dtype: those of integers are floats.
        name, like = tensor.name, tensor
        if name in cut:
            parts = cut[name]
            like = parts.trained.input if parts.trained else model.get_layer(seam_name(name)).output
        inputs[name] = keras.Input(like.shape[1:], dtype=like.dtype, name=name)
    parts_by_input = {id(inputs[name]): parts for name, parts in cut.items()}

    def skip_frozen(layer: keras.Layer, *args: Any, **kwargs: Any) -> Any:
        parts = parts_by_input.get(id(args[0])) if args else None
        if parts is None or layer is parts.seam:
            return layer(*args, **kwargs)
        return args[0] if parts.trained is None else parts.trained(args[0])

    # Keras 3.15 cannot save the result of `keras.Model(seam.output, ...)`.
    with using_dtype_policy(model.dtype_policy):
        return clone_model(
            model,
            input_tensors=inputs,
            clone_function=lambda layer: layer,
            call_function=skip_frozen,
        )
