"""Dates as numbers."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from typing import Any, Self

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler

from multimodal_ensemble._keras import PACKAGE
from multimodal_ensemble._number_strings import is_placeholder
from multimodal_ensemble._tables import column_fault, is_missing
from multimodal_ensemble._validation import check_choice, find_repeated
from multimodal_ensemble._warnings import warn
from multimodal_ensemble.encoders._columns import check_single_column
from multimodal_ensemble.encoders._date_strings import ISO, parse_dates
from multimodal_ensemble.encoders._encoder import Encoder
from multimodal_ensemble.exceptions import ModalityError

# The number of values of each part that begins again.
_PERIODS = {"month": 12, "weekday": 7, "hour": 24}
_PARTS = ("year", *_PERIODS, "age")
_DAYS_PER_YEAR = 365.2425


@keras.saving.register_keras_serializable(package=PACKAGE)
class DateEncoder(Encoder):
    """Dates as year, month, weekday and age, through one dense layer.

    Dates are strings of one format, the dates and times of Python, NumPy and pandas, or the first
    days of periods. Times with a time zone become times of UTC.

    A date may be missing. The means of the training rows stand in for its numbers. If a training
    row lacks its date, an indicator is added behind the numbers, which is 1 where the date is
    missing, else 0. Strings such as "", "-" and "n/a" are missing dates.

    Parameters
    ----------
    name : str
        Name of the modality and of the Keras input.
    column : str, optional
        The column of dates. Default: `name`.
    parts : sequence of {"year", "month", "weekday", "hour", "age"}, optional
        What a date is described by. The age is the number of years from the date to the latest
        date of the training rows. Default: year, month, weekday and age.
    cyclic : bool, default=True
        Whether month, weekday and hour are points on a circle, so that December is next to
        January: two numbers each, a sine and a cosine. Otherwise they are plain numbers.
    format : str, default="ISO8601"
        Format of dates that are strings, as in `datetime.datetime.strptime`: ``"%d/%m/%Y"`` for
        "31/12/2021". ``"ISO8601"`` is "2021-12-31", with or without a time.
    on_error : {"raise", "missing"}, default="raise"
        How a string that is no date in this format is handled: ``"raise"`` an error, or count it
        as ``"missing"``, with a warning.
    head : callable, optional
        The trainable layers; see `Encoder`. Default: ``DenseHead()``.
    optional : bool, default=False
        Whether rows without a date lack this modality; see `Encoder`.

    Attributes
    ----------
    reference_ : str
        The latest date of the training rows.
    mean_, scale_ : ndarray of shape (n_numbers,)
        What is subtracted from each number, and what it is then divided by.
    has_missing_ : bool
        Whether there is an indicator of missing dates.

    Raises
    ------
    ValueError
        If an option is out of range.

    Examples
    --------
    >>> from multimodal_ensemble import DateEncoder
    >>> encoder = DateEncoder("released", parts=["year", "age"])
    >>> encoder = encoder.fit(["2001-07-01", "2011-07-01"])
    >>> encoder.reference_
    '2011-07-01T00:00:00'
    >>> encoder.encode(["2011-07-01", "2006-07-01"]).round(2).tolist()
    [[1.0, -1.0], [0.0, 0.0]]
    """

    values_are_scaled = True
    reads_missing = True

    def __init__(
        self,
        name: str,
        *,
        column: str | None = None,
        parts: Sequence[str] = ("year", "month", "weekday", "age"),
        cyclic: bool = True,
        format: str = ISO,
        on_error: str = "raise",
        head: Callable[[tuple[int, ...]], keras.Layer] | None = None,
        optional: bool = False,
    ) -> None:
        super().__init__(name, column=column, head=head, optional=optional)
        check_single_column(column, modality=name)
        if isinstance(parts, str) or not parts or find_repeated(parts):
            msg = f"parts must be distinct names, at least one. Received parts={parts!r}."
            raise ValueError(msg)
        for part in parts:
            check_choice(part, _PARTS, name="Each of parts")
        check_choice(cyclic, (True, False), name="cyclic")
        if not isinstance(format, str) or (format != ISO and "%" not in format):
            msg = f"format must be {ISO!r} or like '%d/%m/%Y'. Received format={format!r}."
            raise ValueError(msg)
        check_choice(on_error, ("raise", "missing"), name="on_error")
        self.parts = parts
        self.cyclic = cyclic
        self.format = format
        self.on_error = on_error

    def fit(self, values: Any) -> Self:
        """Learn the latest date, and the mean and the scale of each number.

        Parameters
        ----------
        values : sequence of length n
            Of the training rows: dates, timestamps, or strings in the format of the encoder.

        Returns
        -------
        DateEncoder
            The encoder itself.

        Raises
        ------
        ModalityError
            If a value is no date, or no training row has one.
        """
        dates = self.prepare(values)
        if np.isnat(dates).all():
            msg = (
                f"Modality {self.name!r} has no date in any of the {len(dates)} training rows. "
                "Leave its encoder out."
            )
            raise ModalityError(msg)
        self.reference_ = str(np.nanmax(dates))
        scaler = StandardScaler().fit(self._numbers(dates))
        self.mean_, self.scale_ = scaler.mean_, scaler.scale_
        self.has_missing_ = bool(np.isnat(dates).any())
        return self

    @property
    def input_shape(self) -> tuple[int]:
        """Number of numbers per date, and of the indicator."""
        return (len(self._learned("mean_")) + self.has_missing_,)

    def prepare(self, values: Any) -> NDArray[Any]:
        """Return the dates as an array of type datetime64[s], NaT where one is missing.

        Parameters
        ----------
        values : sequence of length n
            Dates, timestamps, or strings in the format of the encoder.

        Returns
        -------
        ndarray of shape (n,), datetime64[s]
            One date per row.

        Raises
        ------
        ModalityError
            If a value is no date.
        """
        dates, faulty = self._read(values)
        if faulty:
            self._warn(faulty, len(dates))
        return dates

    def find_missing(self, values: Any) -> NDArray[np.bool_]:
        """Return which values are missing, or count as such with ``on_error="missing"``.

        Parameters
        ----------
        values : sequence of length n
            Dates, timestamps, or strings in the format of the encoder.

        Returns
        -------
        ndarray of shape (n,), bool
            True where there is no date.
        """
        return np.asarray(np.isnat(self.prepare(values)), dtype=bool)

    def encode(self, values: Any) -> NDArray[np.float32]:
        """Return the numbers of each date as float32, and the indicator.

        Parameters
        ----------
        values : sequence of length n
            Raw values, or rows of what `prepare` returned.

        Returns
        -------
        ndarray of shape (n, n_numbers), float32
            Numbers with mean 0 and standard deviation 1 in the training rows, 0 where the date is
            missing. The indicator, 0 or 1, comes last, if any training row lacked a date.
        """
        mean = self._learned("mean_")
        dates = self.prepare(values)
        numbers: NDArray[np.float64] = (self._numbers(dates) - mean) / self.scale_
        is_lacking = np.isnat(dates)
        numbers[is_lacking] = 0
        if self.has_missing_:
            numbers = np.column_stack([numbers, is_lacking])
        return numbers.astype(np.float32)

    def additive_parts(
        self, values: Any, centre: NDArray[np.float64]
    ) -> list[tuple[list[str], NDArray[np.float64]]]:
        """Return the parts of each date, and the numbers of each.

        Parameters
        ----------
        values : sequence of length n
            Dates, timestamps, or strings in the format of the encoder.
        centre : ndarray of shape (n_features,)
            What is subtracted from encoded rows, such as their mean. It is divided among the parts.

        Returns
        -------
        list of n (list of str, ndarray of shape (n_parts, n_features))
            Parts of the date, such as the year, and vectors that add up to the encoded row less the
            centre.
        """
        rows = self.encode(values).astype(np.float64) - centre
        sizes = [2 if self._is_cyclic(part) else 1 for part in self.parts]
        names = [f"{self.columns[0]} ({part})" for part in self.parts]
        if self.has_missing_:
            sizes, names = [*sizes, 1], [*names, f"{self.columns[0]} (missing)"]
        is_own = np.arange(len(sizes))[:, np.newaxis] == np.repeat(np.arange(len(sizes)), sizes)
        return [(names, is_own * row) for row in rows]

    def _is_cyclic(self, part: str) -> bool:
        return self.cyclic and part in _PERIODS

    def _numbers(self, dates: NDArray[Any]) -> NDArray[np.float64]:
        """Return the numbers of dates, not scaled, NaN where a date is missing."""
        days = dates.astype("datetime64[D]")
        months = dates.astype("datetime64[M]")
        years = dates.astype("datetime64[Y]")
        reference: Any = np.datetime64(self.reference_, "s")
        values = {
            "year": 1970 + _as_floats(years),
            "month": _as_floats(months) % 12,
            # 1970-01-01 was a Thursday.
            "weekday": (_as_floats(days) + 3) % 7,
            "hour": (dates - days) / np.timedelta64(1, "h"),
            "age": (reference - dates) / np.timedelta64(1, "D") / _DAYS_PER_YEAR,
        }
        columns: list[NDArray[np.float64]] = []
        for part in self.parts:
            if self._is_cyclic(part):
                angles = 2 * np.pi * values[part] / _PERIODS[part]
                columns += [np.sin(angles), np.cos(angles)]
            else:
                columns.append(values[part])
        return np.column_stack(columns)

    def _read(self, values: Any) -> tuple[NDArray[Any], dict[int, str]]:
        """Return the dates, and the strings that are none by row."""
        if isinstance(values, np.ndarray) and values.dtype.kind == "M":
            return values.astype("datetime64[s]"), {}
        if (fault := column_fault(values)) or not hasattr(values, "__iter__"):
            msg = f"Modality {self.name!r} expects one date per row. Received {fault or values!r}."
            raise ModalityError(msg)
        values = list(values)
        dates = np.full(len(values), "NaT", dtype="datetime64[s]")
        texts: dict[int, str] = {}
        for row, value in enumerate(values):
            if isinstance(value, str):
                if not is_placeholder(value):
                    texts[row] = str(value)
            elif not is_missing(value):
                dates[row] = self._to_date(value, row)
        rows = list(texts)
        dates[rows] = parse_dates([*texts.values()], self.format)
        faulty = {row: text for row, text in texts.items() if np.isnat(dates[row])}
        if faulty and self.on_error == "raise":
            row, text = next(iter(faulty.items()))
            msg = (
                f"Modality {self.name!r} expects dates in the format {self.format!r}. Received "
                f"{text[:80]!r} in row {row} ({len(faulty)} such values in total). Pass another "
                "format=..., or on_error='missing' if such values count as missing."
            )
            raise ModalityError(msg, row=row)
        return dates, faulty

    def _to_date(self, value: Any, row: int) -> Any:
        if isinstance(value, pd.Period):
            value = value.start_time
        if isinstance(value, datetime.datetime) and value.tzinfo is not None:
            value = value.astimezone(datetime.UTC).replace(tzinfo=None)
        if isinstance(value, pd.Timestamp):
            value = value.to_datetime64()
        is_date = isinstance(value, datetime.date | np.datetime64)
        if is_date:
            return np.datetime64(value, "s")
        msg = (
            f"Modality {self.name!r} expects dates, or strings in the format {self.format!r}. "
            f"Received {value!r:.80} of type {type(value).__name__} in row {row}. Convert numbers "
            "first, for example with pandas.to_datetime(column, unit='s')."
        )
        raise ModalityError(msg, row=row)

    def _warn(self, faulty: dict[int, str], n_rows: int) -> None:
        row, text = next(iter(faulty.items()))
        warn(
            f"Modality {self.name!r}: {len(faulty)} of {n_rows} values are no dates in the format "
            f"{self.format!r}, and count as missing. The first one is {text[:80]!r} in row {row}."
        )


def _as_floats(dates: NDArray[Any]) -> NDArray[np.float64]:
    """Return the number of units since 1970, NaN for missing dates."""
    return np.where(np.isnat(dates), np.nan, dates.astype(np.int64).astype(np.float64))
