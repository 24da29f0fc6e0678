"""The rows to train on, and the rows that choose weights and thresholds."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multimodal_ensemble._tables import check_same_index
from multimodal_ensemble._validation import check_sample_weight
from multimodal_ensemble._warnings import warn
from multimodal_ensemble.estimators._labels import read_labels
from multimodal_ensemble.estimators._table import read_table
from multimodal_ensemble.model_selection import stratified_holdout


@dataclass(frozen=True, eq=False)
class Rows:
    """A table with its labels, its row weights and the positions of its rows in X.

    Raises
    ------
    ValueError
        If the lengths differ, or the weights are invalid.
    """

    data: pd.DataFrame
    y: NDArray[np.bool_]
    weight: Any = None
    positions: NDArray[np.intp] | None = None

    def __post_init__(self) -> None:
        check_same_length(self.data, self.y)
        check_sample_weight(self.weight, len(self.data))

    def take(self, positions: NDArray[np.intp]) -> Rows:
        """Return the rows at these positions."""
        weight = None if self.weight is None else np.asarray(self.weight)[positions]
        return Rows(self.data.iloc[positions], self.y[positions], weight, positions)

    @contextmanager
    def locating_errors(self) -> Iterator[None]:
        """Add to an error about a row of this part the position of that row in X."""
        try:
            yield
        except (ValueError, OSError) as error:
            row = getattr(error, "row", None)
            if row is not None and self.positions is not None and row < len(self.positions):
                error.add_note(
                    "X was split into training and validation rows: "
                    f"row {row} of this part is row {self.positions[row]} of X."
                )
            raise


@dataclass(frozen=True, eq=False)
class TrainingRows:
    """All rows of one training.

    Parameters
    ----------
    train, validation : Rows
        Rows to train on, and rows that choose weights and thresholds.
    classes : ndarray of shape (n_labels,)
        The labels of the columns of y.
    is_same : bool
        Whether `train` and `validation` are the same rows.
    n_features_in, feature_names_in
        Number and names of the columns of X; see `Fitted`.
    """

    train: Rows
    validation: Rows
    classes: NDArray[Any]
    is_same: bool
    n_features_in: int
    feature_names_in: NDArray[Any] | None


def read_training_rows(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    validation_data: tuple[Any, Any] | None,
    sample_weight: Any,
    classes: NDArray[Any] | None,
    seed: int,
) -> TrainingRows:
    """Read and check the rows that `fit` receives; the estimator itself is not changed.

    Parameters
    ----------
    estimator : MultimodalClassifier
        Its class appears in scikit-learn's messages; its `validation_fraction` of the rows is held
        out without `validation_data`.
    X, y, validation_data, sample_weight
        As `MultimodalClassifier.fit` takes them.
    classes : ndarray of shape (n_labels,), optional
        The labels, where they are known. Default: those of `y`.
    seed : int
        Seed of the rows that are held out.

    Raises
    ------
    ValueError
        If rows, labels or weights are invalid or do not fit together.
    """
    # scikit-learn stores the number and the names of columns on the estimator that it checks.
    checked = copy.copy(estimator)
    table = read_table(checked, X, reset=True)
    check_same_index(table, y)
    check_same_index(table, sample_weight, name="sample_weight")
    y_true, classes = read_labels(y, classes)
    rows = Rows(table, y_true, sample_weight)
    if validation_data is None:
        train, validation = hold_out(rows, estimator.validation_fraction, seed)
    else:
        train, validation = rows, _read_validation_rows(checked, validation_data, classes)
    if not (has_label := train.y.any(axis=0)).all():
        warn(
            f"No training row has the label(s) {classes[~has_label].tolist()}, so they cannot be "
            "learned."
        )
    return TrainingRows(
        train,
        validation,
        classes,
        is_same=validation is train or (validation_data is not None and validation_data[0] is X),
        n_features_in=checked.n_features_in_,
        feature_names_in=getattr(checked, "feature_names_in_", None),
    )


def hold_out(rows: Rows, fraction: float | None, seed: int) -> tuple[Rows, Rows]:
    """Split rows into training and validation rows, with each label's share in both.

    Without a fraction, both are all rows.

    Raises
    ------
    ValueError
        If there is only one row, or no label is both present and absent in the validation rows.
    """
    if len(rows.y) < 2:
        msg = (
            "n_samples=1: one row cannot be split into training and validation rows. Pass more "
            "rows, or validation_data=(X, y) with rows that have and rows that lack a label."
        )
        raise ValueError(msg)
    if fraction is None:
        return rows, rows
    train, validation = stratified_holdout(rows.y, fraction, random_state=seed)
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


def _read_validation_rows(checked: Any, validation_data: Any, classes: NDArray[Any]) -> Rows:
    if not isinstance(validation_data, tuple | list) or len(validation_data) != 2:
        msg = f"validation_data must be a pair (X, y). Received {type(validation_data).__name__}."
        raise ValueError(msg)
    X, y = validation_data
    table = read_table(checked, X, reset=False)
    check_same_index(table, y)
    y_true, _ = read_labels(y, classes, name="y of validation_data")
    return Rows(table, y_true)
