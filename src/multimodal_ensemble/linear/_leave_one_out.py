"""Scores of rows from a model without these rows, without fitting it again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

# A row that alone determines its own fitted value has no value without it.
_LARGEST_LEVERAGE = 1 - 1e-9
# Keeps the equations of a group solvable. A larger number would tell a row its own label.
_TINY = 1e-14
# Of scores of targets 0 and 1, by the size of the numbers of the directions in bytes.
_ROUNDING = {8: 1e-10, 4: 1e-6}
# So that squares or copies of the directions are never held for all rows.
_ROWS_AT_ONCE = 1024


def leave_one_out(
    left: NDArray[Any],
    shrinkages: NDArray[Any],
    target: NDArray[np.float64],
    root_weight: NDArray[np.float64],
    *,
    groups: Sequence[NDArray[np.intp]] = (),
) -> Iterator[NDArray[np.float64]]:
    """Yield the score of each row from ridge regression without the row, for each penalty.

    The regression without the row has its own intercept. The score is the product of the row, less
    the mean of all rows, and the coefficients. It leaves the intercept out, which is the lower the
    more often the row's own label is 1, so that scores of a useless model would rank all rows
    wrongly.

    Parameters
    ----------
    left : ndarray of shape (n_samples, rank)
        Orthonormal directions of the centred rows, times the roots of their weights.
    shrinkages : ndarray of shape (n_penalties, rank)
        ``squares / (squares + penalty)`` of each penalty, in 0..1.
    target : ndarray of shape (n_samples, n_labels)
        Centred targets, times the roots of the weights.
    root_weight : ndarray of shape (n_samples,)
        Roots of the weights of the rows.
    groups : sequence of ndarray, default=()
        Rows that are left out together, each as row numbers.

    Yields
    ------
    ndarray of shape (n_samples, n_labels)
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
    >>> [scores] = leave_one_out(left, np.array([[0.5]]), target, np.ones(4))
    >>> scores.round(3).tolist()
    [[0.2], [0.2], [-0.2], [-0.2]]
    """
    along = left.T @ target.astype(left.dtype)
    leverages = np.empty((len(left), len(shrinkages)))
    for start in range(0, len(left), _ROWS_AT_ONCE):
        part = slice(start, start + _ROWS_AT_ONCE)
        leverages[part] = left[part] ** 2 @ shrinkages.T.astype(left.dtype)
    by_size: dict[int, list[NDArray[np.intp]]] = {}
    for rows in groups:
        if len(rows) > 1:
            by_size.setdefault(len(rows), []).append(rows)
    same_sizes = [np.stack(same) for same in by_size.values()]
    for shrinkage, leverage in zip(shrinkages, leverages.T, strict=True):
        residual = target - left @ (shrinkage[:, np.newaxis] * along).astype(left.dtype)
        scores = _single_scores(leverage, residual, target, root_weight)
        for same in same_sizes:
            n_parts = min(len(same), -(-same.size // _ROWS_AT_ONCE))
            for rows in np.array_split(same, n_parts):
                scores[rows] = _group_scores(
                    left[rows], shrinkage, residual[rows], target[rows], root_weight, rows
                )
        # What is left of 0 by rounding would rank the rows by their own labels.
        scores[np.abs(scores) < _ROUNDING[left.itemsize]] = 0
        yield scores


def _single_scores(
    leverage: NDArray[np.float64],
    residual: NDArray[np.float64],
    target: NDArray[np.float64],
    root_weight: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the score of each row from a model without this row alone."""
    root = root_weight[:, np.newaxis]
    weight, total = root**2, float((root_weight**2).sum())
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
    rows: NDArray[np.intp],
) -> NDArray[np.float64]:
    """Return the scores of the rows of groups, (n_groups, n, n_labels), without their group."""
    total = float((root_weight**2).sum())
    root = root_weight[rows][:, :, np.newaxis]
    hat = (left * shrinkage) @ left.transpose(0, 2, 1) + root @ (root.transpose(0, 2, 1) / total)
    without = np.linalg.solve((1 + _TINY) * np.eye(rows.shape[1]) - hat, residual)
    of_group = (root * target).sum(axis=1, keepdims=True)
    rest = total - (root**2).sum(axis=1, keepdims=True)
    fitted = (target - without) / root + _divide(of_group, rest, total)
    scores = fitted - (root**2 * fitted).sum(axis=1, keepdims=True) / total
    # A model of no rows knows nothing.
    known: NDArray[np.float64] = np.where(_has_others(rest, total), scores, 0.0)
    return known


def _divide(
    targets: NDArray[np.float64], rest: NDArray[np.float64], total: float
) -> NDArray[np.float64]:
    """Return targets by the weight of the other rows; 0 where there are no others."""
    has_others = _has_others(rest, total)
    return np.where(has_others, targets / np.where(has_others, rest, 1.0), 0.0)


def _has_others(rest: NDArray[np.float64], total: float) -> NDArray[np.bool_]:
    return rest > 1e-9 * total
