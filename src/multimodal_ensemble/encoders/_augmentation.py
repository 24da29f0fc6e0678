"""Augmented views of images, each a function of a seed, the image and the view's number."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray


class Augmentation:
    """Keras augmentation layers with draws that depend on the image alone.

    A Keras layer draws from a state that each call advances, so what it does to an image depends
    on which images came before, and how many were in its batch. Here the state is set anew for
    each image: its views are the same in whatever order, batch or process they are computed.

    Parameters
    ----------
    layers : sequence of keras.Layer
        Layers from one image batch to another of the same shape.
    seed : int
        The views follow from it.
    """

    def __init__(self, layers: Sequence[keras.Layer], seed: int) -> None:
        self.layers = list(layers)
        self._seed = seed
        self._model: keras.Model | None = None

    def config(self) -> str:
        """Return the layers and the seed as text; names, and seeds of layers, do not count."""
        layers = [[type(layer).__name__, _settings(layer)] for layer in _flatten(self.layers)]
        return json.dumps([self._seed, layers], sort_keys=True, default=repr)

    def apply(
        self, images: NDArray[Any], digests: Sequence[bytes], views: NDArray[np.intp]
    ) -> NDArray[np.float32]:
        """Return the given view of each image, float32 of the images' shape."""
        if self._model is None:
            self._model = _TrainingMode(self.layers)
            self._model(images[:1])
            self._states = _seed_states(self._model)
        augmented = np.empty(images.shape, dtype=np.float32)
        for row, (image, digest, view) in enumerate(zip(images, digests, views, strict=True)):
            for number, state in enumerate(self._states):
                state.assign(_draw(self._seed, number, int(view), digest))
            result = np.asarray(self._model.predict_on_batch(image[np.newaxis]))[0]
            if result.shape != image.shape:
                msg = (
                    "Augmentation layers must keep the shape of an image. Received images of shape "
                    f"{image.shape}, and the layers gave {result.shape}."
                )
                raise ValueError(msg)
            augmented[row] = result
        return augmented


class _TrainingMode(keras.Model):
    """Layers one after the other that always augment, as they do in training only."""

    def __init__(self, layers: Sequence[keras.Layer]) -> None:
        super().__init__(name="augmentation")
        self.augmentation_layers = list(layers)

    def call(self, inputs: Any) -> Any:
        images = keras.ops.cast(inputs, "float32")
        for layer in self.augmentation_layers:
            images = layer(images, training=True)
        return images


def check_augmentation(layers: Any) -> list[keras.Layer]:
    """Return augmentation layers as a list; one layer or model will do.

    Raises
    ------
    ValueError
        If it is anything but Keras layers.
    """
    is_one = isinstance(layers, keras.Layer) or not isinstance(layers, Iterable)
    listed = [layers] if is_one else list(layers)
    if not all(isinstance(layer, keras.Layer) for layer in listed):
        msg = (
            "augmentation must be Keras layers that augment images, for example "
            f"[keras.layers.RandomFlip('horizontal')]. Received augmentation={layers!r}."
        )
        raise ValueError(msg)
    return listed


def _flatten(layers: Iterable[keras.Layer]) -> Iterator[keras.Layer]:
    for layer in layers:
        if isinstance(layer, keras.Sequential):
            yield from _flatten(layer.layers)
        else:
            yield layer


def _settings(layer: keras.Layer) -> dict[str, Any]:
    config = keras.saving.serialize_keras_object(layer)["config"]
    return {key: value for key, value in config.items() if key not in ("name", "seed")}


def _seed_states(model: keras.Model) -> list[Any]:
    return [variable for variable in model.variables if variable.name == "seed_generator_state"]


def _draw(seed: int, number: int, view: int, digest: bytes) -> NDArray[np.uint32]:
    """Return the state of one layer's generator."""
    text = f"{seed} {number} {view} ".encode()
    state: NDArray[np.uint32] = np.frombuffer(
        hashlib.sha256(text + digest).digest()[:8], dtype=np.uint32
    )
    # Some kernels take signed seeds.
    return state & np.uint32(0x7FFFFFFF)
