"""Cross-validation folds that are stratified by several labels."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils import check_random_state

from multimodal_ensemble._tables import check_same_index
from multimodal_ensemble._validation import check_at_least, check_choice, check_label_matrix
from multimodal_ensemble.model_selection._assign_groups import assign_groups, read_groups
from multimodal_ensemble.model_selection._assign_parts import assign_parts


class MultilabelStratifiedKFold(BaseCrossValidator):
    """K folds in which each label is about as frequent as in all rows.

    A scikit-learn splitter for multilabel targets. Each row is a test row of exactly one fold, and
    the sizes of any two folds differ by at most one row. With groups, all rows of a group are in
    the same fold, and the sizes are only similar.

    Parameters
    ----------
    n_splits : int, default=5
        Number of folds, at least 2.
    shuffle : bool, default=True
        Whether to assign rows with the same labels in random order.
    random_state : int, RandomState instance or None, default=None
        Source of that order; an int makes the folds reproducible. Requires `shuffle`.

    Raises
    ------
    ValueError
        If `n_splits` is not a whole number of at least 2, `shuffle` is not a boolean, or
        `random_state` is set without `shuffle`.

    See Also
    --------
    stratified_holdout : Split rows into two parts of any size.
    sklearn.model_selection.StratifiedKFold : Folds for a single label.

    Notes
    -----
    The folds come from iterative stratification [1]_. The label with the fewest unassigned rows is
    processed first, and each of its rows goes to the fold that still needs the most rows of that
    label. Unlike the original, this implementation breaks ties by the other labels of the row
    before the sizes of the folds, and never adds a row to a full fold.

    A label with fewer rows than folds is absent from the test rows of some folds. Rare labels are
    assigned first, so deviations of a few rows affect frequent labels. Rows without labels are
    also spread evenly.

    With groups, the largest groups and those with rare labels are assigned first, each to the fold
    that then deviates least from its share of rows and labels.

    References
    ----------
    .. [1] K. Sechidis, G. Tsoumakas and I. Vlahavas, "On the stratification of multi-label data",
       ECML PKDD 2011, Lecture Notes in Computer Science 6913.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.model_selection import MultilabelStratifiedKFold
    >>> y = np.array([[1, 0], [1, 0], [0, 1], [0, 1], [1, 1], [1, 1], [0, 0], [0, 0]])
    >>> folds = MultilabelStratifiedKFold(2, random_state=0)
    >>> for train, test in folds.split(y, y):
    ...     print(y[test].sum(axis=0), len(test))
    [2 2] 4
    [2 2] 4
    """

    def __init__(
        self,
        n_splits: int = 5,
        *,
        shuffle: bool = True,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        check_at_least(n_splits, 2, name="n_splits")
        check_choice(shuffle, (True, False), name="shuffle")
        if not shuffle and random_state is not None:
            msg = (
                f"random_state has no effect without shuffle. Received {random_state!r}; "
                "pass shuffle=True, or leave random_state out."
            )
            raise ValueError(msg)
        self.n_splits = n_splits
        self.shuffle = shuffle
        self.random_state = random_state

    # scikit-learn passes groups to this splitter also where metadata routing is enabled.
    __metadata_request__split = {"groups": True}  # noqa: RUF012

    def split(
        self, X: Any, y: ArrayLike | None = None, groups: ArrayLike | None = None
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """Yield the training rows and the test rows of each fold.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Only its length is used.
        y : array-like or sparse matrix of shape (n_samples, n_labels)
            Multi-hot labels, 0 or 1.
        groups : array-like of shape (n_samples,), default=None
            The group of each row, such as its patient, as a string or number. All rows of a group
            are test rows of the same fold.

        Yields
        ------
        train : ndarray of shape (n_train,), int
            Positions of the training rows, in ascending order.
        test : ndarray of shape (n_test,), int
            Positions of the test rows, in ascending order.

        Raises
        ------
        ValueError
            If `y` is not a 0/1 matrix, does not have the length or index of `X`, or has fewer rows
            or groups than there are folds.
        """
        check_same_index(X=X, y=y, groups=groups)
        yield from super().split(X, y, groups)

    def get_n_splits(self, X: object = None, y: object = None, groups: object = None) -> int:
        """Return the number of folds.

        Parameters
        ----------
        X, y, groups : object, default=None
            Ignored; present for compatibility with other splitters.

        Returns
        -------
        int
            `n_splits`.
        """
        return self.n_splits

    def _iter_test_indices(
        self, X: object = None, y: ArrayLike | None = None, groups: ArrayLike | None = None
    ) -> Iterator[NDArray[np.intp]]:
        labels = check_label_matrix(y, name="y")
        if len(labels) < self.n_splits:
            msg = (
                f"n_splits={self.n_splits} needs at least as many rows. "
                f"Received n_samples={len(labels)}; choose a smaller n_splits."
            )
            raise ValueError(msg)
        rng = check_random_state(self.random_state) if self.shuffle else None
        shares = [1] * self.n_splits
        if groups is None:
            parts = assign_parts(labels, shares, rng)
        else:
            numbers = read_groups(groups, y, at_least=self.n_splits)
            parts = assign_groups(labels, numbers, shares, rng)[numbers]
        for part in range(self.n_splits):
            yield np.flatnonzero(parts == part)
