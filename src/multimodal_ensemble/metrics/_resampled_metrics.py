"""Metrics of each label on many resamples at once, from how often each row is drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._validation import FloatArray, ScoreArray, row_blocks
from multimodal_ensemble.metrics._columns import read_columns
from multimodal_ensemble.metrics._thresholds import predict_labels

# About this many counts are processed at once, so that the tables of a block stay in the cache.
_BLOCK = 2**18


def in_blocks(counts: NDArray[Any]) -> Iterator[tuple[slice, FloatArray]]:
    """Return slices of resamples, and their counts as float64 of shape (n_rows, n_in_block)."""
    size = max(16, _BLOCK // counts.shape[1])
    for start in range(0, len(counts), size):
        block = slice(start, start + size)
        yield block, np.ascontiguousarray(counts[block].T, dtype=np.float64)


def roc_auc(
    positive: NDArray[np.bool_], scores: ScoreArray, limits: Any, counts: NDArray[Any]
) -> FloatArray:
    """Return the ROC-AUC of each label on each resample; NaN where a class was not drawn."""
    blocks = list(in_blocks(counts))
    values = np.empty((len(counts), positive.shape[1]))
    for column, (true, score) in enumerate(read_columns(positive, scores)):
        positives, negatives = np.flatnonzero(true), np.flatnonzero(~true)
        negatives = negatives[np.argsort(score[negatives])]
        n_below = np.searchsorted(score[negatives], score[positives], side="left")
        n_not_above = np.searchsorted(score[negatives], score[positives], side="right")
        for block, drawn in blocks:
            below = _cumulate(drawn[negatives])
            of_positives = drawn[positives]
            # Twice the number of pairs in the right order, in which ties count half.
            in_order = np.einsum("ij,ij->j", of_positives, below[n_below])
            in_order += np.einsum("ij,ij->j", of_positives, below[n_not_above])
            n_pairs = of_positives.sum(axis=0) * below[-1]
            values[block, column] = _ratio(in_order, 2 * n_pairs)
    return values


def average_precision(
    positive: NDArray[np.bool_], scores: ScoreArray, limits: Any, counts: NDArray[Any]
) -> FloatArray:
    """Return the average precision of each label; NaN where a class was not drawn."""
    blocks = list(in_blocks(counts))
    values = np.empty((len(counts), positive.shape[1]))
    for column, (true, score) in enumerate(read_columns(positive, scores)):
        # In descending order of the scores, as the threshold falls.
        order = np.argsort(-score)
        positives = order[true[order]]
        n_predicted = np.searchsorted(-score[order], -score[positives], side="right")
        n_found = np.searchsorted(-score[positives], -score[positives], side="right")
        for block, drawn in blocks:
            of_positives = drawn[positives]
            found = _cumulate(of_positives)
            predicted = _cumulate(drawn[order])
            n_positive, n_rows = found[-1], predicted[-1]
            # The precision at the threshold that is the score of each positive row. Where no row
            # with that score or above was drawn, the row itself counts 0 times.
            precision = found[n_found] / np.maximum(predicted[n_predicted], 1)
            total = np.einsum("ij,ij->j", of_positives, precision)
            values[block, column] = _ratio(total, np.where(n_positive < n_rows, n_positive, 0))
    return values


def accuracy(
    positive: NDArray[np.bool_], scores: ScoreArray, limits: FloatArray, counts: NDArray[Any]
) -> FloatArray:
    """Return the accuracy of each label on each resample; NaN where no row was drawn."""

    def tables(true: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
        return [predicted == true]

    (n_correct,) = _sum_over_rows(positive, scores, limits, counts, tables)
    return _ratio(n_correct, np.broadcast_to(_n_drawn(counts), n_correct.shape))


def f1(
    positive: NDArray[np.bool_], scores: ScoreArray, limits: FloatArray, counts: NDArray[Any]
) -> FloatArray:
    """Return F1 of each label on each resample; NaN where no positive row was drawn."""
    tp, n_positive, n_predicted = _sum_over_rows(positive, scores, limits, counts, _of_f1)
    return _ratio(2 * tp, np.where(n_positive > 0, n_positive + n_predicted, 0))


def micro_f1(
    positive: NDArray[np.bool_], scores: ScoreArray, limits: FloatArray, counts: NDArray[Any]
) -> FloatArray:
    """Return F1 over all entries on each resample, in one column; NaN without a positive entry."""
    tp, n_positive, n_predicted = (
        sums.sum(axis=1, keepdims=True)
        for sums in _sum_over_rows(positive, scores, limits, counts, _of_f1)
    )
    return _ratio(2 * tp, np.where(n_positive > 0, n_positive + n_predicted, 0))


def _of_f1(true: NDArray[np.bool_], predicted: NDArray[np.bool_]) -> list[NDArray[np.bool_]]:
    return [predicted & true, true, predicted]


def _cumulate(drawn: FloatArray) -> FloatArray:
    """Return the number of draws of the first 0, 1, ... rows; whole numbers, hence exact."""
    sums = np.zeros((len(drawn) + 1, drawn.shape[1]))
    np.cumsum(drawn, axis=0, out=sums[1:])
    return sums


def _sum_over_rows(
    positive: NDArray[np.bool_],
    scores: ScoreArray,
    limits: FloatArray,
    counts: NDArray[Any],
    tables: Callable[[NDArray[np.bool_], NDArray[np.bool_]], list[NDArray[np.bool_]]],
) -> list[FloatArray]:
    """Return how many drawn rows are True in each column of each table, by resample.

    The sums are whole numbers, so that they do not depend on the blocks of rows.
    """
    n_tables = len(tables(positive[:1], positive[:1]))
    sums = np.zeros((len(counts), n_tables * positive.shape[1]))
    for rows in row_blocks((len(positive), max(sums.shape))):
        true = positive[rows]
        joined = np.concatenate(tables(true, predict_labels(scores[rows], limits)), axis=1)
        sums += counts[:, rows].astype(np.float64) @ joined.astype(np.float64)
    return np.split(sums, n_tables, axis=1)


def _n_drawn(counts: NDArray[Any]) -> FloatArray:
    n_drawn: FloatArray = counts.sum(axis=1, keepdims=True, dtype=np.float64)
    return n_drawn


def _ratio(numerator: FloatArray, denominator: FloatArray) -> FloatArray:
    ratio: FloatArray = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=ratio, where=denominator > 0)
    return ratio
