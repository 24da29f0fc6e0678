"""The backbone of an `ImageEncoder`: preprocessing, network, pooling and trainable layers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from numbers import Integral
from pathlib import Path
from typing import Any

import keras

from multimodal_ensemble._keras import all_layers, has_lambda
from multimodal_ensemble._random import seeded_layers
from multimodal_ensemble.encoders._applications import build_application, default_size, load_weights
from multimodal_ensemble.encoders._feature_layers import check_pooling, join_layers, pool_maps
from multimodal_ensemble.encoders._layers import (
    ApplicationPreprocessing,
    InferenceModel,
    MirrorImages,
)
from multimodal_ensemble.exceptions import ModalityError
from multimodal_ensemble.images import check_image_size


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
        if isinstance(shape, tuple) and shape[1:2] == (3,):
            msg += " If its colours come first, put keras.layers.Permute((3, 1, 2)) in front of it."
        raise ModalityError(msg)
    return shape[1:3]


def build_image_backbone(
    name: str,
    network: str | keras.Model,
    *,
    weights: str | Path | None,
    input_shape: tuple[int, int, int],
    pooling: str | Sequence[str],
    layers: int | Sequence[str],
    mirror: bool,
    preprocessing: str | None,
    seed: int | None,
) -> keras.Model:
    """Return a model from RGB images 0..255 to one feature vector per image."""
    poolings = check_pooling(pooling)
    is_plain = layers == 1 and len(poolings) == 1
    inputs = keras.Input(input_shape, name="pixels")
    pixels = inputs
    if preprocessing == "unit":
        pixels = keras.layers.Rescaling(1 / 255, name="preprocessing")(pixels)
    elif preprocessing == "imagenet" and isinstance(network, str):
        pixels = ApplicationPreprocessing(network, name="preprocessing")(pixels)
    named = "imagenet" if weights == "imagenet" else None
    if isinstance(network, str):
        network_name = network
        # The initial weights matter only where no others replace them.
        with seeded_layers(seed if weights is None else 0):
            network = build_application(
                network,
                input_shape=input_shape,
                pooling=poolings[0] if is_plain else None,
                weights=named,
            )
    else:
        network_name = f"the model {network.name!r}"
        # Use a copy, because freezing, training and loading must change neither the caller's model
        # nor other encoders that received the same model.
        network = copy_model(network)
    if weights is not None and named is None:
        load_weights(network, os.fspath(weights), name=network_name)
    if layers != 1:
        _check_colours_last(network)
        network = join_layers(network, layers, poolings)
    views = [pixels, MirrorImages(name="mirror")(pixels)] if mirror else [pixels]
    vectors = [_to_vector(network, view, poolings) for view in views]
    features = keras.layers.Average(name="mean_of_views")(vectors) if mirror else vectors[0]
    # Batch statistics of a small training set would spoil what the network learned on a large
    # one, even where its layers are trained.
    backbone: keras.Model = InferenceModel(inputs, features, name=name)
    return backbone


def _to_vector(network: keras.Model, pixels: Any, poolings: Sequence[str]) -> Any:
    features = network(pixels)
    rank = len(getattr(features, "shape", ()))
    if rank not in (2, 4):
        msg = (
            "A backbone of your own must return feature maps (batch, height, width, channels) or "
            f"feature vectors (batch, size). The model {network.name!r} returns "
            f"{network.output_shape}."
        )
        raise ModalityError(msg)
    if rank == 4:
        _check_colours_last(network)
    return pool_maps([features], poolings)


def copy_weights(backbone: keras.Model, network: keras.Model, *, by_name: bool) -> None:
    """Give the network that a backbone was built from the weights of the backbone.

    A backbone of several layers has its weights in another order, and lacks the last layers. Its
    layers have the names of those of the network.
    """
    if not by_name:
        network.set_weights(backbone.get_weights())
        return
    (built,) = (layer for layer in backbone.layers if isinstance(layer, keras.Model))
    for layer in built.layers:
        if layer.weights:
            network.get_layer(layer.name).set_weights(layer.get_weights())


def _check_colours_last(network: keras.Model) -> None:
    if any(
        getattr(layer, "data_format", None) == "channels_first" for layer in all_layers(network)
    ):
        msg = (
            f"The model {network.name!r} returns feature maps of shape {network.output_shape} and "
            "has layers with data_format='channels_first', so the axes to pool are unclear. End "
            "it with a pooling layer, so that it returns feature vectors."
        )
        raise ModalityError(msg)


def copy_model(model: keras.Model) -> keras.Model:
    """Return a copy of a model with weights of its own."""

    def copy_layer(layer: keras.Layer) -> keras.Layer:
        if not isinstance(layer, keras.layers.Lambda):
            return type(layer).from_config(layer.get_config())
        # Keras takes the function of a configuration for one that was read from a file, which may
        # be dangerous, and it would lose the names that the function uses.
        return type(layer)(
            layer.function,
            output_shape=layer._output_shape,
            mask=layer.mask,
            arguments=layer.arguments,
            name=layer.name,
            dtype=layer.dtype_policy,
        )

    options = {"clone_function": copy_layer, "recursive": True} if has_lambda(model) else {}
    # The initial weights of the copy are replaced, so they need not change the caller's generator.
    with seeded_layers(0):
        copy: keras.Model = keras.models.clone_model(model, **options)
    copy.set_weights(model.get_weights())
    return copy


def check_trainable_layers(n_layers: Any, *, mirror: bool, items: str | None = None) -> None:
    """Raise a ValueError unless a number of layers is a whole number or "all".

    It is 0 with `mirror` and with `items`.
    """
    is_number = isinstance(n_layers, Integral) and not isinstance(n_layers, bool)
    if n_layers != "all" and not (is_number and int(n_layers) >= 0):
        msg = (
            "trainable_layers must be 'all' or a whole number of at least 0. "
            f"Received trainable_layers={n_layers!r}."
        )
        raise ValueError(msg)
    if mirror and n_layers != 0:
        msg = (
            "mirror=True needs a frozen backbone, because training would run the network twice per "
            f"image. Received trainable_layers={n_layers!r}; augmentation=Augmentation("
            "[keras.layers.RandomFlip('horizontal')]) trains on mirror images."
        )
        raise ValueError(msg)
    if items is not None and n_layers != 0:
        msg = (
            "Lists of images need a frozen backbone, because the features of each image are "
            f"computed once and pooled. Received items={items!r} and "
            f"trainable_layers={n_layers!r}. Fine-tune an encoder with items=None first, and "
            "pass its network as backbone."
        )
        raise ValueError(msg)


def set_trainable_layers(backbone: keras.Model, n_layers: int | str) -> None:
    """Freeze a backbone except for its last layers with weights; "all" trains all of them."""
    layers = [layer for layer in all_layers(backbone) if not isinstance(layer, keras.Model)]
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
