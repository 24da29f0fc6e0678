"""The result of an evaluation."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd


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
