"""Decision thresholds: learned or given, and the labels that they choose."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._label_names import in_label_order
from multimodal_ensemble._tables import abbreviate
from multimodal_ensemble._validation import check_at_least
from multimodal_ensemble.linear import log_odds
from multimodal_ensemble.metrics import apply_thresholds, check_criterion, tune_thresholds


def is_criterion(threshold: Any) -> bool:
    """Return whether thresholds are learned."""
    return isinstance(threshold, str) or callable(threshold)


def check_threshold(threshold: Any) -> None:
    """Raise a ValueError if `threshold` is a criterion that cannot be maximised."""
    if is_criterion(threshold) and not (isinstance(threshold, str) and threshold == "auto"):
        check_criterion(threshold, name="threshold")


def learn_thresholds(
    threshold: Any, classes: NDArray[Any], y_true: NDArray[np.bool_], y_score: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Return one threshold per label, learned from rows or as given."""
    if is_criterion(threshold):
        return tune_thresholds(y_true, y_score, criterion=threshold)
    return given_thresholds(threshold, classes)


def given_thresholds(threshold: Any, classes: NDArray[Any]) -> NDArray[np.float64]:
    """Return one threshold per label from None, a number, an array, or a mapping from labels."""
    if threshold is None:
        threshold = 0.5
    threshold = in_label_order(threshold, classes.tolist(), name="threshold")
    if not isinstance(threshold, Sequence | bool) and np.ndim(threshold) == 0:
        threshold = np.full(len(classes), threshold)
    try:
        values = np.asarray(threshold)
    except ValueError:
        # The value holds lists of different lengths.
        values = np.empty(0, dtype=object)
    if values.dtype.kind not in "iuf" or values.shape != (len(classes),) or np.isnan(values).any():
        msg = (
            "threshold must be the name of a criterion, a callable, None, a number, or one number "
            f"for each of the {len(classes)} labels, none of them NaN. "
            f"Received threshold={threshold!r}."
        )
        raise ValueError(msg)
    return values.astype(np.float64)


def describe_never_predicted(
    threshold: Any,
    classes: NDArray[Any],
    thresholds: NDArray[np.float64],
    *,
    fix: str,
    is_single: bool = False,
) -> str | None:
    """Return a line about the labels whose learned threshold is infinite; None without any.

    `fix` says where more rows that have them are needed. With `is_single`, the label is the second
    of two classes.
    """
    never = classes[np.isposinf(thresholds)]
    if not is_criterion(threshold) or not len(never):
        return None
    if threshold == "accuracy":
        fix = "threshold='prevalence' and threshold='f1' predict rare labels more often"
    if is_single:
        return (
            f"The class {never.tolist()[0]!r} is never predicted, because its learned threshold is "
            f"inf. To change that: {fix}."
        )
    return (
        f"{len(never)} of {len(classes)} labels are never predicted, because their learned "
        f"threshold is inf: {abbreviate(never)}. To change that: {fix}. "
        "predict_labels(X, at_least=1) returns at least one label per row."
    )


def choose_labels(
    y_score: NDArray[np.float32],
    thresholds: NDArray[np.float64],
    *,
    at_least: int = 0,
    top_k: int | None = None,
) -> NDArray[np.bool_]:
    """Return a multi-hot matrix of the labels above their threshold, or of the best ones.

    Labels above their threshold are better than others. Labels whose log-odds exceed those of
    their threshold by more come next, then labels with the higher score.
    """
    n_labels = len(thresholds)
    check_at_least(at_least, 0, name="at_least")
    if top_k is not None:
        check_at_least(top_k, 1, name="top_k")
        if at_least:
            msg = f"Pass at_least or top_k, not both. Received at_least={at_least}, top_k={top_k}."
            raise ValueError(msg)
    if max(at_least, top_k or 0) > n_labels:
        msg = (
            f"A row has at most {n_labels} labels, as many as there are in classes_. Received "
            f"at_least={at_least}, top_k={top_k}."
        )
        raise ValueError(msg)
    predicted = apply_thresholds(y_score, thresholds).astype(bool)
    if not at_least and top_k is None:
        return predicted
    score = y_score.astype(np.float64)
    # An infinite threshold counts as one of 0 or 1, which gives infinite log-odds as well.
    margin = log_odds(score) - log_odds(np.clip(thresholds, 0, 1), finite=False)
    # Sorted in ascending order of negated keys, so that the first of equal labels is the better.
    never = np.broadcast_to(np.isposinf(thresholds), predicted.shape)
    order = np.lexsort((-score, -margin, never, ~predicted), axis=1)
    best = np.zeros_like(predicted)
    np.put_along_axis(best, order[:, : at_least or top_k], values=True, axis=1)
    return best if top_k is not None else predicted | best
