"""The fields of an evaluation, compared with scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    brier_score_loss,
    coverage_error,
    f1_score,
    label_ranking_loss,
    roc_auc_score,
)

from multimodal_ensemble.estimators import evaluate_scores


@pytest.fixture(scope="module")
def scored():
    rng = np.random.default_rng(0)
    y_true = rng.random((90, 4)) < [0.1, 0.3, 0.5, 0.8]
    return y_true, np.round((rng.random(y_true.shape) + 0.4 * y_true) / 1.4, 2).astype(np.float32)


def evaluate(y_true, y_score, limit=0.5):
    n_labels = y_true.shape[1]
    limits = np.full(n_labels, limit)
    shares = [0.3] * n_labels
    return evaluate_scores(
        y_true, y_score, limits, labels=list("abcd"[:n_labels]), label_shares=shares
    )


def test_each_field_equals_the_metric_of_scikit_learn(scored):
    y_true, y_score = scored
    y_pred = y_score >= 0.5
    expected = {
        "n_samples": 90,
        "mean_roc_auc": roc_auc_score(y_true, y_score),
        "mean_average_precision": average_precision_score(y_true, y_score),
        "mean_accuracy": (y_true == y_pred).mean(),
        "trivial_accuracy": (~y_true).mean(),
        "subset_accuracy": accuracy_score(y_true, y_pred),
        "macro_f1": f1_score(y_true, y_pred, average="macro"),
        "micro_f1": f1_score(y_true, y_pred, average="micro"),
        "ranking_loss": label_ranking_loss(y_true, y_score),
        "coverage_error": coverage_error(y_true, y_score),
        "brier_score": np.mean([brier_score_loss(y_true[:, j], y_score[:, j]) for j in range(4)]),
    }
    evaluation = evaluate(y_true, y_score)
    assert {name: getattr(evaluation, name) for name in expected} == pytest.approx(expected)
    assert evaluation.calibration_error == evaluation.report["calibration_error"].mean()


def test_the_text_has_all_scores_in_short_lines(scored):
    evaluation = evaluate(*scored)
    first, second, third, *table = str(evaluation).splitlines()
    assert first.startswith(f"90 rows: mean ROC-AUC {evaluation.mean_roc_auc:.4f}, mean accuracy ")
    assert second.startswith(f"mean average precision {evaluation.mean_average_precision:.4f}")
    assert f"coverage {evaluation.coverage_error:.2f} labels" in third
    assert max(map(len, (first, second, third))) <= 120
    assert len(table) == 6


def test_a_single_label_has_no_pairs_to_rank():
    y_true = np.array([[True], [False], [True], [False]])
    y_score = np.array([[0.9], [0.2], [0.4], [0.1]], dtype=np.float32)
    evaluation = evaluate(y_true, y_score)
    assert evaluation.ranking_loss == 0
    assert evaluation.coverage_error == 0.5
    # A second label that no row has and that always comes last changes nothing.
    y_true, y_score = (np.hstack([each, np.zeros_like(each)]) for each in (y_true, y_score))
    assert coverage_error(y_true, y_score) == 0.5
    assert label_ranking_loss(y_true, y_score) == 0


def test_f1_is_0_if_nothing_is_true_or_predicted():
    with pytest.warns(UserWarning, match="ROC-AUC needs rows of both classes"):
        evaluation = evaluate(np.zeros((3, 2), dtype=bool), np.full((3, 2), 0.1, np.float32))
    assert evaluation.macro_f1 == evaluation.micro_f1 == 0
    assert np.isnan(evaluation.mean_average_precision)
