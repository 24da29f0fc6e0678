"""The result of an evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multimodal_ensemble._validation import row_blocks
from multimodal_ensemble.metrics import apply_thresholds, label_report


@dataclass(frozen=True)
class Evaluation:
    """Scores of a classifier on rows that it was not trained on; prints as a small table.

    Greater is better, except for `ranking_loss`, `coverage_error`, `brier_score` and
    `calibration_error`.

    Parameters
    ----------
    n_samples : int
        Number of rows with a known label. Labels that are unknown (NaN) are left out.
    mean_roc_auc : float
        Mean over the labels that are both present and absent in these rows.
    mean_average_precision : float
        Mean over the same labels of the average precision.
    mean_accuracy : float
        Mean over labels of the share of correctly predicted rows, with the classifier's thresholds.
    trivial_accuracy : float
        Mean accuracy of a benchmark that predicts, for each label, the value that most training
        rows have. It is high for rare labels; a classifier matters only by its margin over it.
    subset_accuracy : float
        Share of rows in which every label is predicted correctly, as scikit-learn's ``score``.
    macro_f1 : float
        Mean of the F1 of labels at the classifier's thresholds. F1 is 0 for a label that is never
        predicted.
    micro_f1 : float
        F1 over all entries of the label matrix at the classifier's thresholds.
    ranking_loss : float
        Mean over rows of the share of pairs of a present and an absent label that the scores order
        wrongly, 0..1; see `sklearn.metrics.label_ranking_loss`.
    coverage_error : float
        Mean number of labels, in descending order of their scores, that contain all labels of a
        row; at best the mean number of labels per row. See `sklearn.metrics.coverage_error`.
    brier_score : float
        Mean over labels of the mean squared distance of the scores from 0 or 1.
    calibration_error : float
        Mean over labels of the expected calibration error; see `label_report`.
    report : DataFrame
        One row per label; see `label_report`.

    Examples
    --------
    >>> from multimodal_ensemble import BagOfWordsEncoder, MultimodalEnsemble
    >>> X = {"tags": [["space", "war"], ["love"], ["war"], ["love", "paris"]] * 25}
    >>> y = [["Action"], ["Romance"], ["Action"], ["Romance"]] * 25
    >>> ensemble = MultimodalEnsemble([BagOfWordsEncoder("tags")], verbose=0).fit(X, y)
    >>> evaluation = ensemble.evaluate(X, y)
    >>> evaluation.mean_roc_auc, evaluation.ranking_loss, evaluation.coverage_error
    (1.0, 0.0, 1.0)
    """

    n_samples: int
    mean_roc_auc: float
    mean_average_precision: float
    mean_accuracy: float
    trivial_accuracy: float
    subset_accuracy: float
    macro_f1: float
    micro_f1: float
    ranking_loss: float
    coverage_error: float
    brier_score: float
    calibration_error: float
    report: pd.DataFrame

    def __str__(self) -> str:
        """Return the scores as text."""
        return (
            f"{self.n_samples} rows: mean ROC-AUC {self.mean_roc_auc:.4f}, mean accuracy "
            f"{self.mean_accuracy:.4f} (trivial benchmark {self.trivial_accuracy:.4f}), subset "
            f"accuracy {self.subset_accuracy:.4f}\n"
            f"mean average precision {self.mean_average_precision:.4f}, macro F1 "
            f"{self.macro_f1:.4f}, micro F1 {self.micro_f1:.4f}\n"
            f"errors: ranking loss {self.ranking_loss:.4f}, coverage {self.coverage_error:.2f} "
            f"labels, Brier score {self.brier_score:.4f}, calibration "
            f"{self.calibration_error:.4f}\n{self.report.round(4).to_string()}"
        )


def evaluate_scores(
    y_true: NDArray[Any],
    y_score: NDArray[np.float32],
    thresholds: NDArray[np.float64],
    *,
    labels: Sequence[str],
    label_shares: Sequence[float],
) -> Evaluation:
    """Return what `MultimodalEnsemble.evaluate` does, for scores that were computed before.

    Parameters
    ----------
    y_true : ndarray of shape (n_samples, n_labels), bool or float
        True labels, 0 or 1, or NaN where a label is unknown, which is then left out.
    y_score : ndarray of shape (n_samples, n_labels), float32
        Scores, 0..1.
    thresholds : ndarray of shape (n_labels,), float64
        The threshold of each label, chosen on other rows.
    labels : sequence of n_labels str
        The names of the labels.
    label_shares : sequence of n_labels float
        Shares of the training rows that have each label, 0..1, for the trivial benchmark:
        ``estimator.provenance_["label_shares"]``.

    Returns
    -------
    Evaluation
        The scores; ``print`` shows them as a table.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.estimators import evaluate_scores
    >>> evaluation = evaluate_scores(
    ...     np.array([[True], [False]]), np.array([[0.8], [0.3]], dtype="float32"),
    ...     np.array([0.5]), labels=["war"], label_shares=[0.4])
    >>> evaluation.mean_roc_auc, evaluation.mean_accuracy, evaluation.trivial_accuracy
    (1.0, 1.0, 0.5)
    """
    report = label_report(y_true, y_score, thresholds, labels=labels)
    majority = np.asarray(label_shares) > 0.5
    n_correct = n_trivial = n_whole = n_either = n_both = n_covered = n_rows = n_entries = 0
    ranking_loss = 0.0
    # In blocks, because these figures need all labels of a row, and would copy the whole matrix.
    for rows in row_blocks(y_true.shape):
        known = y_true[rows] == y_true[rows]
        used = known.any(axis=1)
        known, true, score = known[used], y_true[rows][used] == 1, y_score[rows][used]
        predicted = apply_thresholds(score, thresholds).astype(bool) & known
        is_correct = predicted == true
        n_rows += len(true)
        n_entries += int(known.sum())
        n_correct += int((is_correct & known).sum())
        n_whole += int(is_correct.all(axis=1).sum())
        n_trivial += int(((true == majority) & known).sum())
        n_either += int(predicted.sum() + true.sum())
        n_both += int((predicted & true).sum())
        n_covered += _count_covered(true, score, known)
        ranking_loss += float(_ranking_losses(true, score, known).sum())
    has_classes = report["roc_auc"].notna()
    return Evaluation(
        n_samples=n_rows,
        mean_roc_auc=float(report["roc_auc"].mean()),
        mean_average_precision=float(report["average_precision"][has_classes].mean()),
        mean_accuracy=n_correct / n_entries,
        trivial_accuracy=n_trivial / n_entries,
        subset_accuracy=n_whole / n_rows,
        macro_f1=float(report["f1"].mean()),
        micro_f1=2 * n_both / n_either if n_either else 0.0,
        ranking_loss=ranking_loss / n_rows,
        coverage_error=n_covered / n_rows,
        brier_score=float(report["brier_score"].mean()),
        calibration_error=float(report["calibration_error"].mean()),
        report=report,
    )


def _count_covered(
    true: NDArray[np.bool_], score: NDArray[np.float32], known: NDArray[np.bool_]
) -> int:
    """Return the sum over rows of the number of labels that score at least as any true label."""
    least = np.where(true, score, np.inf).min(axis=1, keepdims=True)
    return int(((score >= least) & known).sum())


def _ranking_losses(
    true: NDArray[np.bool_], score: NDArray[np.float32], known: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the share of pairs in wrong order of each row, 0 without pairs; ties are wrong."""
    # Of equal scores, those of true labels come first.
    order = np.lexsort((~true, score), axis=1)
    ranked = np.take_along_axis(true, order, axis=1)
    n_true = np.cumsum(ranked, axis=1)
    is_false = np.take_along_axis(known & ~true, order, axis=1)
    n_wrong = np.where(is_false, n_true, 0).sum(axis=1)
    n_pairs = n_true[:, -1] * is_false.sum(axis=1)
    losses: NDArray[np.float64] = n_wrong / np.maximum(n_pairs, 1)
    return losses
