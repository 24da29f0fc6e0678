"""The history of a training equals an independent computation; undefined labels; output."""

import tracemalloc
import warnings

import numpy as np
import pytest
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.preprocessing import StandardScaler

from multimodal_ensemble import (
    BagOfWordsEncoder,
    MultimodalDataset,
    fuse_encoders,
    mean_accuracy,
    mean_roc_auc,
    predict_scores,
    tune_thresholds,
)
from multimodal_ensemble.encoders import DenseHead
from multimodal_ensemble.generators import _row_sources
from multimodal_ensemble.training import ValidationEvaluation, _adapt_to_rows, _predict_scores
from multimodal_ensemble.training._adapt_to_rows import adapt_to_rows
from multimodal_ensemble.training._validation_evaluation import should_stop
from tests.training.conftest import LABELS, Problem


def cross_entropy(y_true, y_score, weight=None):
    """Return the mean over rows of the weighted mean over labels, as Keras computes it."""
    y_score = np.clip(np.asarray(y_score, dtype=float), 1e-7, 1 - 1e-7)
    rows = -(y_true * np.log(y_score) + (1 - y_true) * np.log(1 - y_score)).mean(axis=1)
    return float(np.mean(rows if weight is None else rows * weight))


@pytest.mark.parametrize("weighted", [False, True])
def test_the_loss_is_the_mean_over_the_rows_of_the_last_batches(spy, weighted):
    problem = Problem(60)
    weight = np.linspace(0, 2, len(problem.y_train)) if weighted else None
    training = problem.prepare(problem.numbers(), sample_weight=weight)
    losses, sizes = [], []

    def compute(step):
        inputs, y, *weights = training.train[(step - 1) % len(training.train)]
        losses.append(cross_entropy(y, training.model(inputs, training=False), *weights))
        sizes.append(len(y))

    others = {
        window: ValidationEvaluation(training.validation, evaluate_every=3, loss_window=window)
        for window in (1, 11, 100)
    }
    callbacks = [spy(before=compute), *others.values()]
    result = training.fit(epochs=3, evaluate_every=3, loss_window=5, callbacks=callbacks)
    assert sizes == [8, 8, 8, 8, 8, 8, 8, 4] * 3
    for window, evaluated in {5: result, **others}.items():
        for step, loss in evaluated.history[["step", "loss"]].itertuples(index=False):
            last = slice(max(0, step - window), step)
            assert loss == pytest.approx(np.average(losses[last], weights=sizes[last]), rel=1e-4)


@pytest.mark.slow
def test_the_metrics_are_those_of_the_validation_rows_at_that_step(problem, spy):
    training = problem.prepare(problem.numbers(), problem.poster(), fusion={"dropout": 0.3})
    y_true, expected, losses = training.validation.y, {}, []

    def compute(step):
        if step % 3 and step != 16:
            return
        y_score = predict_scores(training.model, training.validation)
        accuracy = mean_accuracy(y_true, y_score, tune_thresholds(y_true, y_score))
        expected[step] = mean_roc_auc(y_true, y_score), accuracy
        losses.append(cross_entropy(y_true, y_score))

    history = training.fit(epochs=2, evaluate_every=3, callbacks=[spy(compute)]).history
    columns = ["step", "epoch", "seconds", "loss", "validation_loss", "mean_roc_auc"]
    columns += ["mean_accuracy", "best"]
    assert list(history) == columns
    assert history["step"].tolist() == [3, 6, 9, 12, 15, 16]
    assert history["epoch"].tolist() == [1, 1, 2, 2, 2, 2]
    assert history["seconds"].is_monotonic_increasing
    for row in history.itertuples():
        assert (row.mean_roc_auc, row.mean_accuracy) == expected[row.step]
    assert history["validation_loss"].tolist() == pytest.approx(losses, rel=1e-4)


@pytest.mark.parametrize(
    ("best", "patience", "expected"),
    [
        ([True], 1, False),
        ([True, False], 1, True),
        ([True, False, False], 3, False),
        ([True, False, False, False], 3, True),
        ([True, False, False, True], 2, False),
        ([True, False, True, False, False], 2, True),
        ([True] + [False] * 100, None, False),
        ([], 1, False),
    ],
)
def test_training_stops_after_patience_evaluations_without_a_better_one(best, patience, expected):
    history = [{"best": each, "validation_loss": 0.5} for each in best]
    assert should_stop(history, patience, constant_loss=0.6) is expected


@pytest.mark.parametrize(
    ("losses", "patience", "expected"),
    [
        # Nothing was learned yet, however long it takes.
        ([0.9, 0.8, 0.7, 0.6, 0.6, 0.6], 1, False),
        # Patience starts at the first loss below 0.6, and a later rise does not end it.
        ([0.9, 0.59], 1, False),
        ([0.9, 0.59, 0.8], 1, True),
        ([0.9, 0.59, 0.8], 2, False),
        ([0.9, 0.59, 0.8, 0.9], 2, True),
    ],
)
def test_patience_starts_once_the_model_beats_constant_scores(losses, patience, expected):
    best = [True, *[False] * (len(losses) - 1)]
    pairs = zip(best, losses, strict=True)
    history = [{"best": each, "validation_loss": loss} for each, loss in pairs]
    assert should_stop(history, patience, constant_loss=0.6) is expected


def test_constant_scores_are_the_frequencies_of_the_labels(training):
    y_true = training.validation.y
    frequency = np.broadcast_to(y_true.mean(axis=0), y_true.shape)
    evaluation = ValidationEvaluation(training.validation)
    training.model.compile("sgd", "binary_crossentropy")
    evaluation.set_model(training.model)
    assert evaluation._constant_loss() == pytest.approx(cross_entropy(y_true, frequency), rel=1e-5)


def test_the_history_is_empty_before_a_training(training):
    evaluation = ValidationEvaluation(training.validation)
    assert evaluation.history.empty
    assert list(evaluation.history)[:2] == ["step", "epoch"]
    assert (evaluation.best_step, evaluation.best_roc_auc) == (None, -np.inf)


def test_it_works_as_a_plain_keras_callback_and_restores_on_request(training):
    training.model.compile("sgd", "binary_crossentropy")
    evaluation = ValidationEvaluation(training.validation, evaluate_every=4)
    training.model.fit(training.train, epochs=2, shuffle=False, callbacks=[evaluation], verbose=0)
    training.model.set_weights([-weight for weight in training.model.get_weights()])
    evaluation.restore_best()
    assert training.score() == evaluation.best_roc_auc
    assert evaluation.best_roc_auc == evaluation.history["mean_roc_auc"].max()


def set_to_one_class(training, problem, columns):
    y = problem.y_validation.copy()
    y[:, columns] = 1
    encoders = training.train.encoders
    training.validation = MultimodalDataset(problem.validation, encoders, y, labels=LABELS)


def test_a_label_of_one_class_is_left_out_with_one_warning(problem, training):
    set_to_one_class(training, problem, [1])
    options = {"epochs": 3, "optimizer": "adam", "evaluate_every": 6}
    with pytest.warns(UndefinedMetricWarning, match=r"labels \['second'\] have only one") as caught:
        result = training.fit(**options)
    files = [each.filename for each in caught if each.category is UndefinedMetricWarning]
    assert files == [training.fit.__code__.co_filename]
    assert len(result.history) == 4
    y_score = predict_scores(training.model, training.validation)
    y_true = training.validation.y
    assert result.best_roc_auc == mean_roc_auc(y_true[:, [0, 2]], y_score[:, [0, 2]])


def test_validation_rows_without_a_label_of_two_classes_are_refused(problem, training):
    set_to_one_class(training, problem, [0, 1, 2])
    with pytest.raises(ValueError, match="No label is both present and absent"):
        training.fit()


@pytest.mark.parametrize("verbose", [0, 1])
def test_one_line_per_evaluation_is_printed_if_verbose(training, capsys, verbose):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message="__array__ implementation")
        warnings.filterwarnings("ignore", message="The best mean ROC-AUC")
        history = training.fit(epochs=1, evaluate_every=4, verbose=verbose).history
    lines = capsys.readouterr().out.splitlines()
    if verbose == 0:
        assert lines == []
    else:
        assert len(lines) == len(history) == 2
        assert f"mean ROC-AUC {history['mean_roc_auc'][0]:.4f}" in lines[0]
        assert lines[0].endswith("best so far")


def test_images_are_not_kept_in_memory_for_evaluations(problem, monkeypatch):
    poster = problem.poster()
    training = problem.prepare(poster)
    n_rows = []
    encode = poster.encode
    monkeypatch.setattr(poster, "encode", lambda v: n_rows.append(len(v)) or encode(v))
    training.model.compile("sgd", "binary_crossentropy")
    evaluation = ValidationEvaluation(training.validation)
    evaluation.set_model(training.model)
    evaluation.on_train_begin()
    for epoch in range(2):
        n_rows.clear()
        evaluation.on_epoch_end(epoch, logs := {})
        assert n_rows == [20, 20]
        assert 0 < logs["val_mean_roc_auc"] < 1


@pytest.fixture(scope="module")
def history_of_plain_training():
    problem = Problem()
    return problem.prepare(problem.numbers()).fit(epochs=1, evaluate_every=4).history


@pytest.mark.parametrize("n_kept", [0, 40])
def test_evaluations_are_the_same_whether_or_not_inputs_are_kept(
    problem, monkeypatch, history_of_plain_training, n_kept
):
    expected = history_of_plain_training
    # Four float32 numbers per row.
    monkeypatch.setattr(_predict_scores, "_KEPT_BYTES", 16 * n_kept)
    monkeypatch.setattr(_predict_scores, "_BYTES_PER_CALL", 16 * 7)
    training = problem.prepare(problem.numbers())
    rows = []
    encode = training.validation.encode_rows
    monkeypatch.setattr(
        training.validation, "encode_rows", lambda r, *a: rows.append(len(r)) or encode(r, *a)
    )
    history = training.fit(epochs=1, evaluate_every=4).history
    for column in ("loss", "validation_loss", "mean_roc_auc", "mean_accuracy"):
        np.testing.assert_allclose(history[column], expected[column], rtol=1e-6)
    # The limit of bytes is below the 20 rows of a batch, which are the least.
    n_times = 1 if n_kept else len(history)
    assert [n for n in rows if n > 1] == [20, 20] * n_times


@pytest.mark.slow
def test_many_tokens_are_never_dense_in_all_rows(monkeypatch):
    monkeypatch.setattr(_row_sources, "_KEPT_BYTES", 0)
    monkeypatch.setattr(_predict_scores, "_KEPT_BYTES", 0)
    monkeypatch.setattr(_predict_scores, "_BYTES_PER_CALL", 2**18)
    monkeypatch.setattr(_adapt_to_rows, "_NUMBERS_PER_CHUNK", 2**16)
    n_rows, n_tokens = 2000, 2000
    rows = [[f"t{row}", f"t{(row * 7) % n_tokens}"] for row in range(n_rows)]
    y = np.arange(n_rows)[:, np.newaxis] % 2
    head = DenseHead(2, scaling="standard")
    tags = BagOfWordsEncoder("tags", max_tokens=n_tokens, head=head).fit(rows)
    train = MultimodalDataset({"tags": rows}, [tags], y, shuffle=True, batch_size=50)
    model = fuse_encoders([tags], 1, seed=1)
    tracemalloc.start()
    adapt_to_rows(model, train)
    evaluation = ValidationEvaluation(train)
    evaluation.set_model(model)
    model.compile("sgd", "binary_crossentropy")
    evaluation.on_train_begin()
    assert predict_scores(model, train).shape == (n_rows, 1)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # All rows are 16 MB as float32.
    assert peak < 8e6
    scaler = StandardScaler().fit(tags.encode(rows).astype("float64"))
    scaling = model.get_layer("tags_head").get_layer("scaling")
    np.testing.assert_allclose(scaling.mean.numpy(), scaler.mean_, rtol=1e-5)
    np.testing.assert_allclose(scaling.scale.numpy(), scaler.scale_, rtol=1e-5)
