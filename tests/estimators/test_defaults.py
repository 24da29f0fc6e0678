"""The plain call on tiny tables with known answers, and the rules behind its defaults."""

import numpy as np
import pandas as pd
import pytest

from multimodal_ensemble import (
    BagOfWordsEncoder,
    DenseEncoder,
    MultimodalClassifier,
    mean_roc_auc,
)
from multimodal_ensemble.encoders import DenseHead

TAGS = ["space", "war", "love", "paris"]


def draw_tags(n_rows, n_labels, rng):
    """Return lists of four possible tags, and labels that are the first of these tags."""
    has = rng.random((n_rows, len(TAGS))) < 0.4
    tags = [[TAGS[column] for column in np.flatnonzero(row)] for row in has]
    return pd.DataFrame({"tags": tags}), has[:, :n_labels].astype(int)


def draw_numbers(n_rows, n_labels, rng):
    """Return two numbers per row, and labels that are their signs."""
    numbers = rng.normal(size=(n_rows, 2))
    return pd.DataFrame(numbers, columns=["x", "z"]), (numbers[:, :n_labels] > 0).astype(int)


def score_plain_call(draw, encoder, n_rows, n_labels, seed):
    """Return the ROC-AUC of the classifier without options on 300 other rows."""
    rng = np.random.default_rng(seed)
    X, y = draw(n_rows, n_labels, rng)
    classifier = MultimodalClassifier([encoder], random_state=seed, verbose=0).fit(X, y)
    X, y = draw(300, n_labels, rng)
    return mean_roc_auc(y, classifier.predict_proba(X))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_80_rows_of_separable_tags_are_learned(seed):
    assert score_plain_call(draw_tags, BagOfWordsEncoder("tags"), 80, 2, seed) > 0.95


@pytest.mark.slow
@pytest.mark.parametrize(("n_rows", "n_labels", "seed"), [(500, 2, 4), (60, 1, 1), (60, 4, 2)])
def test_other_tables_of_separable_tags_are_learned(n_rows, n_labels, seed):
    assert score_plain_call(draw_tags, BagOfWordsEncoder("tags"), n_rows, n_labels, seed) > 0.95


@pytest.mark.slow
@pytest.mark.parametrize(("n_rows", "n_labels", "seed"), [(60, 2, 1), (100, 1, 2), (100, 2, 3)])
def test_signs_of_numbers_are_learned(n_rows, n_labels, seed):
    encoder = DenseEncoder("numbers", column=["x", "z"])
    assert score_plain_call(draw_numbers, encoder, n_rows, n_labels, seed) > 0.95


def test_labels_that_have_nothing_to_do_with_the_rows_are_reported():
    X = pd.DataFrame({"x": np.linspace(-1, 1, 60)})
    y = (X["x"] > 0).to_numpy()[:, np.newaxis].astype(int)
    classifier = MultimodalClassifier([DenseEncoder("x")], epochs=2, random_state=1, verbose=0)
    with pytest.warns(UserWarning, match=r"no better than chance \(0\.5\)"):
        classifier.fit(X, y, validation_data=(X, 1 - y))


@pytest.mark.parametrize(("n_features", "dropped"), [(15, False), (16, True)])
def test_automatic_input_dropout_starts_at_16_features(n_features, dropped):
    names = [layer.name for layer in DenseHead(input_dropout="auto")((n_features,)).layers]
    assert ("input_dropout" in names) == dropped
    assert names[-1] == "dropout"


@pytest.mark.parametrize(("n_rows", "expected"), [(50, 5), (1000, 32)])
def test_few_rows_are_trained_in_small_batches(n_rows, expected):
    X, y = draw_numbers(n_rows, 1, np.random.default_rng(1))
    encoder = DenseEncoder("numbers", column=["x", "z"])
    classifier = MultimodalClassifier([encoder], epochs=1, random_state=1, verbose=0)
    classifier.fit(X, y)
    n_train = classifier.provenance_["n_train"]
    n_batches = int(classifier.history_["step"].max())
    assert n_batches == -(-n_train // expected)


def test_a_label_that_no_training_row_has_is_never_predicted():
    X, y = draw_numbers(80, 2, np.random.default_rng(1))
    absent = y.copy()
    absent[:, 1] = 0
    encoder = DenseEncoder("numbers", column=["x", "z"])
    classifier = MultimodalClassifier([encoder], epochs=3, random_state=1, verbose=0)
    with pytest.warns(UserWarning, match="No training row has the"):
        classifier.fit(X, absent, validation_data=(X, y))
    assert classifier.thresholds_[1] == np.inf
    assert not classifier.predict(X)[:, 1].any()
