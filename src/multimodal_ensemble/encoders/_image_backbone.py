"""Building the frozen part of an `ImageEncoder`: preprocessing, network, pooling."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from numbers import Integral
from pathlib import Path

import keras

from multimodal_ensemble._random import seeded_layers
from multimodal_ensemble._validation import check_at_least, check_choice
from multimodal_ensemble.encoders._applications import (
    build_application,
    default_size,
    load_weights,
)
from multimodal_ensemble.encoders._inference_model import InferenceModel
from multimodal_ensemble.encoders._layers import ApplicationPreprocessing
from multimodal_ensemble.exceptions import ModalityError
from multimodal_ensemble.images._read import check_size


def find_image_size(
    network: str | keras.Model, image_size: int | Sequence[int] | None
) -> tuple[int, int]:
    """Return height and width, in pixels, of the images that the network receives."""
    if image_size is None:
        if isinstance(network, str):
            return default_size(network), default_size(network)
        height, width = _own_input_size(network)
        if height is None or width is None:
            msg = (
                f"The model {network.name!r} takes images of any size. "
                "Pass image_size=... to say which size images are resized to."
            )
            raise ModalityError(msg)
        return height, width
    try:
        sides = check_size(image_size)
    except ValueError as error:
        msg = f"image_{error}"
        raise ValueError(msg) from error
    if not isinstance(network, str):
        own = _own_input_size(network)
        if any(fixed not in (None, side) for side, fixed in zip(sides, own, strict=True)):
            msg = (
                f"The model {network.name!r} takes images of {own} pixels. "
                f"Received image_size={image_size!r}; leave it out."
            )
            raise ModalityError(msg)
    return sides


def _own_input_size(network: keras.Model) -> tuple[int | None, int | None]:
    # A model that is subclassed or not built yet has no such attribute.
    shape = getattr(network, "input_shape", None)
    if not isinstance(shape, tuple) or len(shape) != 4 or shape[-1] != 3:
        msg = (
            "A backbone of your own must take RGB images of shape (batch, height, width, 3). "
            f"The model {network.name!r} takes {shape}."
        )
        raise ModalityError(msg)
    return shape[1:3]


def build_image_backbone(
    name: str,
    network: str | keras.Model,
    *,
    weights: str | Path | None,
    input_shape: tuple[int, int, int],
    pooling: str,
    preprocessing: str | None,
    seed: int | None,
) -> keras.Model:
    """Return a model from RGB images 0..255 to one feature vector an image."""
    inputs = keras.Input(input_shape, name="pixels")
    pixels = inputs
    if preprocessing == "unit":
        pixels = keras.layers.Rescaling(1 / 255, name="preprocessing")(pixels)
    elif preprocessing == "imagenet" and isinstance(network, str):
        pixels = ApplicationPreprocessing(network, name="preprocessing")(pixels)
    path = None if weights is None or weights == "imagenet" else os.fspath(weights)
    if isinstance(network, str):
        network_name = network
        with seeded_layers(seed):
            network = build_application(
                network,
                input_shape=input_shape,
                pooling=pooling,
                weights="imagenet" if weights == "imagenet" else None,
            )
    else:
        network_name = f"the model {network.name!r}"
        # A copy: freezing, training and loading must reach neither the caller's model nor other
        # encoders that were given the same.
        given, network = network, keras.models.clone_model(network)
        network.set_weights(given.get_weights())
    if path is not None:
        load_weights(network, path, name=network_name)
    features = network(pixels)
    rank = len(getattr(features, "shape", ()))
    if rank == 4:
        pool = {
            "avg": keras.layers.GlobalAveragePooling2D,
            "max": keras.layers.GlobalMaxPooling2D,
        }[pooling]
        features = pool(name="pooling")(features)
        rank = 2
    if rank != 2:
        msg = (
            "A backbone of your own must give feature maps (batch, height, width, channels) or "
            f"feature vectors (batch, size). The model {network.name!r} gives "
            f"{network.output_shape}."
        )
        raise ModalityError(msg)
    # Frozen or not, batch statistics of a small training set would spoil what the network
    # learned on a large one.
    backbone: keras.Model = InferenceModel(inputs, features, name=name)
    return backbone


def set_trainable_layers(backbone: keras.Model, n_layers: int | str) -> None:
    """Freeze a backbone but for its last layers that have weights; "all" means each of them."""
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
    # A layer is trained only if each model around it is; that switches on all their layers.
    backbone.trainable = count > 0
    chosen = {id(layer) for layer in trainable[len(trainable) - count :]}
    if chosen:
        for layer in layers:
            layer.trainable = id(layer) in chosen


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


def _leaf_layers(model: keras.Model) -> Iterator[keras.Layer]:
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _leaf_layers(layer)
        else:
            yield layer
