"""Classifiers that are small enough to fit in about a second."""

import keras
import numpy as np
import pandas as pd
import pytest

from multimodal_ensemble import BagOfWordsEncoder, DenseEncoder, ImageEncoder, MultimodalClassifier
from multimodal_ensemble.encoders import DenseHead

N_ROWS = 24


def draw_table():
    """Return a table in which some posters and tags are missing."""
    rng = np.random.default_rng(1)
    rows = range(N_ROWS)
    posters = [rng.integers(0, 256, (9, 9, 3), dtype="uint8") for _ in rows]
    tags = [["space", "war", "love"][: row % 4] for row in rows]
    return pd.DataFrame(
        {
            "poster": [None if row % 7 == 3 else posters[row] for row in rows],
            "tags": [None if row % 5 == 4 else tags[row] for row in rows],
            "year": rng.normal(1980, 20, N_ROWS),
            "minutes": rng.normal(100, 10, N_ROWS),
        }
    )


def draw_labels():
    rows = np.arange(N_ROWS)
    return pd.DataFrame({"Drama": rows % 2, "War": rows % 3 == 0, "Western": rows % 4 < 2}) * 1


def build_network():
    """Return a network for images of 8 by 8 pixels, with random weights."""
    return keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(3, 3, kernel_initializer=keras.initializers.GlorotUniform(1)),
        ],
        name="network",
    )


def fit_classifier(encoders, *, y=None, **options):
    # Plain SGD has no state, so it is the quickest optimizer to build.
    options = {"epochs": 3, "optimizer": "sgd", "verbose": 0, "random_state": 1, **options}
    y = draw_labels() if y is None else y
    return MultimodalClassifier(encoders, **options).fit(draw_table(), y)


@pytest.fixture(scope="session")
def table():
    return draw_table()


@pytest.fixture(scope="session")
def fit():
    """Return a function that fits a classifier with these encoders to the table."""
    return fit_classifier


@pytest.fixture(scope="session")
def make_network():
    return build_network


@pytest.fixture(scope="session")
def classifier():
    """Return a classifier of an image with a backbone, tags and numbers; the first two optional."""
    return fit_classifier(
        [
            ImageEncoder(
                "poster",
                backbone=build_network(),
                weights=None,
                optional=True,
                head=DenseHead(4, scaling="log"),
            ),
            BagOfWordsEncoder("tags", optional=True, head=DenseHead(3)),
            DenseEncoder("numbers", column=["year", "minutes"], head=DenseHead(2)),
        ],
        threshold={"Drama": 0.5, "War": np.inf, "Western": -np.inf},
    )


@pytest.fixture(scope="session")
def small():
    """Return a classifier without a backbone, which loads quickly."""
    return fit_classifier(
        [
            BagOfWordsEncoder("tags", optional=True),
            DenseEncoder("numbers", column=["year", "minutes"], head=DenseHead(2)),
        ]
    )
