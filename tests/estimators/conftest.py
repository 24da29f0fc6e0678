"""Classifiers that are small enough to fit in about a second."""

import numpy as np
import pytest

from multimodal_ensemble import BagOfWordsEncoder, DenseEncoder, MultimodalClassifier
from multimodal_ensemble.encoders import DenseHead
from tests.toys import draw_labels, draw_table, make_network, make_poster


def fit_classifier(encoders, *, y=None, **options):
    # Plain SGD has no state, so it is the quickest optimizer to build.
    given = {"epochs": 3, "batch_size": 11, "optimizer": "sgd", "verbose": 0, "random_state": 1}
    options = {**given, **options}
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
def classifier():
    """Return a classifier of an image with a backbone, tags and numbers; the first two optional."""
    # Weights that its configuration alone would not restore.
    network = make_network()
    network.set_weights([weights + 0.5 for weights in network.get_weights()])
    return fit_classifier(
        [
            make_poster(network=network, optional=True, head=DenseHead(4, scaling="log")),
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
