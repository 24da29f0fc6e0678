"""Putting rows aside so that every label stays as frequent as it was."""

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
    """Put a fraction of the rows aside, with every label about as frequent in both parts.

    Parameters
    ----------
    y : array-like or sparse matrix of shape (n_samples, n_labels)
        Multi-hot labels, 0 or 1, of at least 2 rows.
    fraction : float
        Which fraction of the rows to put aside, above 0 and below 1.
    random_state : int, RandomState instance or None, default=None
        Decides between rows that are alike; an int gives the same rows each time.

    Returns
    -------
    train_rows : ndarray of shape (n_train,), int
        Numbers of the rows to train on, ascending.
    holdout_rows : ndarray of shape (n_holdout,), int
        Numbers of the rows put aside, ascending: ``round(fraction * n_samples)`` rows, but at
        least 1, and at most all but 1.

    Raises
    ------
    ValueError
        If `y` is not a 0/1 matrix or has fewer than 2 rows, or `fraction` is not between 0 and 1.

    See Also
    --------
    MultilabelStratifiedKFold : Several parts of one size.

    Notes
    -----
    Iterative stratification, as in `MultilabelStratifiedKFold`, with two unequal parts. A label
    that occurs in at least two rows always occurs in the training rows. Where a large fraction
    would take all its rows, one of them is exchanged for a row that training can spare; without
    such a row the holdout rows get fewer.

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
        msg = f"y must have at least 2 rows to put one aside. Received {n_rows} row."
        raise ValueError(msg)
    n_holdout = min(max(round(float(fraction) * n_rows), 1), n_rows - 1)
    parts = assign_parts(labels, [n_rows - n_holdout, n_holdout], check_random_state(random_state))
    _keep_labels_in_training(labels, parts, n_holdout)
    return np.flatnonzero(parts == _TRAINING), np.flatnonzero(parts == _HOLDOUT)


def _keep_labels_in_training(
    labels: NDArray[np.bool_], parts: NDArray[np.intp], n_holdout: int
) -> None:
    """Exchange rows, in place, until training has each label of at least two rows.

    One holdout row always stays: while there is but one, training has every such label.
    """
    promised = labels.sum(axis=0) >= 2
    n_training = labels[parts == _TRAINING].sum(axis=0)
    while (missing := promised & (n_training == 0)).any():
        rows = np.flatnonzero(parts == _HOLDOUT)
        row = rows[np.argmax(labels[rows][:, missing].sum(axis=1))]
        parts[row] = _TRAINING
        n_training += labels[row]
    # Rows that were moved may have made others superfluous.
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
            "It is the part of the rows to put aside, not their number."
        )
        raise ValueError(msg)
