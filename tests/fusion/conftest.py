"""Tiny encoders and a batch of encoded rows."""

import numpy as np
import pytest

from multimodal_ensemble import BagOfWordsEncoder
from multimodal_ensemble.encoders import DenseHead
from tests.toys import make_poster


@pytest.fixture(scope="module")
def poster():
    return make_poster(head=DenseHead(5, scaling="log"))


@pytest.fixture(scope="module")
def tags():
    encoder = BagOfWordsEncoder("tags", head=DenseHead(3, activation="sigmoid"))
    return encoder.fit([["space", "war"], ["love"], ["war"]])


@pytest.fixture(scope="module")
def batch():
    """Return four encoded rows of both modalities."""
    rng = np.random.default_rng(3)
    return {
        "poster": rng.integers(0, 256, (4, 8, 8, 3)).astype("float32"),
        "tags": rng.integers(0, 2, (4, 3)).astype("float32"),
    }
