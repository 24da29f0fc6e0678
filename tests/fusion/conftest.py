"""Tiny encoders and a batch of encoded rows."""

import keras
import numpy as np
import pytest

from multimodal_ensemble import BagOfWordsEncoder, ImageEncoder
from multimodal_ensemble.encoders import DenseHead


@pytest.fixture
def make_network():
    """Return a function that builds a network for 8 by 8 pixels with four feature maps."""

    def make(seed=1, name="network"):
        kernel = keras.initializers.GlorotUniform(seed)
        return keras.Sequential(
            [
                keras.Input((8, 8, 3)),
                keras.layers.Rescaling(1 / 255),
                keras.layers.Conv2D(4, 3, activation="relu", kernel_initializer=kernel),
            ],
            name=name,
        )

    return make


@pytest.fixture
def poster(make_network):
    return ImageEncoder("poster", backbone=make_network(), head=DenseHead(5, scaling="log"))


@pytest.fixture
def tags():
    encoder = BagOfWordsEncoder("tags", head=DenseHead(3, activation="sigmoid"))
    return encoder.fit([["space", "war"], ["love"], ["war"]])


@pytest.fixture
def batch():
    """Return four encoded rows of both modalities."""
    rng = np.random.default_rng(3)
    return {
        "poster": rng.integers(0, 256, (4, 8, 8, 3)).astype("float32"),
        "tags": rng.integers(0, 2, (4, 3)).astype("float32"),
    }
