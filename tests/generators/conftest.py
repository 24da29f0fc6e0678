"""A tiny image encoder."""

import keras
import pytest

from multimodal_ensemble import ImageEncoder
from multimodal_ensemble.encoders import DenseHead


@pytest.fixture
def make_poster():
    """Return a function that makes an encoder of posters with equal weights in each call."""

    def make(**options):
        network = keras.Sequential(
            [
                keras.Input((8, 8, 3)),
                keras.layers.Rescaling(1 / 255),
                keras.layers.Conv2D(4, 3, kernel_initializer=keras.initializers.GlorotUniform(1)),
            ],
            name="network",
        )
        return ImageEncoder("poster", backbone=network, **{"head": DenseHead(3), **options})

    return make
