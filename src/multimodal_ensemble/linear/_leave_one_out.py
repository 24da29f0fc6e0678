"""Scores of rows from a model without these rows, without fitting it again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# A row that alone determines its own fitted value has no value without it.
_LARGEST_LEVERAGE = 1 - 1e-9
# Of scores of targets 0 and 1.
_ROUNDING = 1e-10
# Groups of one size whose equations are solved at once.
_GROUPS_AT_ONCE = 256


def leave_one_out(
    left: NDArray[np.float64],
    shrinkage: NDArray[np.float64],
    target: NDArray[np.float64],
    root_weight: NDArray[np.float64],
    *,
    groups: Sequence[NDArray[np.intp]] = (),
) -> NDArray[np.float64]:
    """Return the score of each row from ridge regression without the row.

    The regression without the row has its own intercept. The score is the product of the row, less
    the mean of all rows, and the coefficients. It leaves the intercept out, which is the lower the
    more often the row's own label is 1, so that scores of a useless model would rank all rows
    wrongly.

    Parameters
    ----------
    left : ndarray of shape (n_samples, rank)
        Orthonormal directions of the centred rows, times the roots of their weights.
    shrinkage : ndarray of shape (rank,)
        ``squares / (squares + penalty)``, in 0..1.
    target : ndarray of shape (n_samples, n_labels)
        Centred targets, times the roots of the weights.
    root_weight : ndarray of shape (n_samples,)
        Roots of the weights of the rows.
    groups : sequence of ndarray, default=()
        Rows that are left out together, each as row numbers.

    Returns
    -------
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
    >>> leave_one_out(left, np.array([0.5]), target, np.ones(4)).round(3).tolist()
    [[0.2], [0.2], [-0.2], [-0.2]]
    """
    root = root_weight[:, np.newaxis]
    weight, total = root**2, float((root_weight**2).sum())
    residual = target - left @ (shrinkage[:, np.newaxis] * (left.T @ target))
    leverage = ((left**2) @ shrinkage)[:, np.newaxis] + weight / total
    without = residual / np.maximum(1 - leverage, 1 - _LARGEST_LEVERAGE)
    # Fitted values less the mean of the other rows' targets.
    fitted = (target - without) / root + _divide(root * target, total - weight, total)
    scores: NDArray[np.float64] = fitted * (1 - weight / total)
    by_size: dict[int, list[NDArray[np.intp]]] = {}
    for rows in groups:
        if len(rows) > 1:
            by_size.setdefault(len(rows), []).append(rows)
    for same_size in by_size.values():
        for rows in np.array_split(np.stack(same_size), -(-len(same_size) // _GROUPS_AT_ONCE)):
            part, root = left[rows], root_weight[rows][:, :, np.newaxis]
            hat = (part * shrinkage) @ part.transpose(0, 2, 1) + root @ (
                root.transpose(0, 2, 1) / total
            )
            of_rows = np.linalg.solve(
                np.eye(rows.shape[1]) / _LARGEST_LEVERAGE - hat, residual[rows]
            )
            of_group = (root * target[rows]).sum(axis=1, keepdims=True)
            rest = total - (root**2).sum(axis=1, keepdims=True)
            fitted = (target[rows] - of_rows) / root + _divide(of_group, rest, total)
            scores[rows] = fitted - (root**2 * fitted).sum(axis=1, keepdims=True) / total
    # What is left of 0 by rounding would rank the rows by their own labels.
    scores[np.abs(scores) < _ROUNDING] = 0
    return scores


def _divide(
    targets: NDArray[np.float64], rest: NDArray[np.float64], total: float
) -> NDArray[np.float64]:
    """Return targets by the weight of the other rows; 0 where there are no others."""
    has_others = rest > 1e-9 * total
    return np.where(has_others, targets / np.where(has_others, rest, 1.0), 0.0)
