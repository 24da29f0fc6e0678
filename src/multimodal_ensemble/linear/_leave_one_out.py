"""Scores of rows from a model without these rows, without fitting it again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

# A row that alone determines its own fitted value has no value without it.
_LARGEST_LEVERAGE = 1 - 1e-9
# Keeps the equations of a group solvable. A larger number would tell a row its own label.
_TINY = 1e-14
# Of scores of targets 0 and 1, by the size of the numbers of the directions in bytes.
_ROUNDING = {8: 1e-10, 4: 1e-6}
# So that the matrices of groups are never held for all rows.
_ROWS_AT_ONCE = 1024


def leave_one_out(
    left: NDArray[Any],
    shrinkages: NDArray[Any],
    along: NDArray[np.float64],
    target: NDArray[np.float64],
    root_weight: NDArray[np.float64],
    total_weight: float,
    *,
    groups: Sequence[NDArray[np.intp]] = (),
) -> NDArray[np.float64]:
    """Return the scores of some rows from ridge regressions without the row, for each penalty.

    The regression without the row has its own intercept. The score is the product of the row, less
    the mean of all rows, and the coefficients. It leaves the intercept out, which is the lower the
    more often the row's own label is 1, so that scores of a useless model would rank all rows
    wrongly.

    Parameters
    ----------
    left : ndarray of shape (n, rank)
        Some rows of the orthonormal directions of the centred rows, times the roots of their
        weights.
    shrinkages : ndarray of shape (n_penalties, rank)
        ``squares / (squares + penalty)`` of each penalty, in 0..1.
    along : ndarray of shape (rank, n_labels)
        Inner products of the directions and the targets of all rows.
    target : ndarray of shape (n, n_labels)
        Centred targets of these rows, times the roots of the weights.
    root_weight : ndarray of shape (n,)
        Roots of the weights of these rows.
    total_weight : float
        Sum of the weights of all rows.
    groups : sequence of ndarray, default=()
        Rows that are left out together, each as positions in `left`, which has all rows of each
        group.

    Returns
    -------
    ndarray of shape (n_penalties, n, n_labels)
        Scores.

    Notes
    -----
    With the hat matrix H of the regression with its intercept, the residual of row i without it is
    ``residual_i / (1 - H_ii)``, and that of a group is ``inv(I - H_gg) @ residual_g`` [1]_. The
    mean of the rows without a group differs from that of all rows by the share of the group; the
    last step of the computation accounts for it.

    References
    ----------
    .. [1] R. D. Cook and S. Weisberg, "Residuals and Influence in Regression", 1982, section 2.2.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.linear._leave_one_out import leave_one_out
    >>> left = np.array([[0.5], [0.5], [-0.5], [-0.5]])
    >>> target = np.array([[0.5], [0.5], [-0.5], [-0.5]])
    >>> along = left.T @ target
    >>> [scores] = leave_one_out(left, np.array([[0.5]]), along, target, np.ones(4), 4.0)
    >>> scores.round(3).tolist()
    [[0.2], [0.2], [-0.2], [-0.2]]
    """
    n_penalties, (n_rows, n_labels) = len(shrinkages), target.shape
    shrunk = shrinkages.T[:, :, np.newaxis] * along[:, np.newaxis]
    fitted = left @ shrunk.reshape(len(along), n_penalties * n_labels).astype(left.dtype)
    fitted = fitted.reshape(n_rows, n_penalties, n_labels)
    leverages = np.square(left) @ shrinkages.T.astype(left.dtype)
    same_sizes = _by_size(groups)
    scores = np.empty((n_penalties, *target.shape))
    for number, shrinkage in enumerate(shrinkages):
        residual = target - fitted[:, number]
        leverage = leverages[:, number].astype(np.float64)
        scores[number] = _single_scores(leverage, residual, target, root_weight, total_weight)
        for same in same_sizes:
            n_parts = min(len(same), -(-same.size // _ROWS_AT_ONCE))
            for rows in np.array_split(same, n_parts):
                scores[number, rows] = _group_scores(
                    left[rows],
                    shrinkage,
                    residual[rows],
                    target[rows],
                    root_weight[rows],
                    total_weight,
                )
    # What is left of 0 by rounding would rank the rows by their own labels.
    scores[np.abs(scores) < _ROUNDING[left.itemsize]] = 0
    return scores


def _by_size(groups: Sequence[NDArray[np.intp]]) -> list[NDArray[np.intp]]:
    """Return the groups of more than one row, stacked with those of the same size."""
    by_size: dict[int, list[NDArray[np.intp]]] = {}
    for rows in groups:
        if len(rows) > 1:
            by_size.setdefault(len(rows), []).append(rows)
    return [np.stack(same) for same in by_size.values()]


def _single_scores(
    leverage: NDArray[np.float64],
    residual: NDArray[np.float64],
    target: NDArray[np.float64],
    root_weight: NDArray[np.float64],
    total: float,
) -> NDArray[np.float64]:
    """Return the score of each row from a model without this row alone."""
    root = root_weight[:, np.newaxis]
    weight = root**2
    rest = 1 - leverage[:, np.newaxis] - weight / total
    without = residual / np.maximum(rest, 1 - _LARGEST_LEVERAGE)
    # Fitted values less the mean of the other rows' targets.
    fitted = (target - without) / root + _divide(root * target, total - weight, total)
    scores: NDArray[np.float64] = fitted * (1 - weight / total)
    return scores


def _group_scores(
    left: NDArray[Any],
    shrinkage: NDArray[Any],
    residual: NDArray[np.float64],
    target: NDArray[np.float64],
    root_weight: NDArray[np.float64],
    total: float,
) -> NDArray[np.float64]:
    """Return the scores of the rows of groups, (n_groups, n, n_labels), without their group."""
    root = root_weight[:, :, np.newaxis]
    # The hat matrix of each group is `wide @ wide.T`.
    wide = np.concatenate([left * np.sqrt(shrinkage), root / np.sqrt(total)], axis=2)
    without = _solve_without_hat(wide, residual)
    of_group = (root * target).sum(axis=1, keepdims=True)
    rest = total - (root**2).sum(axis=1, keepdims=True)
    fitted = (target - without) / root + _divide(of_group, rest, total)
    scores = fitted - (root**2 * fitted).sum(axis=1, keepdims=True) / total
    # A model of no rows knows nothing.
    known: NDArray[np.float64] = np.where(_has_others(rest, total), scores, 0.0)
    return known


def _solve_without_hat(
    wide: NDArray[np.float64], residual: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return ``inv((1 + tiny) * I - wide @ wide.T) @ residual`` of each group."""
    tall = wide.transpose(0, 2, 1)
    n, rank = wide.shape[1:]
    if n <= rank:
        return np.asarray(np.linalg.solve((1 + _TINY) * np.eye(n) - wide @ tall, residual))
    # By Woodbury's identity, a large group needs no matrix of all pairs of its rows.
    inner = np.linalg.solve((1 + _TINY) * np.eye(rank) - tall @ wide, tall @ residual)
    return np.asarray((residual + wide @ inner) / (1 + _TINY))


def _divide(
    targets: NDArray[np.float64], rest: NDArray[np.float64], total: float
) -> NDArray[np.float64]:
    """Return targets by the weight of the other rows; 0 where there are no others."""
    has_others = _has_others(rest, total)
    return np.where(has_others, targets / np.where(has_others, rest, 1.0), 0.0)


def _has_others(rest: NDArray[np.float64], total: float) -> NDArray[np.bool_]:
    return rest > 1e-9 * total
