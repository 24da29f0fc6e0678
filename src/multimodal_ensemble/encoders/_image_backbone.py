"""The backbone of an `ImageEncoder`: preprocessing, network and pooling."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import keras

from multimodal_ensemble._random import seeded_layers
from multimodal_ensemble.encoders._applications import (
    build_application,
    default_size,
    load_weights,
)
from multimodal_ensemble.encoders._inference_model import InferenceModel
from multimodal_ensemble.encoders._layers import ApplicationPreprocessing
from multimodal_ensemble.exceptions import ModalityError
from multimodal_ensemble.images import check_image_size


def find_image_size(
    network: str | keras.Model, image_size: int | Sequence[int] | None
) -> tuple[int, int]:
    """Return height and width, in pixels, of the images that the network receives.

    Raises
    ------
    ModalityError
        If a model of the user's own determines no size, or another one.
    """
    if image_size is None:
        if isinstance(network, str):
            return default_size(network), default_size(network)
        height, width = _own_input_size(network)
        if height is None or width is None:
            msg = (
                f"The model {network.name!r} takes images of any size. "
                "Pass image_size=... to choose the size that images are resized to."
            )
            raise ModalityError(msg)
        return height, width
    sides = check_image_size(image_size, name="image_size")
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
    # A subclassed model, or one that is not built yet, has no such attribute.
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
    """Return a model from RGB images 0..255 to one feature vector per image."""
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
        # Use a copy, because freezing, training and loading must change neither the caller's model
        # nor other encoders that received the same model.
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
            "A backbone of your own must return feature maps (batch, height, width, channels) or "
            f"feature vectors (batch, size). The model {network.name!r} returns "
            f"{network.output_shape}."
        )
        raise ModalityError(msg)
    # Batch statistics of a small training set would spoil what the network learned on a large
    # one, even where its layers are trained.
    backbone: keras.Model = InferenceModel(inputs, features, name=name)
    return backbone
