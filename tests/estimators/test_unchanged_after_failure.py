"""A training that fails, is refused or is interrupted early leaves the classifier as it was."""

import copy

import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from multimodal_ensemble import BagOfWordsEncoder, DenseEncoder, MultimodalClassifier
from multimodal_ensemble.encoders import DenseHead
from multimodal_ensemble.estimators import _training
from tests.toys import draw_labels, draw_table, make_poster

TABLE = draw_table()
LABELS = draw_labels()


def make_encoders():
    return [
        # Its last layer is trained, so that trainings change weights of the backbone as well.
        make_poster(trainable_layers=1, head=DenseHead(3, activation="tanh"), optional=True),
        DenseEncoder("year", head=DenseHead(2)),
    ]


@pytest.fixture(scope="module")
def original():
    """Return a classifier that was fitted once; the tests use copies with the same model."""
    classifier = MultimodalClassifier(
        make_encoders(), epochs=1, batch_size=11, optimizer="sgd", random_state=1, verbose=0
    )
    return classifier.fit(TABLE, LABELS)


@pytest.fixture
def state(original):
    """Return a function that describes everything a fitted classifier knows."""

    def describe(classifier):
        fitted = {name: value for name, value in vars(classifier).items() if name.endswith("_")}
        weights = [np.array(weight) for weight in classifier.model_.get_weights()]
        return fitted, weights, classifier.predict_proba(TABLE)

    return describe


class FailAt(keras.callbacks.Callback):
    """Raises an error at the end of an epoch, or before the first batch."""

    def __init__(self, error, epoch=None):
        super().__init__()
        self.error = error
        self.epoch = epoch

    def on_train_begin(self, logs=None):
        if self.epoch is None:
            raise self.error

    def on_epoch_end(self, epoch, logs=None):
        if epoch == self.epoch:
            raise self.error


class FailInBatch(FailAt):
    """Raises an error after the first batch, which has changed weights already."""

    def on_train_begin(self, logs=None):
        pass

    def on_train_batch_end(self, batch, logs=None):
        raise self.error


def fit(classifier, X=TABLE, y=LABELS, **options):
    classifier.fit(X, y, **options)


def refit(classifier, X=TABLE, y=LABELS, **options):
    classifier.refit_heads(X, y, ["year"], **options)


def continue_fit(classifier, X=TABLE, y=LABELS, **options):
    classifier.set_params(warm_start=True).fit(X, y, **options)


# Name to parameters, arguments of fit, and the error.
FAILURES = {
    "bad optimizer": ({"optimizer": "adamm"}, {}, ValueError),
    "bad loss": ({"loss": "no such loss"}, {}, ValueError),
    "bad y": ({}, {"y": LABELS * 0.5}, ValueError),
    "bad column": ({}, {"X": TABLE.drop(columns="year")}, ValueError),
    "bad value": ({}, {"X": TABLE.assign(year="new")}, ValueError),
    "other columns": ({}, {"X": TABLE[["poster"]].assign(other=1)}, ValueError),
    "bad threshold": ({"threshold": [0.1, 0.2]}, {}, ValueError),
    "bad label weight": ({"label_weight": [1, 2]}, {}, ValueError),
    "failing callback": ({}, {"callbacks": [FailAt(RuntimeError("stop"), epoch=0)]}, RuntimeError),
    "interrupt before the first batch": (
        {},
        {"callbacks": [FailAt(KeyboardInterrupt())]},
        KeyboardInterrupt,
    ),
    "interrupt before the first evaluation": (
        {"batch_size": 8, "evaluate_every": 2},
        {"callbacks": [FailInBatch(KeyboardInterrupt())]},
        KeyboardInterrupt,
    ),
}


@pytest.mark.parametrize("train", [fit, refit, continue_fit])
@pytest.mark.parametrize("name", FAILURES)
def test_a_failed_training_changes_nothing(name, train, original, state):
    params, arguments, error = FAILURES[name]
    fitted, weights, scores = state(original)
    before = original.get_params(deep=False)
    try:
        original.set_params(**params)
        with pytest.raises(error):
            train(original, **arguments)
    finally:
        original.set_params(**before)
    fitted_now, weights_now, scores_now = state(original)
    assert fitted_now.keys() == fitted.keys()
    assert all(fitted_now[attribute] is value for attribute, value in fitted.items())
    for value, now in zip(weights, weights_now, strict=True):
        np.testing.assert_array_equal(now, value)
    np.testing.assert_array_equal(scores_now, scores)


@pytest.mark.slow
@pytest.mark.parametrize("train", [fit, refit, continue_fit])
def test_an_error_after_the_training_changes_nothing(train, original, state, monkeypatch):
    _, weights, scores = state(original)

    def fail(*args):
        raise MemoryError

    monkeypatch.setattr(_training, "learn_thresholds", fail)
    before = original.get_params(deep=False)
    with pytest.raises(MemoryError):
        train(original)
    original.set_params(**before)
    for value, now in zip(weights, original.model_.get_weights(), strict=True):
        np.testing.assert_array_equal(now, value)
    np.testing.assert_array_equal(original.predict_proba(TABLE), scores)


def make_small(**options):
    encoders = [BagOfWordsEncoder("tags", head=DenseHead(2), optional=True)]
    encoders.append(DenseEncoder("year", head=DenseHead(2)))
    options = {
        "optimizer": "sgd",
        "evaluate_every": 1,
        "batch_size": 32,
        "patience": None,
        "random_state": 1,
        "verbose": 0,
        **options,
    }
    return MultimodalClassifier(encoders, **options)


@pytest.fixture(scope="module")
def small():
    return make_small(epochs=1).fit(TABLE, LABELS)


@pytest.mark.slow
@pytest.mark.parametrize("train", [fit, refit, continue_fit])
def test_an_interrupt_after_an_evaluation_adopts_the_best_weights(train, small):
    classifier, uninterrupted = copy.deepcopy(small), copy.deepcopy(small)
    classifier.set_params(epochs=50)
    with pytest.raises(KeyboardInterrupt):
        train(classifier, callbacks=[FailAt(KeyboardInterrupt(), epoch=2)])
    train(uninterrupted.set_params(epochs=3))
    np.testing.assert_array_equal(
        classifier.predict_proba(TABLE), uninterrupted.predict_proba(TABLE)
    )
    np.testing.assert_array_equal(classifier.thresholds_, uninterrupted.thresholds_)
    assert len(classifier.history_) == 3
    # All heads can be trained again, also those that refit_heads left as they were.
    assert len(classifier.model_.trainable_weights) == 8


def test_an_unfitted_classifier_stays_unfitted():
    classifier = make_small(optimizer="adamm")
    before = dict(vars(classifier))
    with pytest.raises(ValueError, match="adamm"):
        classifier.fit(TABLE, LABELS)
    assert vars(classifier) == before
    with pytest.raises(NotFittedError):
        classifier.predict(TABLE)


def test_names_of_columns_are_forgotten_with_the_table_that_had_them():
    y = LABELS.to_numpy()
    classifier = MultimodalClassifier(
        [DenseEncoder("features", head=DenseHead(2))],
        epochs=1,
        optimizer="sgd",
        random_state=1,
        verbose=0,
    )
    X = TABLE[["year", "minutes"]]
    classifier.fit(pd.DataFrame({"features": list(X.to_numpy())}), y)
    assert classifier.feature_names_in_.tolist() == ["features"]
    classifier.fit(X.to_numpy(), y)
    assert classifier.n_features_in_ == 2
    assert not hasattr(classifier, "feature_names_in_")
