"""Augmented views of images, each a function of a seed, the image and the view's number."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._keras import without_names
from multimodal_ensemble._random import seeded_layers

# A layer's state is set for an image and then used: two threads must not come in between.
_ONE_AT_A_TIME = threading.Lock()


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
        self._states: list[Any] = []

    def copy(self) -> Augmentation:
        """Return one that augments alike and has not built anything yet."""
        return Augmentation(self.layers, self._seed)

    def config(self) -> str:
        """Return the layers and the seed as text; names, and seeds of layers, do not count."""
        layers = [[type(layer).__name__, _settings(layer)] for layer in _flatten(self.layers)]
        return json.dumps([self._seed, layers], sort_keys=True, default=repr)

    def apply(
        self, images: NDArray[Any], digests: Sequence[bytes], views: NDArray[np.intp]
    ) -> NDArray[np.float32]:
        """Return the given view of each image, float32 of the images' shape."""
        augmented = np.empty(images.shape, dtype=np.float32)
        with _ONE_AT_A_TIME:
            model = self._build(images[:1])
            for row, (image, digest, view) in enumerate(zip(images, digests, views, strict=True)):
                for number, state in enumerate(self._states):
                    state.assign(_draw(self._seed, number, int(view), digest))
                augmented[row] = model.predict_on_batch(image[np.newaxis])[0]
        return augmented

    def _build(self, image: NDArray[Any]) -> keras.Model:
        if self._model is None and len(image):
            model = _TrainingMode(self.layers)
            # Some layers draw from Python's global generator, once, when they are traced.
            with seeded_layers(self._seed):
                shape = np.asarray(model.predict_on_batch(image)).shape
            if shape != image.shape:
                msg = (
                    "Augmentation layers must keep the shape of an image. Received images of "
                    f"shape {image.shape[1:]}, and the layers gave {shape[1:]}."
                )
                raise ValueError(msg)
            self._model = model
            self._states = [
                variable for variable in model.variables if variable.name == "seed_generator_state"
            ]
        return self._model


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


def _settings(layer: keras.Layer) -> Any:
    return _without_seeds(without_names(keras.saving.serialize_keras_object(layer)))


def _without_seeds(node: Any) -> Any:
    """Leave out the seeds of layers, which are overridden here."""
    if isinstance(node, dict):
        return {key: _without_seeds(value) for key, value in node.items() if key != "seed"}
    return [_without_seeds(value) for value in node] if isinstance(node, list | tuple) else node


def _draw(seed: int, number: int, view: int, digest: bytes) -> NDArray[np.uint32]:
    """Return the state of one layer's generator."""
    text = f"{seed} {number} {view} ".encode()
    state: NDArray[np.uint32] = np.frombuffer(
        hashlib.sha256(text + digest).digest()[:8], dtype=np.uint32
    )
    # Some kernels take signed seeds.
    return state & np.uint32(0x7FFFFFFF)
