"""The result of an evaluation of one class per row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import log_loss, precision_recall_fscore_support

from multimodal_ensemble._target import BINARY, MULTICLASS, Target, find_classes
from multimodal_ensemble._warnings import warn
from multimodal_ensemble.metrics import label_report


@dataclass(frozen=True)
class ClassEvaluation:
    """Scores of a classifier of one class per row; prints as a small table.

    Greater is better, except for `log_loss`, `brier_score` and `calibration_error`. Rows of classes
    that no training row has count as errors, and are left out of these three.

    Parameters
    ----------
    n_samples : int
        Number of rows.
    accuracy : float
        Share of rows whose class is predicted, as scikit-learn's ``score``.
    trivial_accuracy : float
        Accuracy of a benchmark that predicts the most frequent class of the training rows.
    balanced_accuracy : float
        Mean over the classes of these rows of the share of their rows that is predicted correctly;
        see `sklearn.metrics.balanced_accuracy_score`.
    macro_f1 : float
        Mean of the F1 of classes that occur in these rows or are predicted.
    mean_roc_auc : float
        Mean over classes of the ROC-AUC of each class against the others, over those that some of
        these rows have and others lack.
    log_loss : float
        Mean negative logarithm of the probability of the true class, as that of
        `sklearn.metrics.log_loss`.
    brier_score : float
        Mean squared distance of the probabilities from 0 or 1: their sum over several classes, and
        that of one of two classes. See `sklearn.metrics.brier_score_loss`.
    calibration_error : float
        Mean over classes of the expected calibration error; see `label_report`.
    report : DataFrame
        One row per class: ``support`` (number of rows), ``roc_auc``, ``average_precision``,
        ``precision``, ``recall``, ``f1``, ``brier_score`` and ``calibration_error``.

    Examples
    --------
    >>> from multimodal_ensemble import BagOfWordsEncoder, MultimodalEnsemble
    >>> X = {"tags": [["space", "war"], ["love"], ["joke"]] * 25}
    >>> y = ["Action", "Romance", "Comedy"] * 25
    >>> ensemble = MultimodalEnsemble([BagOfWordsEncoder("tags")], verbose=0).fit(X, y)
    >>> evaluation = ensemble.evaluate(X, y)
    >>> evaluation.accuracy, round(evaluation.trivial_accuracy, 2), evaluation.mean_roc_auc
    (1.0, 0.33, 1.0)
    """

    n_samples: int
    accuracy: float
    trivial_accuracy: float
    balanced_accuracy: float
    macro_f1: float
    mean_roc_auc: float
    log_loss: float
    brier_score: float
    calibration_error: float
    report: pd.DataFrame

    def __str__(self) -> str:
        """Return the scores as text."""
        return (
            f"{self.n_samples} rows: accuracy {self.accuracy:.4f} (trivial benchmark "
            f"{self.trivial_accuracy:.4f}), balanced accuracy {self.balanced_accuracy:.4f}, macro "
            f"F1 {self.macro_f1:.4f}, mean ROC-AUC {self.mean_roc_auc:.4f}\n"
            f"errors: log loss {self.log_loss:.4f}, Brier score {self.brier_score:.4f}, "
            f"calibration {self.calibration_error:.4f}\n{self.report.round(4).to_string()}"
        )


def warn_of_unknown(codes: NDArray[np.intp]) -> None:
    """Warn of rows of classes that no training row has."""
    if n_unknown := int((codes < 0).sum()):
        warn(
            f"y has classes that no training row has, in {n_unknown} of {len(codes)} rows, the "
            f"first is row {int(np.argmax(codes < 0))}. They count as errors."
        )


def evaluate_class_scores(
    y_true: Sequence[Any],
    y_score: NDArray[np.float32],
    y_pred: Sequence[Any],
    *,
    classes: Sequence[Any],
    label_shares: Sequence[float],
) -> ClassEvaluation:
    """Return what `MultimodalEnsemble.evaluate` does, for classes that were predicted before.

    Parameters
    ----------
    y_true : sequence of length n_samples
        The true class of each row. One that is not among the classes counts as an error, with a
        warning.
    y_score : ndarray of shape (n_samples, n_classes), float32
        Probabilities, as `MultimodalEnsemble.predict_proba` returns them.
    y_pred : sequence of length n_samples
        The predicted class of each row.
    classes : sequence of length n_classes
        The classes in the order of the columns: ``estimator.classes_``.
    label_shares : sequence of float
        Shares of the training rows that have each class, or of two classes, the second one alone:
        ``estimator.provenance_["label_shares"]``.

    Returns
    -------
    ClassEvaluation
        The scores; ``print`` shows them as a table.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.estimators import evaluate_class_scores
    >>> y_score = np.array([[0.8, 0.2], [0.4, 0.6], [0.3, 0.7]], dtype="float32")
    >>> evaluation = evaluate_class_scores(
    ...     ["a", "b", "a"], y_score, ["a", "b", "b"], classes=["a", "b"],
    ...     label_shares=[0.5])
    >>> round(evaluation.accuracy, 3), evaluation.balanced_accuracy
    (0.667, 0.75)
    """
    target = Target(MULTICLASS if len(classes) > 2 else BINARY, np.asarray(classes))
    codes = find_classes(y_true, target)
    warn_of_unknown(codes)
    shares = np.asarray(label_shares, dtype=np.float64)
    return evaluate_classes(
        codes,
        y_score,
        find_classes(y_pred, target),
        classes=[str(label) for label in classes],
        shares=np.append(1 - shares, shares) if len(shares) == 1 else shares,
    )


def evaluate_classes(
    codes: NDArray[np.intp],
    y_proba: NDArray[np.float32],
    predicted: NDArray[np.intp],
    *,
    classes: list[str],
    shares: NDArray[np.float64],
) -> ClassEvaluation:
    """Return the evaluation of probabilities and predictions; `shares` are of training rows."""
    places = np.arange(len(classes))
    is_class = codes[:, np.newaxis] == places
    report = label_report(is_class, y_proba, 0.5, labels=classes)
    precision, recall, f1, _ = precision_recall_fscore_support(
        codes, predicted, labels=places, zero_division=0
    )
    has_rows = report["support"].to_numpy() > 0
    is_seen = has_rows | (np.bincount(predicted, minlength=len(classes)) > 0)
    known = codes >= 0
    squares = (y_proba[known].astype(np.float64) - is_class[known]) ** 2
    brier = squares.sum(axis=1).mean() / (2 if len(classes) == 2 else 1) if known.any() else np.nan
    loss = log_loss(codes[known], y_proba[known], labels=places) if known.any() else np.nan
    columns = ["support", "roc_auc", "average_precision", "precision", "recall", "f1"]
    columns += ["brier_score", "calibration_error"]
    report = report.assign(precision=precision, recall=recall, f1=f1)[columns]
    return ClassEvaluation(
        n_samples=len(codes),
        accuracy=float((codes == predicted).mean()),
        trivial_accuracy=float((codes == shares.argmax()).mean()),
        balanced_accuracy=float(recall[has_rows].mean()) if has_rows.any() else np.nan,
        macro_f1=float(f1[is_seen].mean()),
        mean_roc_auc=float(report["roc_auc"].mean()),
        log_loss=float(loss),
        brier_score=float(brier),
        calibration_error=float(report["calibration_error"].mean()),
        report=report,
    )
