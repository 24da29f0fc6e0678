"""Split rows into two parts that are stratified by several labels."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state

from multimodal_ensemble._validation import check_label_matrix
from multimodal_ensemble.model_selection._assign_parts import assign_parts

_TRAINING, _HOLDOUT = 0, 1


def stratified_holdout(
    y: ArrayLike,
    fraction: float,
    *,
    random_state: int | np.random.RandomState | None = None,
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Hold out a fraction of the rows, with each label about as frequent in both parts.

    Parameters
    ----------
    y : array-like or sparse matrix of shape (n_samples, n_labels)
        Multi-hot labels, 0 or 1, with at least 2 rows.
    fraction : float
        Fraction of the rows to hold out, above 0 and below 1.
    random_state : int, RandomState instance or None, default=None
        Chooses among rows with the same labels; an int makes the split reproducible.

    Returns
    -------
    train_rows : ndarray of shape (n_train,), int
        Positions of the training rows, in ascending order.
    holdout_rows : ndarray of shape (n_holdout,), int
        Positions of the held-out rows, in ascending order. Their number is
        ``round(fraction * n_samples)``, at least 1 and at most ``n_samples - 1``.

    Raises
    ------
    ValueError
        If `y` is not a 0/1 matrix or has fewer than 2 rows, or `fraction` is not between 0 and 1.

    See Also
    --------
    MultilabelStratifiedKFold : Split rows into several parts of equal size.

    Notes
    -----
    The parts come from iterative stratification, as in `MultilabelStratifiedKFold`. A label that
    occurs in at least two rows always occurs in the training rows. If a large fraction would hold
    out all its rows, one of them is exchanged for a training row that is not the last one of any
    label. If there is no such row, fewer rows are held out.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.model_selection import stratified_holdout
    >>> y = np.array([[1, 0], [1, 0], [1, 0], [1, 0], [0, 1], [0, 1], [0, 1], [0, 1]])
    >>> train_rows, holdout_rows = stratified_holdout(y, 0.25, random_state=0)
    >>> y[train_rows].sum(axis=0).tolist(), y[holdout_rows].sum(axis=0).tolist()
    ([3, 3], [1, 1])
    """
    labels = check_label_matrix(y, name="y")
    _check_open_fraction(fraction)
    n_rows = len(labels)
    if n_rows < 2:
        msg = f"y must have at least 2 rows so that one can be held out. Received {n_rows} row."
        raise ValueError(msg)
    n_holdout = min(max(round(float(fraction) * n_rows), 1), n_rows - 1)
    parts = assign_parts(labels, [n_rows - n_holdout, n_holdout], check_random_state(random_state))
    _keep_labels_in_training(labels, parts, n_holdout)
    return np.flatnonzero(parts == _TRAINING), np.flatnonzero(parts == _HOLDOUT)


def _keep_labels_in_training(
    labels: NDArray[np.bool_], parts: NDArray[np.intp], n_holdout: int
) -> None:
    """Exchange rows, in place, until each label with at least two rows occurs in training.

    At least one row stays held out: training cannot lack such a label if only one row is.
    """
    promised = labels.sum(axis=0) >= 2
    n_training = labels[parts == _TRAINING].sum(axis=0)
    while (lacking := promised & (n_training == 0)).any():
        rows = np.flatnonzero(parts == _HOLDOUT)
        row = rows[np.argmax(labels[rows][:, lacking].sum(axis=1))]
        parts[row] = _TRAINING
        n_training += labels[row]
    # After these moves, training may no longer need some of its rows.
    while (parts == _HOLDOUT).sum() < n_holdout:
        rows = np.flatnonzero(parts == _TRAINING)
        only_here = promised & (n_training == 1)
        rows = rows[~labels[rows][:, only_here].any(axis=1)]
        if not len(rows):
            break
        row = rows[np.argmin(labels[rows].sum(axis=1))]
        parts[row] = _HOLDOUT
        n_training -= labels[row]


def _check_open_fraction(fraction: Any) -> None:
    is_number = isinstance(fraction, Real) and not isinstance(fraction, bool)
    if not is_number or not 0 < float(fraction) < 1:
        msg = (
            f"fraction must be above 0 and below 1. Received fraction={fraction!r}. "
            "It is the fraction of the rows to hold out, not their number."
        )
        raise ValueError(msg)
