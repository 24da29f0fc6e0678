"""What `fit` and `predict` receive: X as a table, and the rows to train and to validate on."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from os import PathLike
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils.validation import validate_data

from multimodal_ensemble._labels import label_array, read_labels
from multimodal_ensemble._table_files import TableFile, open_table, read_tables
from multimodal_ensemble._tables import (
    abbreviate,
    check_columns,
    check_same_index,
    from_arrow,
    named_rows,
    table_names,
    to_frame,
)
from multimodal_ensemble._validation import check_sample_weight
from multimodal_ensemble._warnings import warn
from multimodal_ensemble.model_selection import stratified_holdout

# The column, and the modality, that an array of numbers becomes.
_ARRAY_COLUMN = "features"
_N_FOLDS = 5
# Rows of which labels are read at once.
_ROWS_PER_PART = 32_768
# Tables in files are read into memory if they take no more.
_KEPT_BYTES = 2**27
# Of larger ones, encoders are fitted to so many rows, at most and at least, or to those that take
# so many bytes.
_MAX_SAMPLE, _MIN_SAMPLE = 100_000, 10_000
_SAMPLE_BYTES = 2**30


@dataclasses.dataclass(frozen=True, eq=False)
class Rows:
    """A table with its labels, row weights and groups, and the positions of its rows in X."""

    data: pd.DataFrame | TableFile
    y: NDArray[np.bool_]
    # None, or what becomes float64 of shape (n,).
    weight: Any = None
    positions: NDArray[np.intp] | None = None
    # The number of each row's group, where rows of a group are left out together.
    groups: NDArray[np.intp] | None = None

    def __post_init__(self) -> None:
        check_same_length(self.data, self.y)
        object.__setattr__(self, "weight", check_sample_weight(self.weight, len(self.data)))

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
        return dataclasses.replace(some, data=self.data.take(np.sort(chosen)).frame())

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
    """The rows of one training, its labels, and the columns of X as `Fitted` has them."""

    train: Rows
    validation: Rows
    classes: NDArray[Any]
    # Whether the training rows are also the validation rows.
    is_same: bool
    n_features_in: int
    feature_names_in: NDArray[Any] | None


def read_training_rows(
    estimator: Any,
    X: Any,
    y: Any,
    validation_data: tuple[Any, Any] | None,
    sample_weight: Any,
    *,
    groups: Any = None,
    classes: NDArray[Any] | None,
    seed: int,
) -> TrainingRows:
    """Read and check what `MultimodalClassifier.fit` receives; `estimator` is not changed."""
    read = read_all_rows(estimator, X, y, sample_weight, groups=groups, classes=classes)
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
    warn_of_absent_labels(train.y, read.classes)
    return dataclasses.replace(read, train=train, validation=validation, is_same=is_same)


def read_all_rows(
    estimator: Any,
    X: Any,
    y: Any,
    sample_weight: Any,
    *,
    groups: Any = None,
    classes: NDArray[Any] | None = None,
) -> TrainingRows:
    """Read and check rows of which none is held out; `estimator` is not changed."""
    # scikit-learn stores the number and the names of columns on the estimator that it checks.
    checked = copy.copy(estimator)
    X, y = split_labels(X, y)
    table = read_large_table(checked, X, reset=True)
    check_same_index(X=named_rows(X, table), y=y, sample_weight=sample_weight, groups=groups)
    sample_weight = from_arrow(sample_weight, name="sample_weight")
    y_true, classes = read_label_column(y, classes)
    rows = Rows(table, y_true, sample_weight)
    return TrainingRows(
        rows,
        rows,
        classes,
        is_same=True,
        n_features_in=checked.n_features_in_,
        feature_names_in=getattr(checked, "feature_names_in_", None),
    )


def warn_of_absent_labels(y: NDArray[np.bool_], classes: NDArray[Any]) -> None:
    """Warn of labels that no training row has."""
    if not (has_label := y.any(axis=0)).all():
        warn(
            f"No training row has the label(s) {classes[~has_label].tolist()}, so they cannot be "
            "learned."
        )


def hold_out(
    rows: Rows, fraction: float | None, seed: int, *, groups: Any = None
) -> tuple[Rows, Rows]:
    """Return training and validation rows, with each label's share in both; None does not split."""
    if len(rows.y) < 2:
        msg = (
            "n_samples=1: one row cannot be split into training and validation rows. Pass more "
            "rows, or validation_data=(X, y) with rows that have and rows that lack a label."
        )
        raise ValueError(msg)
    if fraction is None:
        return rows, rows
    train, validation = stratified_holdout(rows.y, fraction, groups=groups, random_state=seed)
    if not _has_mixed_label(rows.y[validation]):
        fix = "Pass validation_data=(X, y)"
        if _has_mixed_label(rows.y):
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


def _has_mixed_label(y: NDArray[np.bool_]) -> bool:
    """Return whether some label is present in one row and absent in another."""
    return bool((y.any(axis=0) & ~y.all(axis=0)).any())


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
    return Rows(table, read_label_column(y, read.classes, name="y of validation_data")[0])


def split_labels(X: Any, y: Any) -> tuple[Any, Any]:
    """Return X without the column that y names, and that column; others as they are."""
    if not isinstance(y, str):
        return X, y
    if is_lazy(X):
        X = open_table(X)
    names = table_names(X) if not isinstance(X, Mapping) else list(X)
    if y not in (names or []):
        msg = (
            f"y={y!r} names a column of X, which X does not have. X has {abbreviate(names or [])}. "
            "Otherwise, pass the labels of each row."
        )
        raise ValueError(msg)
    if isinstance(X, TableFile):
        return X.without(y), X.select([y])
    if isinstance(X, Mapping):
        return {name: X[name] for name in X if name != y}, X[y]
    X = from_arrow(X)
    return X.drop(columns=y), X[y]


def read_label_column(
    y: Any, classes: NDArray[Any] | None, *, name: str = "y"
) -> tuple[NDArray[np.bool_], NDArray[Any]]:
    """Return labels as `read_labels` does, those of a table in files part by part."""
    if not isinstance(y, TableFile):
        return read_labels(y, classes, name=name)
    if classes is None:
        found: set[Any] = set()
        for rows in _label_parts(y):
            # A part in which no row has a label is no reason to refuse the others.
            if any(np.size(row) for row in rows if row is not None):
                found.update(read_labels(rows, name=name)[1].tolist())
        classes = label_array(sorted(found)) if found else None
    parts = []
    for number, rows in enumerate(_label_parts(y)):
        try:
            parts.append(read_labels(rows, classes, name=name)[0])
        except ValueError as error:
            first = number * _ROWS_PER_PART
            error.add_note(f"Rows of y are counted from row {first} of X here.")
            raise
    return np.concatenate(parts), np.asarray(classes)


def _label_parts(y: TableFile) -> Iterator[list[Any]]:
    for part in y.blocks(_ROWS_PER_PART):
        yield part.iloc[:, 0].tolist()


def is_lazy(X: Any) -> bool:
    """Return whether X is a table in files, or an iterator of tables."""
    return isinstance(X, str | PathLike | Iterator | TableFile)


def read_large_table(estimator: Any, X: Any, *, reset: bool) -> pd.DataFrame | TableFile:
    """Return X as `read_table` does, but a table in files as it is if it is large."""
    if not is_lazy(X):
        return read_table(estimator, X, reset=reset)
    table = open_table(X)
    if not isinstance(table, TableFile) or table.n_bytes <= _KEPT_BYTES:
        return read_table(estimator, table, reset=reset)
    if not len(table):
        msg = "Found 0 sample(s): X has no rows, at least 1 is needed."
        raise ValueError(msg)
    if reset:
        validate_data(estimator, pd.DataFrame(columns=table.columns), skip_check_array=True)
    return table


def read_parts(estimator: Any, X: Any) -> Iterator[pd.DataFrame | TableFile]:
    """Yield the rows of X as tables: one, or those of an iterator."""
    if not isinstance(X, Iterator):
        yield read_large_table(estimator, X, reset=False)
        return
    for table in read_tables(X):
        if len(table):
            yield read_table(estimator, table, reset=False)


def read_table(estimator: Any, X: Any, *, reset: bool) -> pd.DataFrame:
    """Return X as a DataFrame with one column per raw column and its rows in order.

    An array of numbers becomes one column of vectors. With `reset`, scikit-learn sets the
    `n_features_in_` and `feature_names_in_` of the estimator; without, it compares them.
    """
    if is_lazy(X):
        table = open_table(X)
        X = table.frame() if isinstance(table, TableFile) else table
    X = from_arrow(X)
    # One kind of sparse matrix is also a mapping.
    if isinstance(X, Mapping) and not hasattr(X, "toarray"):
        X = to_frame(X)
    is_rows = isinstance(X, list | tuple) and len(X) > 0 and isinstance(X[0], Mapping)
    if isinstance(X, bytes | pd.Series) or is_rows:
        msg = (
            "X must be a DataFrame, a mapping of columns, or an array of numbers. Received "
            f"{type(X).__name__}; try pandas.DataFrame(X), or X.to_frame().T for a single row."
        )
        raise ValueError(msg)
    if not isinstance(X, pd.DataFrame):
        if isinstance(X, np.ma.MaskedArray):
            # scikit-learn would read the numbers under the mask, which become None in a list.
            X = X.tolist()
        # The encoder checks the values: scikit-learn would parse strings and time spans as numbers.
        array = validate_data(estimator, X, reset=reset, dtype=None, ensure_all_finite=False)
        return pd.DataFrame({_ARRAY_COLUMN: list(array)})
    check_columns(X)
    if not len(X):
        msg = f"Found 0 sample(s): X has no rows (columns {list(X.columns)}), at least 1 is needed."
        raise ValueError(msg)
    if reset:
        # Prediction does not compare the columns: encoders find theirs by name, and the columns of
        # an optional modality may be absent.
        validate_data(estimator, X, skip_check_array=True)
    return X
