"""The history of a training, recomputed independently; labels that cannot be scored; output."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import UndefinedMetricWarning

from multimodal_ensemble import (
    MultimodalDataset,
    ValidationScoring,
    fit_model,
    fuse_encoders,
    mean_accuracy,
    mean_roc_auc,
    predict_scores,
    tune_thresholds,
)


def cross_entropy(y_true, y_score, weight=None):
    """Return the mean over rows of the weighted mean over labels, as Keras has it."""
    y_score = np.clip(np.asarray(y_score, dtype=float), 1e-7, 1 - 1e-7)
    rows = -(y_true * np.log(y_score) + (1 - y_true) * np.log(1 - y_score)).mean(axis=1)
    return float(np.mean(rows if weight is None else rows * weight))


@pytest.mark.parametrize(("window", "weighted"), [(1, False), (5, True), (11, False), (100, True)])
def test_the_loss_is_the_mean_over_the_rows_of_the_last_batches(problem, spy, window, weighted):
    weight = np.linspace(0, 2, len(problem.y_train)) if weighted else None
    numbers = problem.numbers()
    train, validation = problem.datasets(numbers, sample_weight=weight)
    model = fuse_encoders([numbers], n_labels=3, seed=1)
    losses, sizes = [], []

    def compute(step):
        inputs, y, *weights = train[(step - 1) % len(train)]
        losses.append(cross_entropy(y, model(inputs, training=False), *weights))
        sizes.append(len(y))

    result = fit_model(
        model,
        train,
        validation,
        epochs=3,
        evaluate_every=3,
        loss_window=window,
        callbacks=[spy(before=compute)],
        optimizer="sgd",
        verbose=0,
    )
    assert sizes == [8, 8, 8, 8, 8, 8, 8, 4] * 3
    for step, loss in result.history[["step", "loss"]].itertuples(index=False):
        last = slice(max(0, step - window), step)
        assert loss == pytest.approx(np.average(losses[last], weights=sizes[last]), rel=1e-4)


def test_the_scores_are_those_of_the_validation_rows_with_these_weights(problem, spy):
    numbers, poster = problem.numbers(), problem.poster()
    train, validation = problem.datasets(numbers, poster)
    model = fuse_encoders([numbers, poster], n_labels=3, seed=1, dropout=0.3)
    expected = {}

    def compute(step):
        if step % 3 and step != 16:
            return
        y_score = predict_scores(model, validation)
        thresholds = tune_thresholds(validation.y, y_score)
        expected[step] = (
            mean_roc_auc(validation.y, y_score),
            mean_accuracy(validation.y, y_score, thresholds),
        )

    history = fit_model(
        model,
        train,
        validation,
        epochs=2,
        evaluate_every=3,
        callbacks=[spy(compute)],
        optimizer="sgd",
        verbose=0,
    ).history
    assert list(history) == [
        "step",
        "epoch",
        "seconds",
        "loss",
        "mean_roc_auc",
        "mean_accuracy",
        "best",
    ]
    assert history["step"].tolist() == [3, 6, 9, 12, 15, 16]
    assert history["epoch"].tolist() == [1, 1, 2, 2, 2, 2]
    assert history["seconds"].is_monotonic_increasing
    for row in history.itertuples():
        assert (row.mean_roc_auc, row.mean_accuracy) == expected[row.step]


def test_before_a_training_there_is_no_history(problem):
    _, validation = problem.datasets(problem.numbers())
    scoring = ValidationScoring(validation)
    assert scoring.history.empty
    assert list(scoring.history)[:2] == ["step", "epoch"]
    assert (scoring.best_step, scoring.best_roc_auc) == (None, -np.inf)


def test_it_works_as_a_callback_of_keras_and_restores_when_asked(problem):
    numbers = problem.numbers()
    train, validation = problem.datasets(numbers)
    model = fuse_encoders([numbers], n_labels=3, seed=1)
    model.compile("sgd", "binary_crossentropy")
    scoring = ValidationScoring(validation, evaluate_every=4)
    model.fit(train, epochs=2, shuffle=False, callbacks=[scoring], verbose=0)
    model.set_weights([-weight for weight in model.get_weights()])
    scoring.restore_best()
    assert mean_roc_auc(validation.y, predict_scores(model, validation)) == scoring.best_roc_auc
    assert scoring.best_roc_auc == scoring.history["mean_roc_auc"].max()


def one_class(problem, columns):
    y = problem.y_validation.copy()
    y[:, columns] = 1
    return MultimodalDataset(
        problem.validation, [problem.numbers()], y, labels=["first", "second", "third"]
    )


def test_a_label_of_one_class_is_left_out_with_one_warning(problem):
    validation = one_class(problem, [1])
    train, _ = problem.datasets(problem.numbers())
    model = fuse_encoders(validation.encoders, n_labels=3, seed=1)
    with pytest.warns(UndefinedMetricWarning, match=r"labels \['second'\] are of one") as caught:
        result = fit_model(
            model, train, validation, epochs=1, evaluate_every=2, optimizer="sgd", verbose=0
        )
    assert len(caught) == 1
    assert len(result.history) == 4
    y_score = predict_scores(model, validation)
    assert result.best_roc_auc == mean_roc_auc(validation.y[:, [0, 2]], y_score[:, [0, 2]])


def test_no_label_of_two_classes_is_an_error(problem):
    train, _ = problem.datasets(problem.numbers())
    validation = one_class(problem, [0, 1, 2])
    model = fuse_encoders(validation.encoders, n_labels=3, seed=1)
    with pytest.raises(ValueError, match="No label is both present and absent"):
        fit_model(model, train, validation, optimizer="sgd", verbose=0)


@pytest.mark.parametrize("verbose", [0, 1])
def test_a_line_a_scoring_is_printed_when_asked_for(problem, capsys, verbose):
    numbers = problem.numbers()
    train, validation = problem.datasets(numbers)
    model = fuse_encoders([numbers], n_labels=3, seed=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message="__array__ implementation")
        history = fit_model(
            model, train, validation, epochs=1, evaluate_every=4, optimizer="sgd", verbose=verbose
        ).history
    lines = capsys.readouterr().out.splitlines()
    if verbose == 0:
        assert lines == []
    else:
        assert len(lines) == len(history) == 2
        assert f"mean ROC-AUC {history['mean_roc_auc'][0]:.4f}" in lines[0]
        assert lines[0].endswith("best so far")


def test_images_are_not_kept_in_memory_for_scoring(problem, monkeypatch):
    poster = problem.poster()
    train, validation = problem.datasets(poster)
    model = fuse_encoders([poster], n_labels=3, seed=1)
    largest = []
    encode = poster.encode
    monkeypatch.setattr(poster, "encode", lambda v: largest.append(len(v)) or encode(v))
    model.compile("sgd", "binary_crossentropy")
    scoring = ValidationScoring(validation, evaluate_every=4)
    model.fit(train, epochs=1, shuffle=False, callbacks=[scoring], verbose=0)
    assert max(largest) == validation.batch_size == 20
