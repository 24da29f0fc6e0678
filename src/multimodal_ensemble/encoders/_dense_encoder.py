"""Numbers: columns of a table, or precomputed vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler

from multimodal_ensemble._keras import PACKAGE
from multimodal_ensemble._validation import check_choice
from multimodal_ensemble.encoders._encoder import Encoder
from multimodal_ensemble.encoders._numbers import (
    LARGEST,
    column_names,
    describe_place,
    find_missing_numbers,
    to_numbers,
)
from multimodal_ensemble.exceptions import ModalityError


@keras.saving.register_keras_serializable(package=PACKAGE)
class DenseEncoder(Encoder):
    """Numeric columns or precomputed vectors, through one dense layer.

    All types of real numbers are read: also booleans (0 and 1), decimals, and the nullable, Arrow,
    sparse and categorical types of pandas. Strings, dates and time spans are refused, and so are
    numbers beyond the range of float32.

    Parameters
    ----------
    name : str
        Name of the modality and of the Keras input.
    column : str or list of str, optional
        One column of numbers or of vectors of equal length, or several columns of numbers.
        Default: `name`.
    scaling : {"standard", None}, default="standard"
        ``"standard"`` scales each number to mean 0 and variance 1 on the training rows.
    head : callable, optional
        The trainable layers; see `Encoder`. Default: ``DenseHead()``.
    optional : bool, default=False
        Whether rows may lack this modality, that is, all of its numbers; see `Encoder`. If single
        columns may be missing, create one encoder per column.

    Attributes
    ----------
    n_features_ : int
        Number of numbers per row.
    feature_names_ : list or None
        The columns, if the encoder was fitted to a DataFrame.
    mean_, scale_ : ndarray of shape (n_features,)
        The value that is subtracted and the value that is divided by; only with
        ``scaling="standard"``.

    Raises
    ------
    ValueError
        If an option is out of range.

    Examples
    --------
    >>> import pandas as pd
    >>> from multimodal_ensemble import DenseEncoder
    >>> table = pd.DataFrame({"year": [1990, 2000], "minutes": [80.0, 120.0]})
    >>> encoder = DenseEncoder("numbers", column=["year", "minutes"]).fit(table)
    >>> encoder.encode(table).tolist()
    [[-1.0, -1.0], [1.0, 1.0]]
    """

    def __init__(
        self,
        name: str,
        *,
        column: str | Sequence[str] | None = None,
        scaling: str | None = "standard",
        head: Callable[[tuple[int, ...]], keras.Layer] | None = None,
        optional: bool = False,
    ) -> None:
        super().__init__(name, column=column, head=head, optional=optional)
        check_choice(scaling, ("standard", None), name="scaling")
        self.scaling = scaling

    def fit(self, values: Any) -> Self:
        """Learn the mean and the scale from the training rows.

        Raises
        ------
        ModalityError
            If the values are not finite numbers that fit into float32, or the vectors differ in
            length.
        """
        numbers = self.prepare(values)
        self.n_features_ = numbers.shape[1]
        self.feature_names_ = list(values.columns) if isinstance(values, pd.DataFrame) else None
        if self.scaling == "standard":
            scaler = StandardScaler().fit(numbers)
            self.mean_, self.scale_ = scaler.mean_, scaler.scale_
        return self

    @property
    def input_shape(self) -> tuple[int]:
        """Number of numbers per row."""
        return (self._learned("n_features_"),)

    def prepare(self, values: Any) -> NDArray[np.float64]:
        """Check the numbers and return them, not scaled, as one float64 array (n, n_features)."""
        numbers = to_numbers(values, self.name)
        self._check_finite(numbers, column_names(values))
        return numbers

    def find_missing(self, values: Any) -> NDArray[np.bool_]:
        """Return True for each row that is None or has only missing numbers, such as NaN."""
        if isinstance(values, pd.DataFrame):
            return super().find_missing(values)
        return find_missing_numbers(values)

    def encode(self, values: Any) -> NDArray[np.float32]:
        """Return the numbers as float32, scaled according to `scaling`.

        Raises
        ------
        ModalityError
            If a row has another number of numbers than in training, or one that is not finite.
        """
        numbers = self.prepare(values)
        if numbers.shape[1:] != self.input_shape:
            msg = (
                f"Modality {self.name!r} was fitted to {self.input_shape[0]} numbers per row. "
                f"Received {numbers.shape[1]}."
            )
            raise ModalityError(msg)
        names = list(values.columns) if isinstance(values, pd.DataFrame) else self.feature_names_
        if self.feature_names_ not in (None, names):
            msg = (
                f"Modality {self.name!r} was fitted to the columns {self.feature_names_}. "
                f"Received {names}."
            )
            raise ModalityError(msg)
        if self.scaling == "standard":
            numbers = (numbers - self.mean_) / self.scale_
            self._check_finite(numbers, names or self.columns, after=" after scaling")
        return numbers.astype(np.float32)

    def _check_finite(
        self, numbers: NDArray[np.float64], columns: list[Any] | None, *, after: str = ""
    ) -> None:
        """Raise an error about the first number that is NaN, infinite, or infinite as float32."""
        usable = np.abs(numbers) <= LARGEST
        if usable.all():
            return
        row, position = np.argwhere(~usable)[0]
        number = numbers[row, position]
        if np.isfinite(number):
            limit = f" of at most {LARGEST:.2g} (float32){after}"
            fix = "Correct them, or use a larger unit."
        else:
            limit = ", neither NaN nor infinite"
            fix = "Fill them in first, or pass optional=True if rows may lack all numbers of this "
            fix += "modality."
            if columns is not None and len(columns) > 1:
                fix += " If rows may lack some of them, create one such encoder per column."
        msg = (
            f"Modality {self.name!r} expects finite numbers{limit}. Received {number} in row "
            f"{row}, {describe_place(columns, position, numbers.shape[1])} "
            f"({(~usable).sum()} such values in total). {fix}"
        )
        raise ModalityError(msg, row=int(row))
