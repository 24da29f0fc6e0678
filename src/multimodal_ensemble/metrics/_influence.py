"""How much each row moves a metric: its derivative by the weight of the row, in closed form."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._validation import FloatArray, ScoreArray
from multimodal_ensemble.metrics._columns import count_other_class_below, rank_rows, read_columns
from multimodal_ensemble.metrics._thresholds import predict_labels

# The value of a label and the influence of each row, which sums to 0; NaN and zeros if undefined.
_Influence = tuple[float, FloatArray]


def influences(
    metric: str, positive: NDArray[np.bool_], scores: ScoreArray, limits: FloatArray | None
) -> Iterator[_Influence]:
    """Yield the value of a metric and the influence of each row on it, label by label.

    Notes
    -----
    The sum of squared influences is the variance of the bootstrap, but for terms of higher order:
    the infinitesimal jackknife of B. Efron and R. J. Tibshirani, "An Introduction to the
    Bootstrap", 1993, chapter 21. That of a ROC-AUC is the variance of DeLong's test.
    """
    if metric == "micro_f1":
        yield _micro_f1(positive, scores, limits)
        return
    for column, (true, score) in enumerate(read_columns(positive, scores)):
        limit = None if limits is None else limits[column : column + 1]
        yield _OF_LABEL[metric](true, score, limit)


def _undefined(n_rows: int) -> _Influence:
    return np.nan, np.zeros(n_rows)


def _roc_auc(true: NDArray[np.bool_], score: ScoreArray, limit: Any) -> _Influence:
    n_positives = int(true.sum())
    n_negatives = len(true) - n_positives
    if not n_positives or not n_negatives:
        return _undefined(len(true))
    counts = count_other_class_below(true, score)
    n_pairs = n_positives * n_negatives
    value = float(counts[true].sum()) / (2 * n_pairs)
    influence = counts / (2 * n_pairs)
    # A negative row counts the positives that are not below it.
    np.negative(influence, out=influence, where=~true)
    influence += np.where(true, -value / n_positives, (1 - value) / n_negatives)
    return value, influence


def _average_precision(true: NDArray[np.bool_], score: ScoreArray, limit: Any) -> _Influence:
    n_rows, n_positives = len(true), int(true.sum())
    if not 0 < n_positives < n_rows:
        return _undefined(n_rows)
    order, starts, ends, lengths = rank_rows(score)
    ranked = true[order]
    found = np.zeros(n_rows + 1, dtype=np.int64)
    np.cumsum(ranked, out=found[1:])
    # At each score: the rows and positives from it on, and the positives up to it.
    n_predicted = np.repeat(n_rows - starts, lengths)[ranked]
    tp = np.repeat(n_positives - found[starts], lengths)[ranked]
    n_up_to = np.repeat(found[ends], lengths)
    precision = tp / n_predicted
    value = float(precision.sum()) / n_positives
    # A row raises or lowers the precision at the scores of all positives up to its own score.
    lowered = _cumulate(precision / n_predicted)
    raised = _cumulate(1 / n_predicted)
    raised -= lowered
    by_rank = np.where(ranked, raised[n_up_to] - value, -lowered[n_up_to])
    by_rank[ranked] += precision
    influence = np.empty(n_rows)
    influence[order] = by_rank
    influence /= n_positives
    return value, influence


def _accuracy(true: NDArray[np.bool_], score: ScoreArray, limit: Any) -> _Influence:
    correct = predict_labels(score, limit) == true
    value = float(correct.mean())
    return value, (correct - value) / len(true)


def _f1(true: NDArray[np.bool_], score: ScoreArray, limit: Any) -> _Influence:
    predicted = predict_labels(score, limit)
    return _ratio_of_counts(predicted & true, np.add(predicted, true, dtype=np.int8), true.any())


def _micro_f1(positive: NDArray[np.bool_], scores: ScoreArray, limits: Any) -> _Influence:
    tp, n_either = np.zeros((2, len(positive)), dtype=np.int32)
    for column, (true, score) in enumerate(read_columns(positive, scores)):
        predicted = predict_labels(score, limits[column : column + 1])
        tp += predicted & true
        n_either += predicted
        n_either += true
    return _ratio_of_counts(tp, n_either, positive.any())


def _ratio_of_counts(tp: NDArray[Any], n_either: NDArray[Any], is_defined: Any) -> _Influence:
    if not is_defined:
        return _undefined(len(tp))
    total = int(n_either.sum(dtype=np.int64))
    value = 2 * int(tp.sum(dtype=np.int64)) / total
    influence = -value * n_either
    influence += 2 * tp
    influence /= total
    return value, influence


def _cumulate(values: FloatArray) -> FloatArray:
    sums = np.zeros(len(values) + 1)
    np.cumsum(values, out=sums[1:])
    return sums


_OF_LABEL: dict[str, Callable[[NDArray[np.bool_], ScoreArray, Any], _Influence]] = {
    "roc_auc": _roc_auc,
    "average_precision": _average_precision,
    "accuracy": _accuracy,
    "f1": _f1,
}
