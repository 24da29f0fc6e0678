"""The backbone of an `ImageEncoder`: preprocessing, network, pooling and trainable layers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from numbers import Integral
from pathlib import Path
from typing import Any

import keras

from multimodal_ensemble._keras import all_layers, clone_model, has_lambda
from multimodal_ensemble._random import seeded_layers
from multimodal_ensemble.encoders._applications import build_application, default_size, load_weights
from multimodal_ensemble.encoders._feature_layers import check_pooling, join_layers, pool_maps
from multimodal_ensemble.encoders._image_preset import own_input_size
from multimodal_ensemble.encoders._keras_hub import is_hub_backbone
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
        height, width = own_input_size(network)
        if height is None or width is None:
            msg = (
                f"The model {network.name!r} takes images of any size. "
                "Pass image_size=... to choose the size that images are resized to."
            )
            raise ModalityError(msg)
        return height, width
    sides = check_image_size(image_size, name="image_size")
    if not isinstance(network, str):
        own = own_input_size(network)
        if any(fixed not in (None, side) for side, fixed in zip(sides, own, strict=True)):
            msg = (
                f"The model {network.name!r} takes images of {own} pixels. "
                f"Received image_size={image_size!r}; leave it out."
            )
            raise ModalityError(msg)
    return sides


def build_image_backbone(
    name: str,
    network: str | keras.Model,
    *,
    weights: str | Path | None,
    input_shape: tuple[int, int, int],
    pooling: str | Sequence[str],
    layers: int | Sequence[str],
    mirror: bool,
    preprocessing: str | keras.layers.Layer | None,
    seed: int | None,
) -> keras.Model:
    """Return a model from RGB images 0..255 to one feature vector per image.

    A model that is passed as the network becomes a part of it.
    """
    poolings = check_pooling(pooling)
    is_plain = layers == 1 and poolings in (("avg",), ("max",))
    inputs = keras.Input(input_shape, name="pixels")
    pixels = inputs
    if isinstance(preprocessing, keras.layers.Layer):
        pixels = preprocessing(pixels)
    elif preprocessing == "unit":
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
    if weights is not None and named is None:
        load_weights(network, os.fspath(weights), name=network_name)
    patches = _count_patches(network)
    if layers != 1:
        _check_colours_last(network)
        network = join_layers(network, layers, poolings, patches=patches)
    views = [pixels, MirrorImages(name="mirror")(pixels)] if mirror else [pixels]
    vectors = [_to_vector(network, view, poolings, patches) for view in views]
    features = keras.layers.Average(name="mean_of_views")(vectors) if mirror else vectors[0]
    # Batch statistics of a small training set would spoil what the network learned on a large
    # one, even where its layers are trained.
    backbone: keras.Model = InferenceModel(inputs, features, name=name)
    return backbone


def _to_vector(
    network: keras.Model, pixels: Any, poolings: Sequence[str], patches: tuple[int, int] | None
) -> Any:
    # A backbone of KerasHub may take its input in a dict.
    structure = getattr(network, "input", None)
    features = network(keras.tree.map_structure(lambda _: pixels, structure))
    rank = len(getattr(features, "shape", ()))
    if rank not in (2, 3, 4):
        msg = (
            "A backbone must return feature maps (batch, height, width, channels), tokens "
            "(batch, n_tokens, channels) or feature vectors (batch, size). The model "
            f"{network.name!r} returns {network.output_shape}. To choose one of several outputs, "
            "pass a keras.Model that has only this one."
        )
        raise ModalityError(msg)
    if rank == 4:
        _check_colours_last(network)
    return pool_maps([features], poolings, patches=patches)


def _count_patches(network: keras.Model) -> tuple[int, int] | None:
    """Return how many rows and columns of patches a vision transformer of KerasHub makes."""
    sides = getattr(network, "patch_size", None)
    if not is_hub_backbone(network) or sides is None:
        return None
    height, width = (sides, sides) if isinstance(sides, int) else sides
    own_height, own_width = own_input_size(network)
    if own_height is None or own_width is None:
        return None
    return own_height // height, own_width // width


def copy_weights(backbone: keras.Model, network: keras.Model, *, by_name: bool) -> None:
    """Give the network that a backbone was built from the weights of the backbone.

    A backbone of several layers has its weights in another order, and lacks the last layers. Its
    layers have the names of those of the network.
    """
    (built,) = (layer for layer in backbone.layers if isinstance(layer, keras.Model))
    if not by_name:
        network.set_weights(built.get_weights())
        return
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
    if is_hub_backbone(model):
        # The layers inside have no complete configurations, but the class has one.
        with seeded_layers(0):
            same: keras.Model = type(model).from_config(model.get_config())
        same.set_weights(model.get_weights())
        return same

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
        copy = clone_model(model, **options)
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
            "Lists need a frozen backbone, because the features of each item are computed once "
            f"and pooled. Received items={items!r} and "
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
            # A layer of KerasHub may be a whole block.
            for inner in layer._flatten_layers(include_self=False):
                if isinstance(inner, keras.layers.BatchNormalization):
                    inner.trainable = False
