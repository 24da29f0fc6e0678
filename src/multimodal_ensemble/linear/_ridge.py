"""Ridge regression of many labels, each with the penalty that suits it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble.linear._block import Block, JoinedBlocks
from multimodal_ensemble.linear._decomposition import decompose
from multimodal_ensemble.linear._leave_one_out import leave_one_out
from multimodal_ensemble.linear._rare_labels import own_share
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
    scores : ndarray of shape (n_samples, n_labels)
        The score of each row from a model without the row, which leaves out the intercept.
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
    penalties: NDArray[np.float64]
    is_exact: bool


def fit_ridge(
    blocks: Sequence[Block],
    y: NDArray[np.bool_],
    *,
    sample_weight: NDArray[np.float64] | None = None,
    groups: NDArray[np.intp] | None = None,
    penalties: Sequence[float] = PENALTIES,
    seed: int = 0,
) -> RidgeFit:
    """Fit one ridge regression per label; all labels share one decomposition of the rows.

    Each label has the penalty with the highest ROC-AUC of its leave-one-out scores. The ROC-AUC of
    a label that n rows have (or lack, if these are fewer) is first drawn towards the mean of all
    labels, with the weights ``n / (n + 30)`` and ``30 / (n + 30)``, because that of a rare label
    has few steps.

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
    penalties : sequence of float, default=PENALTIES
        Candidates, in units of ``n_samples / 100``.
    seed : int, default=0
        Seed of the decomposition, which matters with more than 6,000 rows and features.

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
    n_rows = len(y)
    weight = np.ones(n_rows) if sample_weight is None else sample_weight / sample_weight.mean()
    root_weight = np.sqrt(weight)
    centred: NDArray[np.float64] = y - np.average(y, axis=0, weights=weight)
    rows = JoinedBlocks(blocks, root_weight)
    parts = decompose(rows, seed=seed)
    target = root_weight[:, np.newaxis] * centred
    together = [] if groups is None else _rows_by_group(groups)
    best_quality = np.full(y.shape[1], -np.inf)
    best_penalty = np.zeros(y.shape[1])
    scores = np.zeros(y.shape)
    candidates = np.sort(penalties)
    shrinkages = parts.squares / (parts.squares + candidates[:, np.newaxis] * n_rows / 100)
    each = leave_one_out(parts.left, shrinkages, target, root_weight, groups=together)
    for penalty, without in zip(candidates, each, strict=True):
        quality = _rate(without, y, sample_weight)
        # With equal quality, the larger penalty.
        better = quality >= best_quality
        best_quality[better] = quality[better]
        best_penalty[better] = penalty
        scores[:, better] = without[:, better]
    squares = parts.squares[:, np.newaxis]
    along = parts.left.T @ target.astype(parts.left.dtype)
    shrunk = squares / (squares + best_penalty * n_rows / 100) * along
    coefficients = parts.coefficients(shrunk)
    return RidgeFit(rows.split(coefficients), scores, best_penalty, parts.is_exact)


def _rate(scores: NDArray[np.float64], y: NDArray[np.bool_], weight: Any) -> NDArray[np.float64]:
    """Return the ROC-AUC of each label, drawn towards the mean of all labels if it is rare."""
    fewer = np.minimum(y.sum(axis=0), (~y).sum(axis=0))
    has_both = fewer > 0
    if not has_both.any():
        return np.zeros(y.shape[1])
    quality = np.zeros(y.shape[1])
    quality[has_both] = mean_roc_auc(
        y[:, has_both], scores[:, has_both], average=None, sample_weight=weight
    )
    trust = own_share(fewer)
    rated: NDArray[np.float64] = trust * quality + (1 - trust) * quality[has_both].mean()
    return rated


def _rows_by_group(groups: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    order = np.argsort(groups, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
