"""Numbers: columns of a table, or ready-made vectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.exceptions import NotFittedError
from sklearn.preprocessing import StandardScaler

from multimodal_ensemble._keras import PACKAGE
from multimodal_ensemble._validation import check_choice
from multimodal_ensemble.encoders._dense_head import DenseHead
from multimodal_ensemble.encoders._encoder import Encoder
from multimodal_ensemble.exceptions import ModalityError


@keras.saving.register_keras_serializable(package=PACKAGE)
class DenseEncoder(Encoder):
    """Numeric columns or ready-made vectors, through one dense layer.

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
        The trainable layers; see `Encoder`. Default: ``DenseHead(64)``.
    optional : bool, default=False
        Whether rows may lack this modality, that is, all of its numbers; see `Encoder`. For
        columns that are missing one by one, make an encoder of each.

    Attributes
    ----------
    n_features_ : int
        How many numbers one row has.
    feature_names_ : list or None
        The columns, where the encoder was fitted to a DataFrame.
    mean_, scale_ : ndarray of shape (n_features,)
        What is subtracted, and then divided by; with ``scaling="standard"`` only.

    Raises
    ------
    ValueError
        If an option has a value that it cannot have.

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
        head = DenseHead(64) if head is None else head
        super().__init__(name, column=column, head=head, optional=optional)
        check_choice(scaling, ("standard", None), name="scaling")
        self.scaling = scaling

    def fit(self, values: Any) -> Self:
        """Learn mean and scale from the training rows.

        Parameters
        ----------
        values : array-like of shape (n,) or (n, n_features), or DataFrame
            Numbers of the training rows; a sequence of n vectors will do.

        Returns
        -------
        DenseEncoder
            The encoder itself.

        Raises
        ------
        ModalityError
            If they are not finite numbers, or the vectors differ in length.
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
        """How many numbers one row has."""
        if not hasattr(self, "n_features_"):
            msg = (
                f"Modality {self.name!r} is not fitted yet. Call fit with the training rows, "
                "or fit_encoders for several encoders, first."
            )
            raise NotFittedError(msg)
        return (self.n_features_,)

    def prepare(self, values: Any) -> NDArray[np.float64]:
        """Return the numbers as they are, as one array, once they have been checked.

        Parameters
        ----------
        values : array-like of shape (n,) or (n, n_features), or DataFrame
            Numbers; a sequence of n vectors will do.

        Returns
        -------
        ndarray of shape (n, n_features)
            Of dtype float64.

        Raises
        ------
        ModalityError
            If they are not finite numbers, or the vectors differ in length.
        """
        names = list(values.columns) if isinstance(values, pd.DataFrame) else None
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
                f"Modality {self.name!r} expects one number or one vector a row. "
                f"Received an array of shape {numbers.shape}."
            )
            raise ModalityError(msg)
        finite = np.isfinite(numbers)
        if not finite.all():
            row, position = np.argwhere(~finite)[0]
            where = f"column {names[position]!r}" if names else f"position {position}"
            msg = (
                f"Modality {self.name!r} expects finite numbers. Received "
                f"{numbers[row, position]} in row {row}, {where} "
                f"({(~finite).sum()} such values in all). Fill them in first, or pass "
                "optional=True if rows may lack this modality as a whole."
            )
            raise ModalityError(msg)
        return numbers

    def find_missing(self, values: Any) -> NDArray[np.bool_]:
        """Return which rows have no number.

        Parameters
        ----------
        values : array-like of shape (n,) or (n, n_features), or DataFrame
            Raw values; a sequence of n vectors will do.

        Returns
        -------
        ndarray of shape (n,)
            True where a row is None, or each of its numbers is NaN.
        """
        if isinstance(values, pd.DataFrame | pd.Series):
            values = values.to_numpy(dtype=object)
        return np.array([np.all(pd.isna(value)) for value in values], dtype=bool)

    def encode(self, values: Any) -> NDArray[np.float32]:
        """Return the numbers, standardised if asked for.

        Parameters
        ----------
        values : array-like of shape (n,) or (n, n_features), or DataFrame
            Raw values, or rows of what `prepare` returned.

        Returns
        -------
        ndarray of shape (n, n_features)
            Of dtype float32.

        Raises
        ------
        ModalityError
            If there are more or fewer numbers in a row than in training, or not finite ones.
        """
        numbers = self.prepare(values)
        if numbers.shape[1:] != self.input_shape:
            msg = (
                f"Modality {self.name!r} was fitted to {self.input_shape[0]} numbers a row. "
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
        # A table's missing values become NaN, whatever pandas has for them.
        values = values.to_frame()
    dtypes = values.dtypes if isinstance(values, pd.DataFrame) else [getattr(values, "dtype", None)]
    if any(getattr(dtype, "kind", "O") in "mM" for dtype in dtypes):
        # Numpy would take them for nanoseconds, or for days, without a word.
        msg = "dates and times are not numbers"
        raise TypeError(msg)
    # An object array of vectors is not converted by numpy, a list of them is.
    is_table = isinstance(values, pd.DataFrame) or getattr(values, "ndim", 1) > 1
    array = np.array(values if is_table else list(values))
    is_text = array.dtype.kind in "US"
    if is_text or (array.dtype == object and any(isinstance(v, str) for v in array.ravel())):
        # Numpy would parse those that look like numbers, without a word.
        msg = "strings are not numbers"
        raise TypeError(msg)
    if array.dtype.kind == "c":
        msg = "complex numbers have two parts; give each a column"
        raise TypeError(msg)
    return array.astype(np.float64)
