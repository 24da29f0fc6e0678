"""Fitted values of rows from a model without these rows, without fitting it again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

# A row that alone determines its own fitted value has no value without it; 0 is the mean.
_LARGEST_LEVERAGE = 1 - 1e-9


def leave_one_out(
    left: NDArray[np.float64],
    shrinkage: NDArray[np.float64],
    target: NDArray[np.float64],
    *,
    groups: Sequence[NDArray[np.intp]] = (),
) -> NDArray[np.float64]:
    """Return the fitted values of ridge regression for each row from a model without the row.

    The fitted values are ``left @ diag(shrinkage) @ left.T @ target``. The centre and the scale of
    the features, and the mean of the target, stay those of all rows.

    Parameters
    ----------
    left : ndarray of shape (n_samples, rank)
        Orthonormal directions of the rows.
    shrinkage : ndarray of shape (rank,)
        ``squares / (squares + penalty)``, in 0..1.
    target : ndarray of shape (n_samples, n_labels)
        Centred targets.
    groups : sequence of ndarray, default=()
        Rows that are left out together, each as row numbers.

    Returns
    -------
    ndarray of shape (n_samples, n_labels)
        Fitted values.

    Notes
    -----
    With the hat matrix H, the residual of row i without it is ``residual_i / (1 - H_ii)``, and that
    of a group is ``inv(I - H_gg) @ residual_g`` [1]_.

    References
    ----------
    .. [1] R. D. Cook and S. Weisberg, "Residuals and Influence in Regression", 1982, section 2.2.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.linear._leave_one_out import leave_one_out
    >>> left = np.array([[0.6], [0.8]])
    >>> leave_one_out(left, np.array([0.5]), np.array([[1.0], [2.0]])).round(3).tolist()
    [[0.585], [0.353]]
    """
    fitted = left @ (shrinkage[:, np.newaxis] * (left.T @ target))
    leverage = np.minimum((left**2) @ shrinkage, _LARGEST_LEVERAGE)[:, np.newaxis]
    without: NDArray[np.float64] = (fitted - leverage * target) / (1 - leverage)
    # Groups of one size are solved together.
    by_size: dict[int, list[NDArray[np.intp]]] = {}
    for rows in groups:
        if len(rows) > 1:
            by_size.setdefault(len(rows), []).append(rows)
    for same_size in by_size.values():
        for rows in np.array_split(np.stack(same_size), -(-len(same_size) // 256)):
            part = left[rows]
            hat = (part * shrinkage) @ part.transpose(0, 2, 1)
            rest = np.eye(rows.shape[1]) * (1 + 1e-9) - hat
            residual = np.linalg.solve(rest, target[rows] - fitted[rows])
            without[rows] = target[rows] - residual
    return without
