"""The result of an evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multimodal_ensemble.metrics import apply_thresholds, label_report


@dataclass(frozen=True)
class Evaluation:
    """Scores of a classifier on rows that it was not trained on; prints as a small table.

    Parameters
    ----------
    n_samples : int
        Number of rows.
    mean_roc_auc : float
        Mean over the labels that are both present and absent in these rows.
    mean_accuracy : float
        Mean over labels of the share of correctly predicted rows, with the classifier's thresholds.
    trivial_accuracy : float
        Mean accuracy of a benchmark that predicts, for each label, the value that most training
        rows have. It is high for rare labels; a classifier matters only by its margin over it.
    subset_accuracy : float
        Share of rows in which every label is predicted correctly, as scikit-learn's ``score``.
    report : DataFrame
        One row per label; see `label_report`.

    Examples
    --------
    >>> import pandas as pd
    >>> from multimodal_ensemble.estimators import Evaluation
    >>> Evaluation(200, 0.81, 0.84, 0.79, 0.31, pd.DataFrame()).mean_roc_auc
    0.81
    """

    n_samples: int
    mean_roc_auc: float
    mean_accuracy: float
    trivial_accuracy: float
    subset_accuracy: float
    report: pd.DataFrame

    def __str__(self) -> str:
        """Return the scores as text."""
        return (
            f"{self.n_samples} rows: mean ROC-AUC {self.mean_roc_auc:.4f}, mean accuracy "
            f"{self.mean_accuracy:.4f} (trivial benchmark {self.trivial_accuracy:.4f}), subset "
            f"accuracy {self.subset_accuracy:.4f}\n{self.report.round(4).to_string()}"
        )


def evaluate_scores(
    y_true: NDArray[np.bool_],
    y_score: NDArray[np.float32],
    thresholds: NDArray[np.float64],
    *,
    labels: Sequence[str],
    label_shares: Sequence[float],
) -> Evaluation:
    """Return the evaluation of scores; `label_shares` are those of the training rows."""
    report = label_report(y_true, y_score, thresholds, labels=labels)
    is_correct = apply_thresholds(y_score, thresholds) == y_true
    majority = np.asarray(label_shares) > 0.5
    return Evaluation(
        n_samples=len(y_true),
        mean_roc_auc=float(report["roc_auc"].mean()),
        mean_accuracy=float(is_correct.mean()),
        trivial_accuracy=float((y_true == majority).mean()),
        subset_accuracy=float(is_correct.all(axis=1).mean()),
        report=report,
    )
