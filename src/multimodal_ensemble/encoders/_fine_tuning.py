"""Freezing a backbone except for its last layers."""

from __future__ import annotations

from collections.abc import Iterator
from numbers import Integral

import keras

from multimodal_ensemble._validation import check_at_least, check_choice


def check_trainable_layers(n_layers: object) -> None:
    """Raise a ValueError unless a number of layers is a whole number or "all"."""
    if isinstance(n_layers, str):
        check_choice(n_layers, ("all",), name="trainable_layers")
    elif isinstance(n_layers, bool) or not isinstance(n_layers, Integral):
        msg = (
            "trainable_layers must be a whole number or 'all'. "
            f"Received trainable_layers={n_layers!r}."
        )
        raise ValueError(msg)
    else:
        check_at_least(n_layers, 0, name="trainable_layers")


def set_trainable_layers(backbone: keras.Model, n_layers: int | str) -> None:
    """Freeze a backbone except for its last layers with weights; "all" trains all of them.

    Raises
    ------
    ValueError
        If the backbone has fewer layers than that.
    """
    layers = list(_leaf_layers(backbone))
    trainable = [
        layer
        for layer in layers
        if layer.weights and not isinstance(layer, keras.layers.BatchNormalization)
    ]
    count = len(trainable) if isinstance(n_layers, str) else n_layers
    if count > len(trainable):
        msg = f"The backbone {backbone.name!r} has {len(trainable)} layers to train, not {count}."
        raise ValueError(msg)
    # A layer is trained only if each model around it is, and making a model trainable makes all
    # of its layers trainable.
    backbone.trainable = count > 0
    chosen = {id(layer) for layer in trainable[len(trainable) - count :]}
    if chosen:
        for layer in layers:
            layer.trainable = id(layer) in chosen


def _leaf_layers(model: keras.Model) -> Iterator[keras.Layer]:
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _leaf_layers(layer)
        else:
            yield layer
