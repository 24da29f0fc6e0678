"""The monitored metric chooses the best weights; callbacks find validation values in their logs."""

import csv

import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, log_loss

from multimodal_ensemble import mean_roc_auc, predict_scores
from multimodal_ensemble.training import ValidationEvaluation, _predict_scores, check_monitor
from tests.training.conftest import Problem, Spy


def highest_f1(y_true, y_score):
    """Return the mean over labels of the highest F1 of any threshold, by trying all of them."""
    # Of shape (n_thresholds, n_rows, n_labels).
    predicted = y_score >= y_score[:, np.newaxis]
    hits = (predicted & (y_true == 1)).sum(axis=1)
    return (2 * hits / (predicted.sum(axis=1) + y_true.sum(axis=0))).max(axis=0).mean()


def mean_loss(y_true, y_score):
    return np.mean([log_loss(t, s.astype(float)) for t, s in zip(y_true.T, y_score.T, strict=True)])


def negated_error(y_true, y_score):
    return -np.abs(y_true - y_score).mean()


MONITORS = {
    "mean_roc_auc": ("mean_roc_auc", mean_roc_auc, 1),
    "loss": ("validation_loss", mean_loss, -1),
    "mean_average_precision": ("mean_average_precision", average_precision_score, 1),
    "f1": ("f1", highest_f1, 1),
    negated_error: ("monitor", negated_error, 1),
}


@pytest.fixture(scope="module")
def monitored():
    """Return a training, the scores at its evaluations, and one evaluation by monitor."""
    problem, scores = Problem(), []
    training = problem.prepare(problem.numbers())

    def compute(step):
        if step % 4 == 0:
            scores.append(predict_scores(training.model, training.validation))

    evaluations = {
        monitor: ValidationEvaluation(training.validation, evaluate_every=4, monitor=monitor)
        for monitor in MONITORS
    }
    # A high learning rate, so that the values go up and down.
    training.fit(
        epochs=3,
        evaluate_every=4,
        patience=None,
        optimizer=keras.optimizers.Adam(0.5),
        callbacks=[Spy(compute), *evaluations.values()],
    )
    return training, scores, evaluations


@pytest.mark.parametrize("monitor", MONITORS)
def test_the_best_evaluation_is_the_one_with_the_best_monitored_value(monitored, monitor):
    training, scores, evaluations = monitored
    column, oracle, sign = MONITORS[monitor]
    evaluation = evaluations[monitor]
    expected = [oracle(training.validation.y, y_score) for y_score in scores]
    history = evaluation.history
    assert history[column].tolist() == pytest.approx(expected, rel=1e-5)
    keys = list(zip(sign * history[column], -history["validation_loss"], strict=True))
    assert history["best"].tolist() == [
        key > max(keys[:row], default=(-np.inf, 0)) for row, key in enumerate(keys)
    ]
    evaluation.restore_best()
    y_score = predict_scores(training.model, training.validation)
    assert oracle(training.validation.y, y_score) == pytest.approx(
        sign * (sign * history[column]).max(), rel=1e-5
    )


def test_a_training_keeps_the_weights_that_the_monitor_chooses(training):
    values = iter([1.0, 3.0, 2.0])
    copies = []

    def decide(y_true, y_score):
        copies.append(training.model.get_weights())
        return next(values)

    result = training.fit(epochs=1, evaluate_every=3, monitor=decide)
    assert result.history["monitor"].tolist() == [1.0, 3.0, 2.0]
    assert result.best_step == 6
    for weight, expected in zip(training.model.get_weights(), copies[1], strict=True):
        np.testing.assert_array_equal(weight, expected)


@pytest.mark.slow
def test_another_monitor_stops_at_another_evaluation(problem):
    values = iter([1.0, np.nan, 3.0, 2.0, np.nan, 1.0, 5.0])
    training = problem.prepare(problem.numbers())
    # The model has learned something from the first evaluation on.
    options = {"epochs": 9, "evaluate_every": 8, "optimizer": keras.optimizers.Adam(0.1)}
    result = training.fit(monitor=lambda y_true, y_score: next(values), patience=3, **options)
    assert result.history["best"].tolist() == [True, False, True, False, False, False]
    assert result.best_step == 24


@pytest.mark.parametrize(
    ("monitor", "match"),
    [
        ("auc", "monitor must be one of 'mean_roc_auc', .* 'loss'. Received monitor='auc'"),
        (None, "monitor must be one of"),
        (lambda y_true: 1.0, r"is called as monitor\(y_true, y_score\) and must return a number"),
        (lambda estimator, X, y: 1.0, r"is called as monitor\(y_true, y_score\)"),
    ],
)
def test_a_monitor_that_cannot_be_used_is_refused(monitor, match):
    with pytest.raises(ValueError, match=match):
        check_monitor(monitor)


@pytest.mark.parametrize("value", [None, "high", np.ones(3), True, 1j])
def test_a_monitor_must_return_one_number(training, value):
    evaluation = ValidationEvaluation(training.validation, monitor=lambda y_true, y_score: value)
    training.model.compile("sgd", "binary_crossentropy")
    evaluation.set_model(training.model)
    evaluation.on_train_begin()
    with pytest.raises(TypeError, match="must return one number, greater for better scores"):
        evaluation.on_train_end()


# -- logs of callbacks -------------------------------------------------------------------------


@pytest.mark.slow
def test_callbacks_see_the_validation_values_of_each_epoch(training, problem, tmp_path):
    expected, seen = [], []

    def compute(epoch, logs):
        y_true, y_score = training.validation.y, predict_scores(training.model, training.validation)
        expected.append(
            {
                "val_loss": mean_loss(y_true, y_score),
                "val_mean_roc_auc": mean_roc_auc(y_true, y_score),
                "val_f1": highest_f1(y_true, y_score),
            }
        )
        seen.append(dict(logs))

    callbacks = [
        keras.callbacks.LambdaCallback(on_epoch_end=compute),
        keras.callbacks.CSVLogger(tmp_path / "log.csv"),
        keras.callbacks.ReduceLROnPlateau("val_loss", patience=1, min_delta=10),
    ]
    # Evaluations in the middle of epochs, which have other values.
    options = {"epochs": 3, "evaluate_every": 5, "monitor": "f1", "patience": None}
    optimizer = keras.optimizers.Adam()
    history = training.fit(callbacks=callbacks, optimizer=optimizer, **options).history
    assert float(optimizer.learning_rate) == pytest.approx(1e-5)
    for logs, values in zip(seen, expected, strict=True):
        assert set(logs) == {"loss", "val_mean_accuracy", *values}
        assert {name: logs[name] for name in values} == pytest.approx(values, rel=1e-5)
    with (tmp_path / "log.csv").open() as file:
        assert [float(row["val_loss"]) for row in csv.DictReader(file)] == pytest.approx(
            [logs["val_loss"] for logs in seen]
        )
    # Callbacks that only look on change nothing.
    silent = problem.prepare(problem.numbers())
    silent = silent.fit(optimizer="adam", **{**options, "epochs": 1}).history
    same = silent["step"] % 5 == 0
    pd.testing.assert_frame_equal(
        history[: same.sum()].drop(columns="seconds"), silent[same].drop(columns="seconds")
    )


def test_early_stopping_of_keras_works(training):
    # Without an improvement of 10, the second epoch is the last one.
    stop = keras.callbacks.EarlyStopping("val_loss", patience=1, min_delta=10)
    history = training.fit(epochs=5, evaluate_every=100, callbacks=[stop]).history
    assert history["epoch"].tolist() == [2]


def test_no_epoch_is_evaluated_for_callbacks_that_ignore_it(training, spy, monkeypatch):
    calls = []
    original = _predict_scores.score_inputs
    monkeypatch.setattr(
        _predict_scores,
        "score_inputs",
        lambda *args: calls.append(1) or original(*args),
    )
    training.fit(epochs=2, evaluate_every=100, callbacks=[spy(lambda step: None)])
    assert len(calls) == 1
    training.fit(epochs=2, evaluate_every=100, callbacks=[keras.callbacks.History()])
    assert len(calls) == 1 + 2 + 1
