"""Ridge regression of many labels, each with the penalty that suits it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._row_sample import sample_rows
from multimodal_ensemble.linear._block import Block
from multimodal_ensemble.linear._decomposition import decompose
from multimodal_ensemble.linear._joined_blocks import JoinedBlocks
from multimodal_ensemble.linear._rare_labels import own_share
from multimodal_ensemble.linear._scored_rows import ScoredRows
from multimodal_ensemble.linear._targets import Targets
from multimodal_ensemble.metrics import mean_roc_auc

# Candidates, in units of a hundredth of the number of rows: the mean squared norm of a block is 1.
PENALTIES = tuple(float(value) for value in np.geomspace(0.003, 100, 10))


@dataclass(frozen=True, eq=False)
class RidgeFit:
    """A fitted ridge regression.

    Parameters
    ----------
    coefficients : list of ndarray of shape (n_features, n_labels)
        Of the standardised features of each block; the intercept is the mean of the labels.
    scores : ndarray of shape (n_scored, n_labels)
        The score of each scored row from a model without the row, which leaves out the intercept.
    scored : ndarray of shape (n_scored,)
        Positions of the scored rows, ascending.
    penalties : ndarray of shape (n_labels,)
        The penalty of each label, in the units of the candidates.
    is_exact : bool
        Whether all directions of the rows were used.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.linear import Block, fit_ridge
    >>> X = np.arange(20.0)[:, np.newaxis]
    >>> fit_ridge([Block.fit(X, standardize=True)], X > 9).is_exact
    True
    """

    coefficients: list[NDArray[np.float64]]
    scores: NDArray[np.float64]
    scored: NDArray[np.intp]
    penalties: NDArray[np.float64]
    is_exact: bool


def fit_ridge(
    blocks: Sequence[Block],
    y: Any,
    *,
    sample_weight: NDArray[np.float64] | None = None,
    groups: NDArray[np.intp] | None = None,
    scored: NDArray[np.intp] | None = None,
    penalties: Sequence[float] = PENALTIES,
    seed: int = 0,
) -> RidgeFit:
    """Fit one ridge regression per label; all labels share one decomposition of the rows.

    Each label has the penalty with the highest ROC-AUC of its leave-one-out scores. The ROC-AUC of
    a label that n rows have (or lack, if these are fewer) is first drawn towards the mean of all
    labels, with the weights ``n / (n + 30)`` and ``30 / (n + 30)``, because that of a rare label
    has few steps.

    Coefficients come from all rows, which are read part by part. Beyond 200,000 rows, only a random
    sample of so many has leave-one-out scores, so that memory does not grow with the rows.

    Parameters
    ----------
    blocks : sequence of Block
        Standardised features, joined side by side.
    y : ndarray of shape (n_samples, n_labels)
        Labels, as targets 0 and 1.
    sample_weight : ndarray of shape (n_samples,), optional
        Positive weights of the rows.
    groups : ndarray of shape (n_samples,), optional
        Number of the group of each row. Rows of a group are left out together.
    scored : ndarray of shape (n_scored,), optional
        Positions of the rows that have leave-one-out scores, ascending, with whole groups.
        Default: all rows or, if there are more than 200,000, a random sample of so many, or of
        groups with so many.
    penalties : sequence of float, default=PENALTIES
        Candidates, in units of ``n_samples / 100``.
    seed : int, default=0
        Seed of the sample, and of the decomposition, which matters with more than 6,000 rows and
        features.

    Returns
    -------
    RidgeFit
        Coefficients and leave-one-out scores.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.linear import Block, fit_ridge
    >>> X = np.arange(20.0)[:, np.newaxis]
    >>> fit = fit_ridge([Block.fit(X, standardize=True)], X > 9)
    >>> fit.scores.shape, fit.coefficients[0].shape
    ((20, 1), (1, 1))
    """
    n_rows, n_labels = y.shape
    if scored is None:
        scored = sample_rows(n_rows, groups=groups, seed=seed)
    target = Targets.fit(y, sample_weight)
    rows = JoinedBlocks(blocks, target.root_weight)
    parts = decompose(rows, target, seed=seed)
    candidates = np.sort(penalties)
    units = candidates * n_rows / 100
    scorer = ScoredRows(parts, target, scored, groups, units)
    weight = None if sample_weight is None else sample_weight[scored]
    roc_auc = np.empty((len(candidates), n_labels))
    for labels in scorer.batches:
        every = scorer.of_all_penalties(labels)
        for number, without in enumerate(every):
            roc_auc[number, labels] = _roc_auc(without, scorer.y[:, labels], weight)
    quality = _draw_to_mean(roc_auc, scorer.y)
    # With equal quality, the larger penalty.
    best = len(candidates) - 1 - np.argmax(quality[::-1], axis=0)
    if len(scorer.batches) == 1:
        scores = np.ascontiguousarray(every[best, :, np.arange(n_labels)].T)
    else:
        scores = scorer.of_each_label(best)
    squares = parts.squares[:, np.newaxis]
    coefficients = parts.coefficients(squares / (squares + units[best]) * parts.along)
    return RidgeFit(rows.split(coefficients), scores, scored, candidates[best], parts.is_exact)


def _roc_auc(scores: NDArray[np.float64], y: NDArray[np.bool_], weight: Any) -> NDArray[np.float64]:
    """Return the ROC-AUC of each label, 0 for a label of one class."""
    has_both = y.any(axis=0) & ~y.all(axis=0)
    quality = np.zeros(y.shape[1])
    if has_both.any():
        quality[has_both] = mean_roc_auc(
            y[:, has_both], scores[:, has_both], average=None, sample_weight=weight
        )
    return quality


def _draw_to_mean(quality: NDArray[np.float64], y: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Draw the ROC-AUC of rare labels, of each penalty, towards the mean of all labels."""
    fewer = np.minimum(y.sum(axis=0), (~y).sum(axis=0))
    has_both = fewer > 0
    if not has_both.any():
        return quality
    trust = own_share(fewer)
    mean = quality[:, has_both].mean(axis=1, keepdims=True)
    drawn: NDArray[np.float64] = trust * quality + (1 - trust) * mean
    return drawn
