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
from multimodal_ensemble._number_strings import DECIMALS, PLACEHOLDERS, number_pattern
from multimodal_ensemble._tables import locating_errors
from multimodal_ensemble._validation import check_choice
from multimodal_ensemble.encoders._encoder import Encoder
from multimodal_ensemble.encoders._numbers import (
    LARGEST,
    as_vectors,
    column_names,
    describe_place,
    find_missing_numbers,
    iterate_numbers,
    to_numbers,
)
from multimodal_ensemble.encoders._read_number_strings import replace_strings
from multimodal_ensemble.exceptions import ModalityError


@keras.saving.register_keras_serializable(package=PACKAGE)
class DenseEncoder(Encoder):
    """Numeric columns or precomputed vectors, through one dense layer.

    All types of real numbers are read: also booleans (0 and 1), decimals, and the nullable, Arrow,
    sparse and categorical types of pandas. Dates and time spans are refused, and so are numbers
    beyond the range of float32. Strings are refused unless `decimal` says how to read them.

    In columns of numbers, single numbers may be missing. The mean of the training rows stands in
    for a missing number. If training rows lack a number, an indicator is added behind the numbers,
    which is 1 where this number is missing, else 0. Vectors must be complete.

    Vectors are not copied: arrays that are mapped into memory, such as those of
    ``numpy.load(path, mmap_mode="r")``, stay on disk until a batch of them is encoded.

    Parameters
    ----------
    name : str
        Name of the modality and of the Keras input.
    column : str or list of str, optional
        One column of numbers or of vectors of equal length, or several columns of numbers.
        Default: `name`.
    scaling : {"standard", None}, default="standard"
        ``"standard"`` scales each number to mean 0 and variance 1 on the training rows.
    decimal : {".", ","}, optional
        Decimal mark of numbers that are strings: ``"."`` for "1,234.5" and ``","`` for "1 234,5".
        The other mark, spaces and apostrophes may separate thousands. Signs of currencies are
        ignored, "3 %" is 0.03, and strings such as "", "-" and "n/a" are missing numbers. Lists as
        text, such as "[0.5, 2]", are vectors, always with a decimal point. Default: strings are
        refused.
    on_error : {"raise", "missing"}, default="raise"
        How a string that is no number is handled: ``"raise"`` an error, or, with `decimal`, count
        it as ``"missing"``, with a warning.
    head : callable, optional
        The trainable layers; see `Encoder`. Default: ``DenseHead()``.
    optional : bool, default=False
        Whether rows may lack this modality, that is, all of its numbers; see `Encoder`. Otherwise,
        the means stand in for all numbers of such rows, and only vectors are refused.

    Attributes
    ----------
    n_features_ : int
        Number of numbers per row.
    feature_names_ : list or None
        The columns, if the encoder was fitted to a DataFrame.
    mean_ : ndarray of shape (n_features,)
        Means of the training rows.
    scale_ : ndarray of shape (n_features,)
        The value that is divided by; only with ``scaling="standard"``.
    indicated_ : ndarray of shape (n_indicators,)
        Positions of the numbers that have an indicator, because training rows lack them.

    Raises
    ------
    ValueError
        If an option is out of range.

    Examples
    --------
    >>> import pandas as pd
    >>> from multimodal_ensemble import DenseEncoder
    >>> table = pd.DataFrame({"year": [1990, 2000, 1995], "minutes": [80.0, 120.0, None]})
    >>> encoder = DenseEncoder("film", column=["year", "minutes"], scaling=None)
    >>> encoder.fit(table).encode(table).tolist()
    [[1990.0, 80.0, 0.0], [2000.0, 120.0, 0.0], [1995.0, 100.0, 1.0]]
    """

    reads_missing = True

    def __init__(
        self,
        name: str,
        *,
        column: str | Sequence[str] | None = None,
        scaling: str | None = "standard",
        decimal: str | None = None,
        on_error: str = "raise",
        head: Callable[[tuple[int, ...]], keras.Layer] | None = None,
        optional: bool = False,
    ) -> None:
        super().__init__(name, column=column, head=head, optional=optional)
        check_choice(scaling, ("standard", None), name="scaling")
        check_choice(decimal, (None, *DECIMALS), name="decimal")
        check_choice(on_error, ("raise", "missing"), name="on_error")
        if on_error == "missing" and decimal is None:
            msg = "on_error='missing' is about numbers that are strings, so it needs decimal=..."
            raise ValueError(msg)
        self.scaling = scaling
        self.decimal = decimal
        self.on_error = on_error

    def fit(self, values: Any) -> Self:
        """Learn the mean and the scale of each number from the training rows.

        Parameters
        ----------
        values : sequence of length n, or DataFrame of n rows
            Of the training rows: numbers, vectors of one length, or columns of numbers.

        Returns
        -------
        DenseEncoder
            The encoder itself.

        Raises
        ------
        ModalityError
            If the values are not finite numbers that fit into float32, the vectors differ in
            length, or no training row has one of the numbers.
        """
        names = list(values.columns) if isinstance(values, pd.DataFrame) else None
        rows, may_lack = self._read_rows(values, named=names is not None)
        # Numbers may be missing in tables only, which are in memory as a whole.
        chunks = [rows] if may_lack else iterate_numbers(rows, self.name)
        n_lacking = np.isnan(rows).sum(axis=0) if may_lack else np.zeros(_width(rows), dtype=int)
        if len(rows) and (is_empty := n_lacking == len(rows)).any():
            place = describe_place(names, int(np.argmax(is_empty)), len(is_empty))
            msg = (
                f"Modality {self.name!r} has no number at {place} in any of the {len(rows)} "
                "training rows. Leave this column out."
            )
            raise ModalityError(msg)
        scaler = StandardScaler()
        for numbers in chunks:
            scaler.partial_fit(numbers)
        self.n_features_ = len(n_lacking)
        self.feature_names_ = names
        self.mean_ = scaler.mean_
        self.indicated_ = np.flatnonzero(n_lacking)
        if self.scaling == "standard":
            self.scale_ = scaler.scale_
        return self

    @property
    def input_shape(self) -> tuple[int]:
        """Number of numbers and indicators per row."""
        return (self._learned("n_features_") + len(self.indicated_),)

    @property
    def values_are_scaled(self) -> bool:  # type: ignore[override]
        """Whether numbers are scaled; indicators are not, because missing numbers may be rare."""
        return self.scaling is not None

    def prepare(self, values: Any) -> NDArray[Any]:
        """Check the numbers and return them, not scaled.

        Parameters
        ----------
        values : sequence of length n, or DataFrame of n rows
            Numbers, vectors, or columns of numbers.

        Returns
        -------
        ndarray of shape (n, n_features) or (n,)
            Numbers of the same dtype, or float64, NaN where one is missing. Vectors that are one
            array each stay separate, without a copy.

        Raises
        ------
        ModalityError
            As `fit`.
        """
        is_named = isinstance(values, pd.DataFrame) or bool(getattr(self, "feature_names_", None))
        rows, _ = self._read_rows(values, named=is_named)
        return rows

    def find_missing(self, values: Any) -> NDArray[np.bool_]:
        """Return True for each row that is None or has only missing numbers, such as NaN.

        Parameters
        ----------
        values : sequence of length n, or DataFrame of n rows
            Numbers, vectors of one length, or columns of numbers.

        Returns
        -------
        ndarray of shape (n,), bool
            True where a row has no number.
        """
        values = self._replace_strings(values)
        if isinstance(values, pd.DataFrame):
            return super().find_missing(values)
        return find_missing_numbers(values)

    def encode(self, values: Any) -> NDArray[np.float32]:
        """Return the numbers as float32, scaled according to `scaling`, and the indicators.

        Parameters
        ----------
        values : sequence of length n, or DataFrame of n rows
            Raw values, or rows of what `prepare` returned.

        Returns
        -------
        ndarray of shape (n, n_features + n_indicators), float32
            Numbers, with mean 0 and standard deviation 1 in the training rows if `scaling` is
            ``"standard"``. Then an indicator, 0 or 1, for each number that a training row lacked.

        Raises
        ------
        ModalityError
            If a row has another number of numbers than in training, or one that is not finite.
        """
        (_,) = self.input_shape
        numbers = to_numbers(self.prepare(values), self.name)
        if numbers.shape[1] != self.n_features_:
            msg = (
                f"Modality {self.name!r} was fitted to {self.n_features_} numbers per row. "
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
        lacks = np.isnan(numbers)
        numbers = np.where(lacks, self.mean_, numbers)
        if self.scaling == "standard":
            numbers = (numbers - self.mean_) / self.scale_
            self._check_finite(numbers, names or self.columns, after=" after scaling")
        return np.hstack([numbers, lacks[:, self.indicated_]]).astype(np.float32)

    def additive_parts(
        self, values: Any, centre: NDArray[np.float64]
    ) -> list[tuple[list[str], NDArray[np.float64]]]:
        """Return the numbers of each row by column, and what each adds to the encoded row.

        Parameters
        ----------
        values : sequence of length n, or DataFrame of n rows
            Numbers, vectors of one length, or columns of numbers.
        centre : ndarray of shape (n_features,)
            What is subtracted from encoded rows, such as their mean. It is divided among the parts.

        Returns
        -------
        list of n (list of str, ndarray of shape (n_parts, n_features))
            Columns, and vectors that add up to the encoded row less the centre.
        """
        rows = self.encode(values).astype(np.float64) - centre
        names = self.feature_names_
        if names is None:
            column = self.columns[0]
            n = self.n_features_
            names = [column] if n == 1 else [f"{column}[{number}]" for number in range(n)]
        # An indicator of missing numbers belongs to its column.
        owner = np.concatenate([np.arange(self.n_features_), self.indicated_]).astype(int)
        is_own = np.arange(self.n_features_)[:, np.newaxis] == owner
        return [([str(name) for name in names], is_own * row) for row in rows]

    def input_description(self) -> dict[str, Any]:
        """Return how the strings of an exported model's input are numbers, if they may be strings.

        Returns
        -------
        dict of str to JSON value
            With `decimal`, the ``number_pattern`` of strings, and the ``placeholders`` of missing
            numbers in lower case.
        """
        if self.decimal is None:
            return {}
        return {
            "number_pattern": number_pattern(self.decimal),
            "placeholders": sorted(PLACEHOLDERS),
        }

    def _replace_strings(self, values: Any) -> Any:
        if self.decimal is None:
            return values
        is_lenient = self.on_error == "missing"
        return replace_strings(values, self.decimal, self.name, is_lenient=is_lenient)

    def _read_rows(self, values: Any, *, named: bool) -> tuple[NDArray[Any], bool]:
        """Return what `prepare` returns, and whether single numbers may be missing."""
        values = self._replace_strings(values)
        rows = as_vectors(values)
        if rows is None:
            rows = to_numbers(values, self.name)
        may_lack = named or _width(rows) == 1
        start = 0
        for numbers in iterate_numbers(rows, self.name):
            with locating_errors(range(start, start + len(numbers))):
                self._check_finite(numbers, column_names(values), may_lack=may_lack)
            start += len(numbers)
        return rows, may_lack

    def _check_finite(
        self,
        numbers: NDArray[np.float64],
        columns: list[Any] | None,
        *,
        may_lack: bool = False,
        after: str = "",
    ) -> None:
        """Raise an error about the first number that is NaN, infinite, or infinite as float32."""
        usable = np.abs(numbers) <= LARGEST
        if may_lack:
            usable |= np.isnan(numbers)
        if usable.all():
            return
        row, position = np.argwhere(~usable)[0]
        number = numbers[row, position]
        if np.isfinite(number):
            limit = f" of at most {LARGEST:.2g} (float32){after}"
            fix = "Correct them, or use a larger unit."
        else:
            limit = "" if may_lack else ", neither NaN nor infinite"
            fix = "Replace them first"
            fix += (
                ", or with NaN."
                if may_lack
                else (", or pass optional=True if rows may lack all numbers of this modality.")
            )
        msg = (
            f"Modality {self.name!r} expects finite numbers{limit}. Received {number} in row "
            f"{row}, {describe_place(columns, position, numbers.shape[1])} "
            f"({(~usable).sum()} such values in total). {fix}"
        )
        raise ModalityError(msg, row=int(row))


def _width(rows: NDArray[Any]) -> int:
    """Return the number of numbers per row of what `prepare` returned."""
    return rows.shape[1] if rows.ndim == 2 else len(rows[0])
