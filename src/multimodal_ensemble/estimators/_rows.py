"""Which rows are trained on, and which ones choose weights and thresholds."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multimodal_ensemble._validation import check_sample_weight
from multimodal_ensemble.model_selection import stratified_holdout


@dataclass(frozen=True, eq=False)
class Rows:
    """A table, its labels, the weights of its rows, and which rows of X they are.

    Raises
    ------
    ValueError
        If they differ in length, or weights are none.
    """

    data: pd.DataFrame
    y: NDArray[np.bool_]
    weight: Any = None
    numbers: NDArray[np.intp] | None = None

    def __post_init__(self) -> None:
        if len(self.data) != len(self.y):
            msg = (
                "X and y must have the same number of rows. "
                f"Received {len(self.data)} and {len(self.y)}."
            )
            raise ValueError(msg)
        check_sample_weight(self.weight, len(self.data))

    def take(self, numbers: NDArray[np.intp]) -> Rows:
        """Return some rows."""
        weight = None if self.weight is None else np.asarray(self.weight)[numbers]
        return Rows(self.data.iloc[numbers], self.y[numbers], weight, numbers)

    @contextmanager
    def telling_rows(self) -> Iterator[None]:
        """Add to an error that names a row which row of X that is, where it is another one."""
        try:
            yield
        except ValueError as error:
            found = re.search(r"in row (\d+)", str(error))
            if found and self.numbers is not None and int(found[1]) < len(self.numbers):
                number = int(self.numbers[int(found[1])])
                error.add_note(
                    "X was parted into training and validation rows: "
                    f"row {found[1]} of this part is row {number} of X."
                )
            raise


@dataclass(frozen=True, eq=False)
class TrainingRows:
    """The rows of a training, and the labels that their columns of y stand for."""

    train: Rows
    validation: Rows
    classes: NDArray[Any]
    # Whether both are the same rows.
    is_same: bool

    def __post_init__(self) -> None:
        never = ~self.train.y.any(axis=0)
        if never.any():
            warnings.warn(
                f"No training row has the label(s) {self.classes[never].tolist()}, so nothing can "
                "be learned of them.",
                UserWarning,
                stacklevel=6,
            )


def hold_out(rows: Rows, classes: NDArray[Any], fraction: float | None, seed: int) -> TrainingRows:
    """Return rows, parted so that each label has its share of the validation rows.

    Raises
    ------
    ValueError
        If there are too few rows, or no label is both present and absent in the validation rows.
    """
    fix = (
        "Pass validation_data=(X, y), a larger validation_fraction, or validation_fraction=None to "
        "stop, and to learn thresholds, on the training rows themselves."
    )
    if len(rows.y) < 2:
        msg = f"n_samples=1: one row cannot be parted into training and validation rows. {fix}"
        raise ValueError(msg)
    if fraction is None:
        return TrainingRows(rows, rows, classes, is_same=True)
    train, validation = stratified_holdout(rows.y, fraction, random_state=seed)
    held_out = rows.y[validation]
    if not (held_out.any(axis=0) & ~held_out.all(axis=0)).any():
        msg = (
            f"In the {len(validation)} of {len(rows.y)} rows that validation_fraction={fraction} "
            f"holds out, no label is both present and absent, so nothing can be scored. {fix}"
        )
        raise ValueError(msg)
    train, validation = np.sort(train), np.sort(validation)
    return TrainingRows(rows.take(train), rows.take(validation), classes, is_same=False)
