"""Labels that are unknown in some rows, and weights of rows for each label."""

import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from multimodal_ensemble import (
    BagOfWordsEncoder,
    DenseEncoder,
    MultimodalClassifier,
    MultimodalDataset,
    MultimodalEnsemble,
    fit_model,
    fuse_encoders,
)
from multimodal_ensemble.encoders import DenseHead
from multimodal_ensemble.training._entry_loss import is_mean_over_labels

N_ROWS = 240


def encoders():
    return [
        BagOfWordsEncoder("tags", head=DenseHead(4)),
        DenseEncoder("number", head=DenseHead(4)),
    ]


@pytest.fixture(scope="module")
def table():
    generator = np.random.default_rng(3)
    hidden = generator.normal(size=N_ROWS)
    return pd.DataFrame(
        {
            "tags": [
                ["up" if value > 0.3 else "down", f"n{row % 5}"] for row, value in enumerate(hidden)
            ],
            "number": hidden + generator.normal(0, 0.5, size=N_ROWS),
        }
    )


@pytest.fixture(scope="module")
def complete(table):
    generator = np.random.default_rng(4)
    noise = generator.normal(0, 0.7, size=(N_ROWS, 3))
    y = (table["number"].to_numpy()[:, np.newaxis] * [1, -1, 1] + noise > 0).astype(float)
    return pd.DataFrame(y, columns=["a", "b", "c"])


@pytest.fixture(scope="module")
def y(complete):
    """Label b is only known in rows with low numbers, and c in half of the rows."""
    y = complete.copy()
    y.loc[150:, "b"] = np.nan
    y.loc[::2, "c"] = np.nan
    return y


@pytest.fixture(scope="module")
def ensemble(table, y):
    return MultimodalEnsemble(encoders(), weights="equal", random_state=0, verbose=0).fit(table, y)


def test_each_label_of_an_ensemble_is_learned_from_the_rows_where_it_is_known(table, y, ensemble):
    """The encoders and the scale of features come from all rows, so scores differ a little."""
    for label in y:
        known = y[label].notna().to_numpy()
        alone = MultimodalEnsemble(encoders(), weights="equal", random_state=0, verbose=0)
        alone.fit(table[known], y.loc[known, [label]])
        column = ensemble.classes_.tolist().index(label)
        expected = alone.decision_function(table)[:, 0]
        found = ensemble.decision_function(table)[:, column]
        assert np.corrcoef(expected, found)[0, 1] > 0.99
        # The mean of the rows where the label is known is its own.
        assert abs((expected - found).mean()) < 0.35


def test_unknown_is_not_absent(table, complete, y, ensemble):
    as_absent = MultimodalEnsemble(encoders(), random_state=0, verbose=0)
    as_absent.fit(table, y.fillna(0))
    shares = ensemble.provenance_["label_shares"]
    assert shares == pytest.approx(y.mean().tolist())
    assert as_absent.provenance_["label_shares"][1] < shares[1] - 0.1
    hidden = y["b"].isna()
    b = ensemble.classes_.tolist().index("b")
    truth = complete.loc[hidden, "b"].mean()
    assert abs(ensemble.predict_proba(table[hidden])[:, b].mean() - truth) < 0.1
    assert as_absent.predict_proba(table[hidden])[:, b].mean() < truth - 0.1


def test_evaluation_leaves_unknown_labels_out(table, complete, y, ensemble):
    evaluation = ensemble.evaluate(table, y)
    expected = ensemble.evaluate(table, complete)
    assert evaluation.n_samples == N_ROWS
    pd.testing.assert_series_equal(evaluation.report.loc["a"], expected.report.loc["a"])
    known = y["b"].notna()
    of_known = ensemble.evaluate(table[known], complete[known])
    pd.testing.assert_series_equal(evaluation.report.loc["b"], of_known.report.loc["b"])
    y_pred, y_score = ensemble.predict(table), ensemble.predict_proba(table)
    is_right = (y_pred == complete) | y.isna()
    assert evaluation.subset_accuracy == ensemble.score(table, y) == is_right.all(axis=1).mean()
    correct = (y_pred == complete).to_numpy()[y.notna()]
    assert evaluation.mean_accuracy == pytest.approx(correct.mean())
    losses, covered = [], []
    for row, scores in zip(y.to_numpy(), y_score, strict=True):
        true, false = scores[row == 1], scores[row == 0]
        wrong = sum(p <= n for p in true for n in false)
        losses.append(wrong / max(1, len(true) * len(false)))
        covered.append((scores[row == row] >= true.min()).sum() if len(true) else 0)
    assert evaluation.ranking_loss == pytest.approx(np.mean(losses))
    assert evaluation.coverage_error == pytest.approx(np.mean(covered))


def test_score_leaves_rows_without_a_known_label_out(table, complete, ensemble):
    y = complete.astype(float).copy()
    y[:200] = np.nan
    rest, of_rest = table[200:], complete[200:]
    assert ensemble.score(table, y) == ensemble.score(rest, of_rest)
    weight = np.arange(1.0, N_ROWS + 1)
    expected = ensemble.score(rest, of_rest, sample_weight=weight[200:])
    assert ensemble.score(table, y, sample_weight=weight) == pytest.approx(expected)
    assert expected < 1


def test_weights_for_each_label_without_unknown_ones(table, complete):
    """Equal weights of all labels are weights of rows."""
    of_rows = np.random.default_rng(0).integers(1, 4, size=N_ROWS).astype(float)
    of_labels = np.repeat(of_rows[:, np.newaxis], 3, axis=1)
    scores = [
        MultimodalEnsemble(encoders(), random_state=0, verbose=0)
        .fit(table, complete, sample_weight=weight)
        .predict_proba(table)
        for weight in (of_rows, of_labels)
    ]
    np.testing.assert_allclose(*scores, atol=1e-4)


def test_members_that_are_estimators_are_refused(table, y):
    member = ("forest", LogisticRegression(), ["number"])
    ensemble = MultimodalEnsemble(encoders(), members=[member], verbose=0)
    with pytest.raises(ValueError, match=r"members \['forest'\] cannot leave out unknown labels"):
        ensemble.fit(table, y)


@pytest.mark.slow
def test_a_network_learns_nothing_from_unknown_labels(table, complete, y):
    """Whatever stands in place of an unknown label, the result is the same."""
    options = {
        "epochs": 2,
        "optimizer": keras.optimizers.SGD(0.5),
        "random_state": 0,
        "verbose": 0,
        "loss": "binary_crossentropy",
    }
    held_out = {"validation_data": (table.copy(), y)}
    network = MultimodalClassifier(encoders()[1:], **options).fit(table, y, **held_out)
    weight = y.notna().to_numpy(dtype=float)
    for values in (y.fillna(0), y.fillna(1)):
        other = MultimodalClassifier(encoders()[1:], **options)
        other.fit(table, values, sample_weight=weight, **held_out)
        np.testing.assert_allclose(
            other.predict_proba(table), network.predict_proba(table), atol=1e-5
        )
        np.testing.assert_allclose(other.thresholds_, network.thresholds_, atol=1e-5)
    assert network.model_.loss == "binary_crossentropy"
    assert network.provenance_["label_shares"] != [0.5] * 3


@pytest.mark.slow
@pytest.mark.parametrize("label_weight", [None, "balanced"])
def test_losses_of_labels_are_their_weighted_mean(table, complete, y, label_weight):
    """With all labels known, weights of labels leave the training as it is."""
    prepared = [DenseEncoder("number", head=DenseHead(4)).fit(table["number"])]
    options = {"epochs": 2, "optimizer": "sgd", "evaluate_every": 8, "verbose": 0}
    results = []
    for weight in (None, np.ones(N_ROWS), np.ones((N_ROWS, 3))):
        rows = MultimodalDataset(table, prepared, complete, sample_weight=weight, shuffle=True)
        model = fuse_encoders(prepared, n_labels=3, seed=1)
        result = fit_model(model, rows, rows, label_weight=label_weight, **options)
        results.append(result.history[["loss", "validation_loss"]].to_numpy())
    np.testing.assert_allclose(results[1], results[0], rtol=1e-5)
    np.testing.assert_allclose(results[2], results[0], rtol=1e-5)


def test_a_data_set_gives_unknown_labels_no_weight(table, y):
    encoder = DenseEncoder("number").fit(table["number"])
    weight = np.arange(N_ROWS) + 1.0
    dataset = MultimodalDataset(table, [encoder], y, sample_weight=weight, batch_size=4)
    _, labels, weights = dataset[0]
    np.testing.assert_array_equal(labels, y[:4].fillna(0))
    np.testing.assert_array_equal(weights, y[:4].notna().mul([1, 2, 3, 4], axis=0))
    np.testing.assert_array_equal(dataset.truth, y.to_numpy(dtype=np.float32))


def test_bad_input(table, y):
    with pytest.raises(ValueError, match="y has no known label: all of its entries are missing"):
        MultimodalEnsemble(encoders(), verbose=0).fit(table, y * np.nan)
    with pytest.raises(ValueError, match=r"sample_weight must have shape \(240,\) or \(240, 3\)"):
        MultimodalEnsemble(encoders(), verbose=0).fit(table, y, sample_weight=np.ones((240, 2)))


def test_categorical_cross_entropy_is_refused(table):
    y = np.eye(2)[np.arange(N_ROWS) % 2]
    classifier = MultimodalClassifier(encoders(), loss="categorical_crossentropy", verbose=0)
    with pytest.raises(ValueError, match="cannot leave out unknown labels"):
        classifier.fit(table, y, sample_weight=np.ones((N_ROWS, 2)))


def sum_of_squares(y_true, y_pred):
    return keras.ops.sum((y_true - y_pred) ** 2, axis=-1)


def mean_of_squares(y_true, y_pred):
    return keras.ops.mean((y_true - y_pred) ** 2, axis=-1)


@pytest.mark.parametrize("loss", [sum_of_squares, keras.losses.CosineSimilarity()])
def test_a_loss_that_is_no_mean_over_labels_is_refused(loss, table, y):
    classifier = MultimodalClassifier(encoders(), loss=loss, verbose=0)
    with pytest.raises(ValueError, match="is no mean over the labels of a row, so it cannot leave"):
        classifier.fit(table, y)


@pytest.mark.parametrize(
    "loss",
    [
        "mse",
        "huber",
        "binary_focal_crossentropy",
        mean_of_squares,
        keras.losses.BinaryCrossentropy(),
    ],
)
def test_losses_that_are_means_over_labels(loss):
    assert is_mean_over_labels(loss)


def test_rows_held_out_need_a_label_that_is_known_to_be_present_and_absent(table):
    # Where a label is not known, it is not absent.
    y = np.where(np.random.default_rng(0).random((N_ROWS, 3)) < 0.5, 1.0, np.nan)
    classifier = MultimodalClassifier(encoders(), validation_fraction=0.2, verbose=0)
    with pytest.raises(ValueError, match="no label is both present and absent"):
        classifier.fit(table, y)
