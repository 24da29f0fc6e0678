"""Split rows into two parts that are stratified by several labels."""

from __future__ import annotations

import heapq
from collections import Counter
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import check_random_state

from multimodal_ensemble._validation import check_label_matrix
from multimodal_ensemble.model_selection._assign_groups import (
    assign_groups,
    labels_in_groups,
    read_groups,
)
from multimodal_ensemble.model_selection._assign_parts import assign_parts
from multimodal_ensemble.model_selection._label_lists import LabelLists

_TRAINING, _HOLDOUT = 0, 1


def stratified_holdout(
    y: ArrayLike,
    fraction: float,
    *,
    groups: ArrayLike | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Hold out a fraction of the rows, with each label about as frequent in both parts.

    Parameters
    ----------
    y : array-like or sparse matrix of shape (n_samples, n_labels)
        Multi-hot labels, 0 or 1, with at least 2 rows.
    fraction : float
        Fraction of the rows to hold out, above 0 and below 1.
    groups : array-like of shape (n_samples,), default=None
        The group of each row, such as its patient, as a string or number. All rows of a group are
        in the same part.
    random_state : int, RandomState instance or None, default=None
        Chooses among rows with the same labels; an int makes the split reproducible.

    Returns
    -------
    train_rows : ndarray of shape (n_train,), int
        Positions of the training rows, in ascending order.
    holdout_rows : ndarray of shape (n_holdout,), int
        Positions of the held-out rows, in ascending order. Their number is
        ``round(fraction * n_samples)``, at least 1 and at most ``n_samples - 1``. With `groups`,
        it is only close to that.

    Raises
    ------
    ValueError
        If `y` is not a 0/1 matrix or has fewer than 2 rows, `fraction` is not between 0 and 1, or
        `groups` differs in length or index from `y` or has fewer than 2 groups.

    See Also
    --------
    MultilabelStratifiedKFold : Split rows into several parts of equal size.

    Notes
    -----
    The parts come from iterative stratification, as in `MultilabelStratifiedKFold`. A label that
    occurs in at least two rows always occurs in the training rows. If a large fraction would hold
    out all its rows, one of them is exchanged for a training row that is not the last one of any
    label. If there is no such row, fewer rows are held out.

    With `groups`, the largest groups and those with rare labels are assigned first, each to the
    part that then deviates least from its share of rows and labels. A label that occurs in at
    least two groups always occurs in the training rows.

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
    shares = [n_rows - n_holdout, n_holdout]
    rng = check_random_state(random_state)
    if groups is None:
        parts = assign_parts(labels, shares, rng)
        _keep_labels_in_training(LabelLists(labels), parts, n_holdout)
    else:
        numbers = read_groups(groups, y, at_least=2)
        parts = assign_groups(labels, numbers, shares, rng)
        _keep_labels_in_training(LabelLists(labels_in_groups(labels, numbers)), parts, 0)
        parts = parts[numbers]
    return np.flatnonzero(parts == _TRAINING), np.flatnonzero(parts == _HOLDOUT)


def _keep_labels_in_training(lists: LabelLists, parts: NDArray[np.intp], n_holdout: int) -> None:
    """Exchange rows, in place, until each label with at least two rows occurs in training.

    At least one row stays held out: training cannot lack such a label if only one row is. The rows
    of `lists` and `parts` may also be groups of rows.
    """
    is_training = (parts == _TRAINING).tolist()
    n_training = [sum(is_training[row] for row in rows) for rows in lists.rows_of]
    promised = [len(rows) >= 2 for rows in lists.rows_of]
    lacking = {label for label, n in enumerate(n_training) if promised[label] and not n}
    _return_rows(lists, lacking, parts, n_training)
    # After these moves, training may no longer need some of its rows.
    n_missing = n_holdout - int((parts == _HOLDOUT).sum())
    rows = np.flatnonzero(parts == _TRAINING).tolist() if n_missing > 0 else []
    for row in sorted(rows, key=lambda row: len(lists.labels_of[row])):
        labels = lists.labels_of[row]
        if any(promised[label] and n_training[label] == 1 for label in labels):
            continue
        parts[row] = _HOLDOUT
        for label in labels:
            n_training[label] -= 1
        n_missing -= 1
        if not n_missing:
            return


def _return_rows(
    lists: LabelLists, lacking: set[int], parts: NDArray[np.intp], n_training: list[int]
) -> None:
    """Move held-out rows to training, in place, first those with most of the lacking labels."""
    n_lacking = Counter(row for label in lacking for row in lists.rows_of[label])
    queue = [(-n, row) for row, n in n_lacking.items()]
    heapq.heapify(queue)
    while lacking:
        n, row = heapq.heappop(queue)
        if -n != n_lacking[row]:
            # Other rows have brought some of its labels since it was added.
            heapq.heappush(queue, (-n_lacking[row], row))
            continue
        parts[row] = _TRAINING
        for label in lists.labels_of[row]:
            n_training[label] += 1
            if label in lacking:
                lacking.remove(label)
                n_lacking.subtract(lists.rows_of[label])


def _check_open_fraction(fraction: Any) -> None:
    is_number = isinstance(fraction, Real) and not isinstance(fraction, bool)
    if not is_number or not 0 < float(fraction) < 1:
        msg = (
            f"fraction must be above 0 and below 1. Received fraction={fraction!r}. "
            "It is the fraction of the rows to hold out, not their number."
        )
        raise ValueError(msg)
