"""The plain call, without options, learns tiny tables whose labels follow from their columns."""

import numpy as np
import pandas as pd
import pytest

from multimodal_ensemble import (
    BagOfWordsEncoder,
    DenseEncoder,
    MultimodalClassifier,
    mean_roc_auc,
)

TAGS = np.array(["war", "love", "space", "paris"])


def draw_tags(n_rows, seed, n_labels=4):
    """Return lists of tags, and labels that each say whether a row has one of the tags."""
    has_tag = np.random.default_rng(seed).random((n_rows, 4)) < 0.5
    tags = [TAGS[row].tolist() for row in has_tag]
    return pd.DataFrame({"tags": tags}), has_tag[:, :n_labels].astype(int)


def draw_numbers(n_rows, seed, n_labels=2):
    """Return three columns of numbers, and labels that depend linearly on them."""
    numbers = np.random.default_rng(seed).normal(size=(n_rows, 3))
    y = numbers @ [[1, 0], [1, 1], [0, -2]] > 0
    table = pd.DataFrame(numbers * [1, 20, 0.01] + [0, 1990, 5], columns=["a", "b", "c"])
    return table, y[:, :n_labels].astype(int)


def fit_plain(X, y, seed, **options):
    """Fit a classifier; without `options`, no option affects what it learns."""
    if "tags" in X:
        encoders = [BagOfWordsEncoder("tags")]
    else:
        encoders = [DenseEncoder("numbers", column=["a", "b", "c"])]
    return MultimodalClassifier(encoders, random_state=seed, verbose=0, **options).fit(X, y)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("draw", "n_rows", "n_labels", "seed"),
    [
        (draw_tags, 80, 4, 4),
        (draw_numbers, 60, 1, 6),
    ],
)
def test_the_plain_call_learns_labels_that_follow_from_the_columns(draw, n_rows, n_labels, seed):
    classifier = fit_plain(*draw(n_rows, seed, n_labels), seed)
    X_test, y_test = draw(300, 1000 + seed, n_labels)
    assert mean_roc_auc(y_test, classifier.predict_proba(X_test)) >= 0.95
    # The default thresholds predict each label about as often as it occurs.
    predicted = classifier.predict(X_test)
    np.testing.assert_allclose(predicted.mean(axis=0), y_test.mean(axis=0), atol=0.2)


def test_a_best_score_at_chance_issues_a_warning():
    _, y = draw_tags(60, seed=1)
    # All rows are equal, so all scores are equal and the ROC-AUC is exactly 0.5.
    X = pd.DataFrame({"tags": [["war"]] * 60})
    with pytest.warns(UserWarning, match=r"best mean ROC-AUC .* is 0\.500, no better than chance"):
        fit_plain(X, y, seed=1, epochs=2)


@pytest.mark.parametrize(
    ("n_rows", "batch_size", "expected"),
    [(80, None, 8), (85, None, 8), (320, None, 29), (500, None, 32), (80, 72, 72)],
)
def test_batches_have_32_rows_or_a_tenth_of_fewer_rows(n_rows, batch_size, expected, monkeypatch):
    sizes = []

    class Stop(Exception):  # noqa: N818
        pass

    def stop(model, train, validation, **options):
        sizes.append(train.batch_size)
        raise Stop

    monkeypatch.setattr("multimodal_ensemble.estimators._training.fit_model", stop)
    with pytest.raises(Stop):
        fit_plain(*draw_tags(n_rows, seed=1), seed=1, batch_size=batch_size)
    assert sizes == [expected]


def test_a_label_that_no_training_row_has_is_never_predicted():
    X, y = draw_numbers(80, seed=1)
    absent = y * [1, 0]
    options = {"epochs": 2, "optimizer": "sgd", "random_state": 1, "verbose": 0}
    classifier = MultimodalClassifier([DenseEncoder("numbers", column=["a", "b", "c"])], **options)
    with pytest.warns(UserWarning, match="No training row has the"):
        classifier.fit(X, absent, validation_data=(X.copy(), y))
    assert classifier.thresholds_[1] == np.inf
    assert not classifier.predict(X)[:, 1].any()
