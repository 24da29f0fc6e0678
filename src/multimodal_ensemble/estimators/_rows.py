"""What `fit` and `predict` receive: X as a table, and the rows to train and to validate on."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multimodal_ensemble._known_labels import known_labels
from multimodal_ensemble._open_table import split_labels
from multimodal_ensemble._table_files import TableFile
from multimodal_ensemble._tables import check_same_index, from_arrow, named_rows
from multimodal_ensemble._target import Target
from multimodal_ensemble._validation import check_sample_weight
from multimodal_ensemble.estimators._label_column import warn_of_absent_labels
from multimodal_ensemble.estimators._read_table import read_large_table
from multimodal_ensemble.estimators._target_column import read_target_column
from multimodal_ensemble.model_selection import stratified_holdout

_N_FOLDS = 5
# Of more rows, labels have about the same shares in a random part, and stratifying takes minutes.
_MAX_STRATIFIED = 250_000
# Encoders are fitted to so many rows of a large table in files, at most and at least, or to those
# that take so many bytes.
_MAX_SAMPLE, _MIN_SAMPLE = 100_000, 10_000
_SAMPLE_BYTES = 2**30


@dataclasses.dataclass(frozen=True, eq=False)
class Rows:
    """A table with its labels, row weights and groups, and the positions of its rows in X."""

    data: pd.DataFrame | TableFile
    y: NDArray[np.bool_]
    # None, or what becomes float64 of shape (n,) or, with weights for each label, (n, n_labels).
    weight: Any = None
    positions: NDArray[np.intp] | None = None
    # The number of each row's group, where rows of a group are left out together.
    groups: NDArray[np.intp] | None = None

    def __post_init__(self) -> None:
        check_same_length(self.data, self.y)
        object.__setattr__(self, "weight", check_sample_weight(self.weight, *self.y.shape))

    @classmethod
    def of(cls, data: pd.DataFrame | TableFile, y_true: NDArray[Any], weight: Any = None) -> Rows:
        """Return rows whose labels are NaN where they are unknown, which then have no weight."""
        if y_true.dtype == np.bool_:
            return cls(data, y_true, weight)
        known = ~np.isnan(y_true)
        weight = check_sample_weight(weight, *y_true.shape)
        # A row with a weight has it for each label.
        of_rows: Any = 1.0 if weight is None else weight.reshape(len(known), -1)
        return cls(data, y_true == 1, known * of_rows)

    def take(self, positions: NDArray[np.intp]) -> Rows:
        """Return the rows at these positions."""
        weight, groups = (
            None if each is None else each[positions] for each in (self.weight, self.groups)
        )
        in_x = positions if self.positions is None else self.positions[positions]
        return Rows(self.data.take(positions), self.y[positions], weight, in_x, groups)

    def in_memory(self, seed: int) -> Rows:
        """Return these rows, or some of them at random if they are in files and too many."""
        if not isinstance(self.data, TableFile):
            return self
        n_rows = len(self.data)
        fitting = _SAMPLE_BYTES * n_rows // max(1, self.data.n_bytes)
        n_taken = min(n_rows, _MAX_SAMPLE, max(_MIN_SAMPLE, fitting))
        chosen = np.random.default_rng(seed).choice(n_rows, n_taken, replace=False)
        some = self.take(np.sort(chosen))
        return dataclasses.replace(some, data=some.frame)

    @property
    def truth(self) -> NDArray[Any]:
        """The labels, NaN where they are unknown or have no weight."""
        return known_labels(self.y, self.weight)

    @property
    def frame(self) -> pd.DataFrame:
        """The table of these rows in memory."""
        return self.data.frame() if isinstance(self.data, TableFile) else self.data

    @property
    def n_folds(self) -> int:
        """Number of folds of these rows: five, or one for each row or group if these are fewer."""
        n_units = len(self.y) if self.groups is None else len(np.unique(self.groups))
        return min(_N_FOLDS, n_units)

    @contextmanager
    def locating_errors(self) -> Iterator[None]:
        """Add to an error about a row of this part the position of that row in X."""
        try:
            yield
        except (ValueError, OSError) as error:
            row = getattr(error, "row", None)
            if row is not None and self.positions is not None and row < len(self.positions):
                error.add_note(
                    "Only a part of the rows of X is used here: "
                    f"row {row} of this part is row {self.positions[row]} of X."
                )
            raise


@dataclasses.dataclass(frozen=True, eq=False)
class TrainingRows:
    """The rows of one training, its target, and the columns of X as `Fitted` has them."""

    train: Rows
    validation: Rows
    target: Target
    # Whether the training rows are also the validation rows.
    is_same: bool
    n_features_in: int
    feature_names_in: NDArray[Any] | None

    @property
    def labels(self) -> NDArray[Any]:
        """The labels of the columns of `y`."""
        return self.target.labels


def read_training_rows(
    estimator: Any,
    X: Any,
    y: Any,
    validation_data: tuple[Any, Any] | None,
    sample_weight: Any,
    *,
    groups: Any = None,
    known: Target | None,
    seed: int,
) -> TrainingRows:
    """Read and check what `MultimodalClassifier.fit` receives; `estimator` is not changed."""
    read = read_all_rows(estimator, X, y, sample_weight, groups=groups, known=known)
    if groups is not None and (validation_data is not None or not estimator.validation_fraction):
        msg = (
            "groups keeps the rows of a group together where fit holds out validation rows. With "
            "validation_data, or validation_fraction=None, nothing is held out; omit groups."
        )
        raise ValueError(msg)
    if validation_data is None:
        train, validation = hold_out(read.train, estimator.validation_fraction, seed, groups=groups)
        is_same = validation is train
    else:
        train = read.train
        validation = _read_validation_rows(estimator, validation_data, read)
        is_same = validation_data[0] is X
    warn_of_absent_labels(train.y, read.labels)
    return dataclasses.replace(read, train=train, validation=validation, is_same=is_same)


def read_all_rows(
    estimator: Any,
    X: Any,
    y: Any,
    sample_weight: Any,
    *,
    groups: Any = None,
    known: Target | None = None,
) -> TrainingRows:
    """Read and check rows of which none is held out; `estimator` is not changed."""
    # scikit-learn stores the number and the names of columns on the estimator that it checks.
    checked = copy.copy(estimator)
    X, y = split_labels(X, y)
    table = read_large_table(checked, X, reset=True)
    check_same_index(X=named_rows(X, table), y=y, sample_weight=sample_weight, groups=groups)
    sample_weight = from_arrow(sample_weight, name="sample_weight")
    y_true, target = read_target_column(
        y,
        known,
        delimiter=estimator.label_delimiter,
        min_count=estimator.min_label_count,
        report=print if estimator.verbose else lambda line: None,
    )
    rows = Rows.of(table, y_true, sample_weight)
    if target.is_single and rows.weight is not None and rows.weight.ndim == 2:
        msg = (
            "sample_weight must have one weight per row, of shape (n_samples,), because y has one "
            f"class per row. Received shape {rows.weight.shape}."
        )
        raise ValueError(msg)
    return TrainingRows(
        rows,
        rows,
        target,
        is_same=True,
        n_features_in=checked.n_features_in_,
        feature_names_in=getattr(checked, "feature_names_in_", None),
    )


def hold_out(
    rows: Rows, fraction: float | None, seed: int, *, groups: Any = None
) -> tuple[Rows, Rows]:
    """Return training and validation rows, with each label's share in both; None does not split.

    Of very many rows without groups, the validation rows are random.
    """
    if len(rows.y) < 2:
        msg = (
            "n_samples=1: one row cannot be split into training and validation rows. Pass more "
            "rows, or validation_data=(X, y) with rows that have and rows that lack a label."
        )
        raise ValueError(msg)
    if fraction is None:
        return rows, rows
    if groups is None and len(rows.y) > _MAX_STRATIFIED:
        order = np.random.default_rng(seed).permutation(len(rows.y))
        validation, train = np.split(order, [round(fraction * len(order))])
    else:
        train, validation = stratified_holdout(rows.y, fraction, groups=groups, random_state=seed)
    if not _has_mixed_label(rows.truth[validation]):
        fix = "Pass validation_data=(X, y)"
        if _has_mixed_label(rows.truth):
            fix += (
                ", a larger validation_fraction, or validation_fraction=None to choose weights and "
                "thresholds on the training rows themselves"
            )
        msg = (
            f"In the {len(validation)} of {len(rows.y)} rows that validation_fraction={fraction} "
            f"holds out, no label is both present and absent, so nothing can be evaluated. {fix}."
        )
        raise ValueError(msg)
    return rows.take(np.sort(train)), rows.take(np.sort(validation))


def check_same_length(X: Any, y: Any) -> None:
    """Raise a ValueError unless X and y have the same number of rows."""
    if len(X) != len(y):
        msg = f"X and y must have the same number of rows. Received {len(X)} and {len(y)}."
        raise ValueError(msg)


def _has_mixed_label(truth: NDArray[Any]) -> bool:
    """Return whether some label is present in one row and absent in another; NaN is unknown."""
    return bool(((truth == 1).any(axis=0) & (truth == 0).any(axis=0)).any())


def _read_validation_rows(estimator: Any, validation_data: Any, read: TrainingRows) -> Rows:
    if not isinstance(validation_data, tuple | list) or len(validation_data) != 2:
        msg = f"validation_data must be a pair (X, y). Received {type(validation_data).__name__}."
        raise ValueError(msg)
    X, y = split_labels(*validation_data)
    # It has to have the columns of the training rows.
    checked = copy.copy(estimator)
    checked.n_features_in_ = read.n_features_in
    if read.feature_names_in is not None:
        checked.feature_names_in_ = read.feature_names_in
    table = read_large_table(checked, X, reset=False)
    check_same_index(X=named_rows(X, table), y=y)
    y_true, _ = read_target_column(
        y, read.target, name="y of validation_data", delimiter=estimator.label_delimiter
    )
    return Rows.of(table, y_true)
