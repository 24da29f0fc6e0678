"""A tiny frozen network, image files, and a counter of the rows that pass a network."""

import keras
import numpy as np
import pytest
from PIL import Image

from multimodal_ensemble import FeatureStore, ImageEncoder


def build_network(seed=1, *, size=8, name="network", activation="relu", preprocessing=True):
    """Return a network with four feature maps."""
    kernel = keras.initializers.GlorotUniform(seed)
    layers = [
        keras.Input((size, size, 3)),
        *([keras.layers.Rescaling(1 / 255)] if preprocessing else []),
        keras.layers.Conv2D(4, 3, activation=activation, kernel_initializer=kernel),
    ]
    return keras.Sequential(layers, name=name)


@pytest.fixture
def make_network():
    return build_network


@pytest.fixture
def make_encoder():
    """Return a function that makes an encoder with the tiny network."""

    def make(name="poster", *, seed=1, size=8, network=None, **options):
        backbone = build_network(seed, size=size) if network is None else network
        return ImageEncoder(name, backbone=backbone, **options)

    return make


@pytest.fixture
def posters(tmp_path):
    """Return the paths of ten different images."""
    folder = tmp_path / "posters"
    folder.mkdir()
    rng = np.random.default_rng(0)
    paths = []
    for number in range(10):
        pixels = rng.integers(0, 256, (12, 10, 3)).astype("uint8")
        paths.append(folder / f"{number}.png")
        Image.fromarray(pixels).save(paths[-1])
    return paths


@pytest.fixture
def store(tmp_path):
    return FeatureStore(tmp_path / "store", batch_size=4, dtype="float32")


class Counter:
    """Counts the rows that go through a model, and can interrupt it."""

    def __init__(self):
        self.batches = []
        self.stop_after = None
        self.error = KeyboardInterrupt

    @property
    def rows(self):
        return sum(self.batches)

    def watch(self, model):
        predict = model.predict_on_batch

        def predict_on_batch(batch):
            if self.stop_after is not None and len(self.batches) >= self.stop_after:
                raise self.error
            result = predict(batch)
            self.batches.append(len(batch))
            return result

        model.predict_on_batch = predict_on_batch


@pytest.fixture
def counter():
    return Counter()


@pytest.fixture
def compute():
    """Return a function that computes features without a store, image by image."""

    def compute_features(encoder, values):
        backbone = encoder.get_backbone()
        return np.concatenate(
            [np.asarray(backbone(encoder.encode([value]), training=False)) for value in values]
        )

    return compute_features
