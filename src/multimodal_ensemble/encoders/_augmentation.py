"""Augmented views of images, each determined by a seed, the image and the number of the view."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Self

import keras
import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from multimodal_ensemble._graphs import predict_batch
from multimodal_ensemble._keras import PACKAGE, without_names
from multimodal_ensemble._random import seeded_layers
from multimodal_ensemble._validation import check_at_least
from multimodal_ensemble.encoders._parameters import CheckedParameters

# The state of a layer is set for one image and then used: no other thread may come in between.
_ONE_AT_A_TIME = threading.Lock()


@keras.saving.register_keras_serializable(package=PACKAGE)
class Augmentation(CheckedParameters):
    """Keras layers that make a fixed number of augmented views of each training image.

    The state of the layers is set for each image and view, so that the views of an image are the
    same in any order, batch or process, and a `multimodal_ensemble.FeatureStore` can keep their
    features. Training picks one of the views at random for each image and epoch.

    Parameters
    ----------
    layers : keras.Layer or sequence of keras.Layer
        Layers that augment RGB images 0..255 of shape ``(n, height, width, 3)`` and keep their
        shape. They are applied in order, to one image at a time, so layers that mix several
        images have no effect.
    views : int, default=4
        Number of augmented views of each image.
    seed : int, default=0
        Seed of the views. It overrides the seeds of the layers.

    Raises
    ------
    ValueError
        If `layers` holds anything but Keras layers, or a number is out of range.

    Examples
    --------
    >>> import keras
    >>> from multimodal_ensemble import ImageEncoder
    >>> from multimodal_ensemble.encoders import Augmentation
    >>> augmentation = Augmentation([keras.layers.RandomFlip("horizontal")], views=2)
    >>> encoder = ImageEncoder("poster", augmentation=augmentation)
    >>> encoder.set_params(augmentation__views=3).augmentation.views
    3
    """

    def __init__(
        self, layers: keras.Layer | Sequence[keras.Layer], *, views: int = 4, seed: int = 0
    ) -> None:
        listed = _as_list(layers)
        if not listed or not all(isinstance(layer, keras.Layer) for layer in listed):
            msg = (
                "layers must be one or more Keras layers that augment images, for example "
                f"[keras.layers.RandomFlip('horizontal')]. Received layers={layers!r}."
            )
            raise ValueError(msg)
        if first := [x for x in listed if getattr(x, "data_format", None) == "channels_first"]:
            # They would, for example, flip the colours instead of the columns.
            msg = (
                "layers must take images of shape (height, width, 3). Received layers with "
                f"data_format='channels_first': {[layer.name for layer in first]}; create them "
                "with data_format='channels_last'."
            )
            raise ValueError(msg)
        check_at_least(views, 1, name="views")
        check_at_least(seed, 0, name="seed")
        self.layers = layers
        self.views = views
        self.seed = seed
        # The layers as one model, with the states of their generators, by the shape of an image.
        self._built: dict[tuple[int, ...], tuple[keras.Model, list[Any]]] = {}

    def apply(
        self, encoded: NDArray[Any], digests: Sequence[bytes], views: NDArray[np.intp]
    ) -> NDArray[np.float32]:
        """Return one augmented view of each image.

        Parameters
        ----------
        encoded : ndarray of shape (n, height, width, 3)
            RGB images 0..255.
        digests : sequence of n bytes
            Digests of the images' content.
        views : ndarray of shape (n,)
            Number of the view of each image, from 0 to ``views - 1``.

        Returns
        -------
        ndarray of shape (n, height, width, 3)
            RGB 0..255, float32.

        Raises
        ------
        ValueError
            If the layers change the shape of images.
        """
        augmented = np.empty(encoded.shape, dtype=np.float32)
        if not len(encoded):
            return augmented
        with _ONE_AT_A_TIME:
            model, states = self._build(encoded[:1])
            for row, (image, digest, view) in enumerate(zip(encoded, digests, views, strict=True)):
                for number, state in enumerate(states):
                    state.assign(_draw(self.seed, number, int(view), digest))
                augmented[row] = predict_batch(model, image[np.newaxis], any_size=False)[0]
        return augmented

    def view_digests(self, digests: Sequence[bytes], view: int) -> list[bytes]:
        """Return what identifies one augmented view of each image, to look up its features.

        Parameters
        ----------
        digests : sequence of n bytes
            Digests of the images' content.
        view : int
            Number of the view, from 0 to ``views - 1``.

        Returns
        -------
        list of n bytes
            SHA-256 digests that depend on all that the view depends on.
        """
        serialize = keras.saving.serialize_keras_object
        # Names of layers and their own seeds change no view; nor does the number of views.
        layers = [
            [type(layer).__name__, _without_seeds(without_names(serialize(layer)))]
            for layer in _flatten(self.layers)
        ]
        config = json.dumps([self.seed, layers], sort_keys=True, default=repr)
        prefix = f"augmented view {view}: {config}".encode()
        return [hashlib.sha256(prefix + digest).digest() for digest in digests]

    def _build(self, image: NDArray[Any]) -> tuple[keras.Model, list[Any]]:
        if image.shape not in self._built:
            model = _TrainingMode(_as_list(self.layers))
            # Some layers draw from Python's global generator, once, when they are traced.
            with seeded_layers(self.seed):
                shape = np.asarray(predict_batch(model, image, any_size=False)).shape
            if shape != image.shape:
                msg = (
                    "Augmentation layers must keep the shape of an image. Received images of "
                    f"shape {image.shape[1:]}, and the layers returned {shape[1:]}."
                )
                raise ValueError(msg)
            states = [each for each in model.variables if each.name == "seed_generator_state"]
            self._built[image.shape] = (model, states)
        return self._built[image.shape]

    def __sklearn_clone__(self) -> Self:
        """Return an unfitted copy, whose layers draw no seeds from the caller's generator."""
        with seeded_layers(self.seed):
            params = {
                name: clone(value, safe=False)
                for name, value in self.get_params(deep=False).items()
            }
        return type(self)(**params)

    def __getstate__(self) -> dict[str, Any]:
        """Return the arguments alone: each copy builds its own model."""
        state: dict[str, Any] = super().__getstate__()
        return {**state, "_built": {}}


class _TrainingMode(keras.Model):
    """Layers in a row that always augment, as they otherwise do in training only."""

    def __init__(self, layers: Sequence[keras.Layer]) -> None:
        super().__init__(name="augmentation")
        self.augmentation_layers = list(layers)

    def call(self, inputs: Any) -> Any:
        images = keras.ops.cast(inputs, "float32")
        for layer in self.augmentation_layers:
            images = layer(images, training=True)
        return images


def _as_list(layers: Any) -> list[Any]:
    is_one = isinstance(layers, keras.Layer) or not isinstance(layers, Iterable)
    return [layers] if is_one else list(layers)


def _flatten(layers: Any) -> Iterator[keras.Layer]:
    for layer in _as_list(layers):
        if isinstance(layer, keras.Sequential):
            yield from _flatten(layer.layers)
        else:
            yield layer


def _without_seeds(node: Any) -> Any:
    """Leave out the seeds of layers, which `Augmentation` overrides."""
    if isinstance(node, dict):
        return {key: _without_seeds(value) for key, value in node.items() if key != "seed"}
    return [_without_seeds(value) for value in node] if isinstance(node, list | tuple) else node


def _draw(seed: int, number: int, view: int, digest: bytes) -> NDArray[np.uint32]:
    """Return the state of one layer's generator."""
    text = f"{seed} {number} {view} ".encode()
    state = np.frombuffer(hashlib.sha256(text + digest).digest()[:8], dtype=np.uint32)
    # Some kernels take signed seeds.
    return state & np.uint32(0x7FFFFFFF)


def check_augmentation(augmentation: Any, *, items: str | None) -> None:
    """Raise a ValueError unless an encoder can augment its values in this way."""
    contract = ("views", "apply", "view_digests")
    if augmentation is not None and not all(hasattr(augmentation, part) for part in contract):
        msg = (
            "augmentation must be an Augmentation or None, for example "
            "Augmentation([keras.layers.RandomFlip('horizontal')]). "
            f"Received augmentation={augmentation!r}."
        )
        raise ValueError(msg)
    if augmentation is not None and items is not None:
        msg = f"Lists of images cannot be augmented. Received items={items!r}; omit augmentation."
        raise ValueError(msg)
