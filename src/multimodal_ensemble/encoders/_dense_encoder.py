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
from multimodal_ensemble.exceptions import ModalityError


@keras.saving.register_keras_serializable(package=PACKAGE)
class DenseEncoder(Encoder):
    """Numeric columns or precomputed vectors, through one dense layer.

    Parameters
    ----------
    name : str
        Name of the modality and of the Keras input.
    column : str or sequence of str, optional
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
            If the values are not finite numbers, or the vectors differ in length.
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
        try:
            numbers = _to_numbers(values)
        except (TypeError, ValueError, OverflowError) as error:
            msg = (
                f"Modality {self.name!r} expects numbers, or vectors of equal length: {error}. "
                "Use BagOfWordsEncoder for tokens."
            )
            raise ModalityError(msg) from error
        if numbers.ndim == 1:
            numbers = numbers[:, np.newaxis]
        if numbers.ndim != 2:
            msg = (
                f"Modality {self.name!r} expects one number or one vector per row. "
                f"Received an array of shape {numbers.shape}."
            )
            raise ModalityError(msg)
        finite = np.isfinite(numbers)
        if not finite.all():
            row, position = np.argwhere(~finite)[0]
            names = list(values.columns) if isinstance(values, pd.DataFrame) else None
            where = f"column {names[position]!r}" if names else f"position {position}"
            msg = (
                f"Modality {self.name!r} expects finite numbers. Received "
                f"{numbers[row, position]} in row {row}, {where} "
                f"({(~finite).sum()} such values in total). Fill them in first, or pass "
                "optional=True if rows may lack all numbers of this modality."
            )
            raise ModalityError(msg, row=int(row))
        return numbers

    def find_missing(self, values: Any) -> NDArray[np.bool_]:
        """Return True for each row that is None or has only NaN."""
        if isinstance(values, pd.DataFrame | pd.Series):
            values = values.to_numpy(dtype=object)
        return np.array([np.all(pd.isna(value)) for value in values], dtype=bool)

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
        return numbers.astype(np.float32)


def _to_numbers(values: Any) -> NDArray[np.float64]:
    if isinstance(values, pd.Series) and values.dtype != object:
        # The conversion of a table turns pandas' own missing values into NaN.
        values = values.to_frame()
    dtypes = values.dtypes if isinstance(values, pd.DataFrame) else [getattr(values, "dtype", None)]
    if any(getattr(dtype, "kind", "O") in "mM" for dtype in dtypes):
        # NumPy would silently convert them to a number of nanoseconds or days.
        msg = "dates and times are not numbers"
        raise TypeError(msg)
    # NumPy converts a list of vectors, but not an object array of vectors.
    is_table = isinstance(values, pd.DataFrame) or getattr(values, "ndim", 1) > 1
    array = np.array(values if is_table else list(values))
    is_text = array.dtype.kind in "US"
    if is_text or (array.dtype == object and any(isinstance(v, str) for v in array.ravel())):
        # NumPy would silently parse strings that look like numbers.
        msg = "strings are not numbers"
        raise TypeError(msg)
    if array.dtype.kind == "c":
        msg = "complex numbers have two parts; use one column for each part"
        raise TypeError(msg)
    return array.astype(np.float64)
