"""Joining Keras models that are already trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from multimodal_ensemble._random import seeded_layers
from multimodal_ensemble._validation import check_at_least, check_fraction
from multimodal_ensemble.exceptions import ModalityError
from multimodal_ensemble.fusion._feature_model import can_adapt, input_names
from multimodal_ensemble.fusion._fuse_encoders import join_embeddings, score_layer

_NEW_LAYERS = {"embeddings", "embeddings_dropout", "scores"}


def fuse_models(
    models: Sequence[keras.Model],
    n_labels: int,
    *,
    freeze: bool = False,
    dropout: float = 0,
    seed: int | None = None,
    name: str | None = None,
) -> keras.Model:
    """Join trained models: drop each output layer, concatenate what fed it, add a new one.

    Parameters
    ----------
    models : sequence of keras.Model
        Functional or sequential models with distinct input names, each of which ends in a dense
        layer of `n_labels` units, with or without an activation layer behind it. They are
        copied; only frozen layers, such as a backbone, are shared.
    n_labels : int
        How many labels to predict, at least 1.
    freeze : bool, default=False
        Train only the new output layer; by default the models' weights are trained further.
    dropout : float, default=0
        Dropout rate on the concatenated embeddings, in [0, 1).
    seed : int, optional
        Makes the new layer's initial weights and the dropout repeatable.
    name : str, optional
        Name of the new model. Default: the names of the models joined by ``_and_``.

    Returns
    -------
    keras.Model
        Takes a dictionary with the inputs of all models, gives scores of shape
        ``(n, n_labels)`` in 0..1.

    Raises
    ------
    ModalityError
        If two models have an input of the same name, a model does not predict `n_labels`
        labels, or a model has no output layer to drop; the message names it.

    See Also
    --------
    fuse_encoders : The same before training, from encoders.

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
    taken = set(_NEW_LAYERS)
    taken.update(name for model in models for name in input_names(model))
    inputs: dict[str, keras.KerasTensor] = {}
    embeddings: list[keras.KerasTensor] = []
    with seeded_layers(seed):
        for model in models:
            copy = _copy_model(model, taken)
            embedding = _find_output_layer(copy).input
            inputs.update({tensor.name: tensor for tensor in copy.inputs})
            embeddings.append(embedding)
            if freeze:
                copy.trainable = False
        joined = join_embeddings(embeddings)
        if dropout:
            joined = keras.layers.Dropout(dropout, name="embeddings_dropout")(joined)
        scores = score_layer(n_labels)(joined)
    return keras.Model(inputs, scores, name=name or "_and_".join(model.name for model in models))


def _check_models(models: list[keras.Model], n_labels: int) -> None:
    if not models:
        msg = "At least one model is needed. Received an empty list."
        raise ModalityError(msg)
    for model in models:
        if not isinstance(model, keras.Model) or not getattr(model, "inputs", None):
            msg = (
                "fuse_models needs functional or sequential Keras models that are built. "
                f"Received {model!r}, whose layers cannot be told apart."
            )
            raise ModalityError(msg)
        _find_output_layer(model)
    counts = {model.name: model.output_shape[-1] for model in models}
    if any(count != n_labels for count in counts.values()):
        msg = f"Each model must predict n_labels={n_labels} labels. Received {counts}."
        raise ModalityError(msg)
    names = [name for model in models for name in input_names(model)]
    if reserved := sorted(_NEW_LAYERS & set(names)):
        msg = f"The input name(s) {reserved} are those of layers of the fusion; rename the inputs."
        raise ModalityError(msg)
    if clashing := sorted({name for name in names if names.count(name) > 1}):
        msg = (
            f"The input name(s) {clashing} stand in more than one model; give each modality its "
            f"own. The models' inputs: { {model.name: input_names(model) for model in models} }."
        )
        raise ModalityError(msg)


def _find_output_layer(model: keras.Model) -> keras.layers.Dense:
    """Return the dense layer that gives a model's output, past activations behind it."""
    msg = (
        f"The model {model.name!r} has no output layer to drop: it must have one output and end "
        "in a dense layer, with or without an activation layer behind it, that some layer feeds."
    )
    if len(model.outputs) != 1:
        raise ModalityError(msg)
    is_sequential = isinstance(model, keras.Sequential)
    layer = model.layers[-1] if is_sequential else model.get_layer(model.output_names[0])
    last = layer
    while isinstance(layer, keras.layers.Activation):
        layer = _feeding(model, layer)
    if not isinstance(layer, keras.layers.Dense) or _feeding(model, layer) is None:
        msg += f" It ends in {last.name!r} ({type(last).__name__})."
        raise ModalityError(msg)
    return layer


def _feeding(model: keras.Model, layer: keras.Layer) -> Any:
    """Return what feeds a layer: another layer, some other tensor, or None for an input."""
    if isinstance(model, keras.Sequential):
        position = model.layers.index(layer)
        return model.layers[position - 1] if position else None
    tensor = layer.input
    if any(tensor is given for given in model.inputs):
        return None
    return next((other for other in model.layers if other.output is tensor), tensor)


def _copy_model(model: keras.Model, taken: set[str]) -> keras.Model:
    """Return a copy that shares frozen layers; layer names become distinct."""
    output_layer = _find_output_layer(model)

    def copy_layer(layer: keras.Layer) -> keras.Layer:
        config = layer.get_config()
        if layer is output_layer:
            return type(layer).from_config(config)
        if layer.name not in taken:
            taken.add(layer.name)
            # Not by its weights: some layers change weights that no optimizer trains.
            if layer.weights and not layer.trainable and not can_adapt(layer):
                return layer
            return type(layer).from_config(config)
        name, number = f"{model.name}_{layer.name}", 1
        while name in taken:
            number += 1
            name = f"{model.name}_{layer.name}_{number}"
        taken.add(name)
        return type(layer).from_config({**config, "name": name})

    copy = keras.models.clone_model(model, clone_function=copy_layer)
    copy.set_weights(model.get_weights())
    return copy
