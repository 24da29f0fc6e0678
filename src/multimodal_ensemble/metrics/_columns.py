"""One label at a time, so that the memory of metrics does not grow with the number of labels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._validation import FloatArray, ScoreArray


def read_columns(
    positive: NDArray[np.bool_], scores: ScoreArray, known: NDArray[np.bool_] | None = None
) -> Iterator[tuple[NDArray[np.bool_], ScoreArray]]:
    """Yield the known rows of each label: what is true, and the scores.

    Both are contiguous, because selecting from a strided column takes as long as sorting it.
    """
    for column in range(positive.shape[1]):
        true = np.ascontiguousarray(positive[:, column])
        score = np.ascontiguousarray(scores[:, column])
        yield (true, score) if known is None else (true[known[:, column]], score[known[:, column]])


def read_weighted_columns(
    positive: NDArray[np.bool_],
    scores: ScoreArray,
    weights: FloatArray | None = None,
    known: NDArray[np.bool_] | None = None,
) -> Iterator[tuple[NDArray[np.bool_], ScoreArray, FloatArray | None]]:
    """Yield the known rows with a positive weight of each label, and their weights."""
    for column, (true, score) in enumerate(read_columns(positive, scores, known)):
        if weights is None:
            yield true, score, None
            continue
        weight = weights if weights.ndim == 1 else np.ascontiguousarray(weights[:, column])
        weight = weight if known is None else weight[known[:, column]]
        used = slice(None) if weight.all() else weight > 0
        yield true[used], score[used], weight[used]


def sort_by_class(positive: NDArray[np.bool_], scores: ScoreArray) -> tuple[ScoreArray, ScoreArray]:
    """Return the scores of the positive rows and of the negative rows, both in ascending order.

    Sorting values is several times faster than `numpy.argsort` followed by indexing.
    """
    positives, negatives = scores[positive], scores[~positive]
    positives.sort()
    negatives.sort()
    return positives, negatives


def ascending_order(scores: ScoreArray) -> NDArray[np.int64]:
    """Return the order of `numpy.argsort`; rows of equal float32 scores stay in their order."""
    if scores.dtype != np.float32 or len(scores) >= 2**32:
        return np.argsort(scores)
    # Numbers of 64 bits, which hold the score above the row, sort several times faster.
    bits = (scores + np.float32(0)).view(np.int32)
    # As unsigned numbers, the bits of floats ascend once those of negative ones are inverted.
    keys = bits.view(np.uint32) ^ ((bits >> 31).view(np.uint32) | np.uint32(2**31))
    packed = keys.astype(np.uint64)
    packed <<= np.uint64(32)
    packed |= np.arange(len(scores), dtype=np.uint32)
    packed.sort()
    packed &= np.uint64(2**32 - 1)
    return packed.view(np.int64)


def count_at_positives(
    positives: ScoreArray, negatives: ScoreArray
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return where each distinct score of sorted positives starts, and the negatives below it."""
    is_first = np.ones(len(positives), dtype=bool)
    np.not_equal(positives[1:], positives[:-1], out=is_first[1:])
    starts = np.flatnonzero(is_first)
    return starts, np.searchsorted(negatives, positives[starts], side="left")


def roc_auc(positives: ScoreArray, negatives: ScoreArray) -> float:
    """Return the fraction of pairs with the higher score for the positive; ties count half.

    The scores of both classes are sorted.
    """
    below = np.searchsorted(negatives, positives, side="left").sum()
    not_above = np.searchsorted(negatives, positives, side="right").sum()
    # The counts are whole numbers, so that only the division rounds.
    return float(below + not_above) / (2 * len(positives) * len(negatives))


def average_precision(positives: ScoreArray, negatives: ScoreArray) -> float:
    """Return the mean over positives of the precision at their score.

    The scores of both classes are sorted.
    """
    starts, n_below = count_at_positives(positives, negatives)
    tp, fp = len(positives) - starts, len(negatives) - n_below
    n_found = np.diff(starts, append=len(positives))
    return float((n_found * (tp / (tp + fp))).sum()) / len(positives)


def weighted_roc_auc(positive: NDArray[np.bool_], scores: ScoreArray, weights: FloatArray) -> float:
    """Return the ROC-AUC with the product of both weights as that of a pair."""
    positives, weights_of_positives = _sort_with_weights(scores[positive], weights[positive])
    negatives, weights_of_negatives = _sort_with_weights(scores[~positive], weights[~positive])
    below = np.zeros(len(negatives) + 1)
    np.cumsum(weights_of_negatives, out=below[1:])
    in_order = below[np.searchsorted(negatives, positives, side="left")]
    in_order += below[np.searchsorted(negatives, positives, side="right")]
    value = (weights_of_positives @ in_order) / (2 * weights_of_positives.sum() * below[-1])
    # Sums of fractional weights are rounded.
    return min(float(value), 1.0)


def _sort_with_weights(scores: ScoreArray, weights: FloatArray) -> tuple[ScoreArray, FloatArray]:
    order = ascending_order(scores)
    return scores[order], weights[order]


def rank_rows(
    scores: ScoreArray,
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Return the ascending order of rows, and where each run of equal scores starts and ends.

    The last array holds the length of each run.
    """
    order = ascending_order(scores)
    ranked = scores[order]
    is_first = np.ones(len(scores), dtype=bool)
    np.not_equal(ranked[1:], ranked[:-1], out=is_first[1:])
    starts = np.flatnonzero(is_first)
    ends = np.append(starts[1:], len(scores))
    return order, starts, ends, ends - starts


def count_other_class_below(positive: NDArray[np.bool_], scores: ScoreArray) -> NDArray[np.int64]:
    """Return, for each row, twice the number of rows of the other class with a lower score.

    Rows of the other class with the same score count once, so that the numbers are exact.
    """
    order, starts, ends, lengths = rank_rows(scores)
    true = positive[order]
    found = np.zeros(len(scores) + 1, dtype=np.int64)
    np.cumsum(true, out=found[1:])
    of_positives = found[starts] + found[ends]
    of_negatives = starts + ends - of_positives
    if len(starts) < len(scores):
        of_positives = np.repeat(of_positives, lengths)
        of_negatives = np.repeat(of_negatives, lengths)
    counts = np.empty(len(scores), dtype=np.int64)
    counts[order] = np.where(true, of_negatives, of_positives)
    return counts
