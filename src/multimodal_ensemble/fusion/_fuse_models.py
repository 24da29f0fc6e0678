"""Joining Keras models that are already trained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import keras

from multimodal_ensemble._keras import clone_model
from multimodal_ensemble._layer_names import EMBEDDINGS, EMBEDDINGS_DROPOUT, SCORES, presence_name
from multimodal_ensemble._random import seeded_layers
from multimodal_ensemble._validation import check_at_least, check_fraction
from multimodal_ensemble.exceptions import ModalityError
from multimodal_ensemble.fusion._fuse_encoders import join_embeddings
from multimodal_ensemble.fusion._parts import can_adapt, fusion_parts

_NEW_LAYERS = {EMBEDDINGS, EMBEDDINGS_DROPOUT, SCORES}


def fuse_models(
    models: Sequence[keras.Model],
    n_labels: int,
    *,
    freeze: bool = False,
    dropout: float = 0,
    seed: int | None = None,
    name: str | None = None,
) -> keras.Model:
    """Build a model that concatenates the embeddings of trained models.

    One new output layer takes the concatenated inputs of the models' own output layers.

    Parameters
    ----------
    models : sequence of keras.Model
        Functional or sequential models with distinct input names. Each ends in a dense layer of
        `n_labels` units, optionally followed by activation layers. Frozen layers are shared, all
        others are copied.
    n_labels : int
        Number of labels to predict, at least 1.
    freeze : bool, default=False
        Whether only the new output layer is trainable.
    dropout : float, default=0
        Dropout rate on the concatenated embeddings, in [0, 1).
    seed : int, optional
        Seed of the new layer's initial weights and of dropout. Default: both differ between calls.
    name : str, optional
        Name of the new model. Default: the names of the models joined by ``_and_``.

    Returns
    -------
    keras.Model
        Takes a dictionary with the inputs of all models and returns scores of shape
        ``(n, n_labels)`` in 0..1.

    Raises
    ------
    ModalityError
        If the names of inputs clash with each other or with layers named after a modality, if a
        model does not predict `n_labels` labels, or if it has no output layer to drop.
    ValueError
        If `n_labels` or the dropout rate is out of range.

    See Also
    --------
    fuse_encoders : Joins encoders before training.

    Notes
    -----
    Layers whose names would clash are renamed, except for those that `fusion_parts` lists.

    Examples
    --------
    >>> import keras
    >>> from multimodal_ensemble import fuse_models
    >>> tags = keras.Sequential([keras.Input((9,), name="tags"), keras.layers.Dense(4),
    ...                          keras.layers.Dense(2, "sigmoid")], name="tags_model")
    >>> text = keras.Sequential([keras.Input((5,), name="text"), keras.layers.Dense(3),
    ...                          keras.layers.Dense(2, "sigmoid")], name="text_model")
    >>> model = fuse_models([tags, text], n_labels=2)
    >>> model.get_layer("embeddings").output.shape
    (None, 7)
    """
    check_at_least(n_labels, 1, name="n_labels")
    check_fraction(dropout, name="dropout")
    models = list(models)
    _check_models(models, n_labels)
    parts = {name for model in models for name in _part_names(model)}
    taken = {*_NEW_LAYERS, *parts, *(name for model in models for name in _input_names(model))}
    with seeded_layers(seed):
        copies = [_copy_model(model, taken) for model in models]
        for copy in copies if freeze else ():
            copy.trainable = False
        embeddings = [_find_output_layer(copy).input for copy in copies]
        scores = join_embeddings(embeddings, n_labels, dropout)
    inputs = {tensor.name: tensor for copy in copies for tensor in copy.inputs}
    return keras.Model(inputs, scores, name=name or "_and_".join(model.name for model in models))


def _check_models(models: list[keras.Model], n_labels: int) -> None:
    if not models:
        msg = "At least one model is needed. Received an empty list."
        raise ModalityError(msg)
    for model in models:
        if not isinstance(model, keras.Model) or not getattr(model, "inputs", None):
            msg = (
                "fuse_models needs functional or sequential Keras models that are built. "
                f"Received {model!r}, whose layers are unknown."
            )
            raise ModalityError(msg)
        _find_output_layer(model)
    counts = {model.name: model.output_shape[-1] for model in models}
    if any(count != n_labels for count in counts.values()):
        msg = f"Each model must predict n_labels={n_labels} labels. Received {counts}."
        raise ModalityError(msg)
    inputs = Counter(name for model in models for name in _input_names(model))
    if reserved := sorted(_NEW_LAYERS & inputs.keys()):
        msg = f"The input name(s) {reserved} belong to layers of the fusion. Rename the inputs."
        raise ModalityError(msg)
    names = inputs + Counter(name for model in models for name in _part_names(model))
    if clashing := sorted(name for name, count in names.items() if count > 1):
        msg = (
            f"The name(s) {clashing} belong to more than one input or layer of a modality. Give "
            "each modality its own name. The inputs of the models are "
            f"{ {model.name: _input_names(model) for model in models} }."
        )
        raise ModalityError(msg)


def _input_names(model: keras.Model) -> list[str]:
    return [tensor.name for tensor in model.inputs]


def _part_names(model: keras.Model) -> set[str]:
    """Return the names by which `fusion_parts` finds layers, apart from those of inputs."""
    names = set()
    for name, parts in fusion_parts(model).items():
        names |= {layer.name for layer in (parts.seam, parts.head, parts.or_missing) if layer}
        names |= {presence_name(name)} if parts.or_missing else set()
    return names - set(_input_names(model))


def _find_output_layer(model: keras.Model) -> keras.layers.Dense:
    """Return the last dense layer of a model, before any activation layers."""
    msg = (
        f"The model {model.name!r} has no output layer to drop. It must have one output and end "
        "in a dense layer, optionally followed by activation layers, whose input is a layer's "
        "output."
    )
    if len(model.outputs) != 1:
        raise ModalityError(msg)
    is_sequential = isinstance(model, keras.Sequential)
    layer = model.layers[-1] if is_sequential else model.get_layer(model.output_names[0])
    last = layer
    while isinstance(layer, keras.layers.Activation):
        layer = _source_of(model, layer)
    if not isinstance(layer, keras.layers.Dense) or _source_of(model, layer) is None:
        msg += f" It ends in {last.name!r} ({type(last).__name__})."
        raise ModalityError(msg)
    return layer


def _source_of(model: keras.Model, layer: keras.Layer) -> Any:
    """Return the source of a layer's input: another layer, another tensor, or None for an input."""
    if isinstance(model, keras.Sequential):
        position = model.layers.index(layer)
        return model.layers[position - 1] if position else None
    tensor = layer.input
    if any(tensor is given for given in model.inputs):
        return None
    return next((other for other in model.layers if other.output is tensor), tensor)


def _copy_model(model: keras.Model, taken: set[str]) -> keras.Model:
    """Return a copy that shares frozen layers, with names that are not in `taken`."""
    output_layer = _find_output_layer(model)
    part_names = _part_names(model)

    def copy_layer(layer: keras.Layer) -> keras.Layer:
        config = layer.get_config()
        if layer is output_layer:
            return type(layer).from_config(config)
        if layer.name in part_names or layer.name not in taken:
            taken.add(layer.name)
            # Not `trainable_weights`: some layers update weights that no optimizer trains.
            if layer.weights and not layer.trainable and not can_adapt(layer):
                return layer
            return type(layer).from_config(config)
        name, number = f"{model.name}_{layer.name}", 1
        while name in taken:
            number += 1
            name = f"{model.name}_{layer.name}_{number}"
        taken.add(name)
        return type(layer).from_config({**config, "name": name})

    copy = clone_model(model, clone_function=copy_layer)
    copy.set_weights(model.get_weights())
    return copy
