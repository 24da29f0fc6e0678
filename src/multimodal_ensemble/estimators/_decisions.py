"""One class per row: from the scores of a model to probabilities and to the class predicted."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._target import BINARY, MULTICLASS, Target
from multimodal_ensemble._validation import FloatArray, ScoreArray, check_at_least
from multimodal_ensemble.estimators._thresholds import given_thresholds, is_criterion
from multimodal_ensemble.metrics import apply_thresholds, mean_accuracy

_BY_DEFAULT = "prevalence"


def resolve_threshold(threshold: Any, target: Target, y: NDArray[np.bool_]) -> Any:
    """Return the criterion of thresholds, or their values; `y` are the training rows.

    Of several classes, the one whose score exceeds its threshold by the largest factor is
    predicted: with equal thresholds the most probable class, and with the shares of classes the
    one that a balanced accuracy needs.

    Raises
    ------
    ValueError
        If the target has several classes, and the threshold has no meaning for these.
    """
    is_auto = isinstance(threshold, str) and threshold == "auto"
    if target.kind != MULTICLASS:
        return _BY_DEFAULT if is_auto else threshold
    n_classes = len(target.classes)
    if threshold is None or is_auto or (isinstance(threshold, str) and threshold == "accuracy"):
        return np.full(n_classes, 1 / n_classes)
    if isinstance(threshold, str) and threshold == "balanced_accuracy":
        shares = y.mean(axis=0)
        return np.where(shares > 0, shares, np.inf)
    if is_criterion(threshold) or (np.ndim(threshold) == 0 and not hasattr(threshold, "items")):
        msg = (
            "With one of several classes per row, threshold must be 'auto', 'accuracy' or None, "
            "for the most probable class, 'balanced_accuracy', or one positive number per class. "
            f"Received threshold={threshold!r}."
        )
        raise ValueError(msg)
    return check_divisors(given_thresholds(threshold, target.labels), target)


def check_divisors(thresholds: FloatArray, target: Target) -> FloatArray:
    """Return thresholds, which must be positive where scores of classes are divided by them."""
    if target.kind == MULTICLASS and not ((thresholds > 0).all() and np.isfinite(thresholds).any()):
        msg = (
            "With one of several classes per row, the score of each class is divided by its "
            "threshold, so thresholds must be positive, and one of them finite. Received "
            f"threshold={thresholds.tolist()}."
        )
        raise ValueError(msg)
    return thresholds


def class_probabilities(y_score: NDArray[Any], target: Target) -> NDArray[Any]:
    """Return a column for each class: with two classes, the model scores the second one alone."""
    return np.hstack([1 - y_score, y_score]) if target.kind == BINARY else y_score


def choose_classes(y_score: ScoreArray, thresholds: FloatArray, target: Target) -> NDArray[np.intp]:
    """Return the position of the class that is predicted for each row."""
    if target.kind == BINARY:
        return apply_thresholds(y_score, thresholds)[:, 0].astype(np.intp)
    best: NDArray[np.intp] = _margins(y_score, thresholds).argmax(axis=1)
    return best


def choose_matrix(y_score: ScoreArray, thresholds: FloatArray, target: Target) -> NDArray[np.bool_]:
    """Return which labels are predicted for each row, one column per label."""
    if target.is_single:
        return target.to_matrix(choose_classes(y_score, thresholds, target))
    return apply_thresholds(y_score, thresholds).astype(bool)


def accuracy_of(
    y_true: NDArray[np.bool_],
    y_score: ScoreArray,
    thresholds: FloatArray,
    target: Target,
) -> float:
    """Return the share of rows whose class is predicted, or the mean accuracy of labels."""
    if target.kind == MULTICLASS:
        predicted = choose_classes(y_score, thresholds, target)
        return float((predicted == y_true.argmax(axis=1)).mean())
    return float(mean_accuracy(y_true, y_score, thresholds))


def name_classes(
    y_score: ScoreArray,
    thresholds: FloatArray,
    target: Target,
    *,
    at_least: int = 0,
    top_k: int | None = None,
) -> list[Any]:
    """Return the class of each row, or tuples of the `top_k` best ones, the best first."""
    check_at_least(at_least, 0, name="at_least")
    n_classes = len(target.classes)
    if at_least > 1 or (at_least and top_k is not None):
        msg = (
            "Each row has one class; top_k returns more of them. Received "
            f"at_least={at_least}, top_k={top_k}."
        )
        raise ValueError(msg)
    if top_k is None:
        return list(target.classes[choose_classes(y_score, thresholds, target)].tolist())
    check_at_least(top_k, 1, name="top_k")
    if top_k > n_classes:
        msg = f"top_k must be at most {n_classes}, the number of classes. Received top_k={top_k}."
        raise ValueError(msg)
    if target.kind == BINARY:
        first = choose_classes(y_score, thresholds, target)
        order = np.column_stack([first, 1 - first])
    else:
        order = np.argsort(-_margins(y_score, thresholds), axis=1, kind="stable")
    names = target.classes.tolist()
    return [tuple(names[place] for place in row) for row in order[:, :top_k].tolist()]


def _margins(y_score: ScoreArray, thresholds: FloatArray) -> FloatArray:
    return y_score.astype(np.float64) / thresholds
