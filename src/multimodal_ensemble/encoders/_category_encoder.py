"""Columns of categories."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any, Self, TypeAlias

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from multimodal_ensemble._keras import PACKAGE
from multimodal_ensemble._tables import as_object_array, column_fault, is_missing
from multimodal_ensemble._validation import check_at_least
from multimodal_ensemble.encoders._encoder import Encoder
from multimodal_ensemble.encoders._numbers import is_number
from multimodal_ensemble.encoders._words import compose
from multimodal_ensemble.exceptions import ModalityError

# None is the category of missing values.
_Category: TypeAlias = str | float | None

# What prints a number as a whole, or with a decimal point.
_NUMBER = re.compile(r"-?[0-9]{1,15}([.][0-9]{1,15})?")


@keras.saving.register_keras_serializable(package=PACKAGE)
class CategoryEncoder(Encoder):
    """One or several columns of categories, as ones and zeros, through one dense layer.

    Each column has one number per category, which is 1 where a row has this category. Categories
    that fewer than `min_count` training rows have share one number, and so do categories that no
    training row has. A missing value is one more category of its column. Without rare categories
    among the training rows, nothing is known about new ones, and their numbers are zeros.

    The dense layer of the head is an embedding: its kernel has one vector per category, and the
    vectors of a row's categories are added.

    Categories are strings, numbers or booleans, also in the categorical and Arrow types of pandas.
    Strings are compared in Unicode's normal form C and without spaces around them, and numbers by
    value: 1, 1.0 and True are the same category. So is a string that prints such a value, because
    CSV files hold strings where other tables hold values: "1", "1.0" and "true". Other strings of
    digits, such as "01" and "1.10", are categories of their own.

    Parameters
    ----------
    name : str
        Name of the modality and of the Keras input.
    column : str or list of str, optional
        The column, or columns, of categories. Default: `name`.
    min_count : int, default=2
        Minimum number of training rows that have a category.
    head : callable, optional
        The trainable layers; see `Encoder`. Default: ``DenseHead()``.
    optional : bool, default=False
        Whether rows may lack this modality, that is, have a missing value in all of its columns;
        see `Encoder`. Otherwise, such rows have the categories of missing values.

    Attributes
    ----------
    categories_ : list of list
        The categories of each column, from the most to the least frequent; None is a missing value.
    has_rare_ : list of bool
        Whether each column has a number for rare and new categories, behind its categories.
    column_names_ : list or None
        The columns, if the encoder was fitted to a DataFrame.

    Raises
    ------
    ValueError
        If an option is out of range.

    Examples
    --------
    >>> import pandas as pd
    >>> from multimodal_ensemble import CategoryEncoder
    >>> table = pd.DataFrame({"country": ["FR", "US", "FR", "US", "CA"]})
    >>> table["colour"] = [1, 1, 0, 0, 1]
    >>> encoder = CategoryEncoder("film", column=["country", "colour"]).fit(table)
    >>> encoder.categories_, encoder.has_rare_
    ([['FR', 'US'], [1, 0]], [True, False])
    >>> new = pd.DataFrame({"country": ["US", "IT"], "colour": [0, None]})
    >>> encoder.encode(new).tolist()
    [[0.0, 1.0, 0.0, 0.0, 1.0], [0.0, 0.0, 1.0, 0.0, 0.0]]
    """

    # Frequent categories have more influence than rare ones.
    values_are_scaled = True
    reads_missing = True

    def __init__(
        self,
        name: str,
        *,
        column: str | Sequence[str] | None = None,
        min_count: int = 2,
        head: Callable[[tuple[int, ...]], keras.Layer] | None = None,
        optional: bool = False,
    ) -> None:
        super().__init__(name, column=column, head=head, optional=optional)
        check_at_least(min_count, 1, name="min_count")
        self.min_count = min_count

    def fit(self, values: Any) -> Self:
        """Learn the categories of the training rows.

        Parameters
        ----------
        values : sequence of length n, or DataFrame of n rows
            Of the training rows: strings, numbers or other categories, None where one is missing.

        Returns
        -------
        CategoryEncoder
            The encoder itself.

        Raises
        ------
        ModalityError
            If a value is no category, or no column has a category in enough rows.
        """
        categories, has_rare = [], []
        for name, column in self._columns(values):
            numbers, found = self._number_categories(column, name)
            counts = np.bincount(numbers, minlength=len(found))
            by_frequency = sorted(zip(found, counts, strict=True), key=_frequency)
            frequent = [category for category, count in by_frequency if count >= self.min_count]
            categories.append(frequent)
            has_rare.append(len(frequent) < len(found))
        if not any(categories):
            msg = (
                f"Modality {self.name!r} has no category left: each one is in fewer than "
                f"min_count={self.min_count} of the {len(values)} training rows. Reduce min_count, "
                "or leave this encoder out."
            )
            raise ModalityError(msg)
        self.categories_, self.has_rare_ = categories, has_rare
        self.column_names_ = list(values.columns) if isinstance(values, pd.DataFrame) else None
        return self

    @property
    def input_shape(self) -> tuple[int]:
        """Number of categories of all columns, with one more for each column with rare ones."""
        return (sum(map(len, self._learned("categories_"))) + sum(self.has_rare_),)

    def prepare(self, values: Any) -> csr_matrix:
        """Return ones as a sparse matrix of shape (n, n_categories), float32.

        Parameters
        ----------
        values : sequence of length n, or DataFrame of n rows
            Strings, numbers or other categories, None where one is missing.

        Returns
        -------
        scipy.sparse.csr_matrix of shape (n, n_categories), float32
            A one for the category of each column.

        Raises
        ------
        ModalityError
            If a value is no category, or the columns are others than in training.
        """
        (n_numbers,) = self.input_shape
        columns = self._columns(values)
        self._check_columns(values, len(columns))
        start = 0
        places = np.empty((len(values), len(columns)), dtype=np.intp)
        for position, (name, column) in enumerate(columns):
            known, has_rare = self.categories_[position], self.has_rare_[position]
            place_of = {_value_of(category): start + place for place, category in enumerate(known)}
            rare = start + len(known) if has_rare else -1
            numbers, found = self._number_categories(column, name)
            place = np.array([place_of.get(_value_of(each), rare) for each in found], np.intp)
            places[:, position] = place[numbers]
            start += len(known) + has_rare
        is_known = places >= 0
        ends = np.concatenate([[0], is_known.sum(axis=1).cumsum()])
        ones = np.ones(ends[-1], dtype=np.float32)
        return csr_matrix((ones, places[is_known], ends), shape=(len(values), n_numbers))

    def encode(self, values: Any) -> NDArray[np.float32]:
        """Return the ones and zeros as a dense float32 array of shape (n, n_categories).

        Parameters
        ----------
        values : sequence of length n, or DataFrame of n rows
            Raw values, or rows of what `prepare` returned.

        Returns
        -------
        ndarray of shape (n, n_categories), float32
            0 or 1; zeros for a category that training rows did not have.
        """
        rows = values if hasattr(values, "toarray") else self.prepare(values)
        dense: NDArray[np.float32] = rows.toarray()
        return dense

    def additive_parts(
        self, values: Any, centre: NDArray[np.float64]
    ) -> list[tuple[list[str], NDArray[np.float64]]]:
        """Return the columns of each row, and the ones of each.

        Parameters
        ----------
        values : sequence of length n, or DataFrame of n rows
            Strings, numbers or other categories, None where one is missing.
        centre : ndarray of shape (n_features,)
            What is subtracted from encoded rows, such as their mean. It is divided among the parts.

        Returns
        -------
        list of n (list of str, ndarray of shape (n_parts, n_features))
            Columns, and vectors that add up to the encoded row less the centre.
        """
        rows = self.encode(values).astype(np.float64) - centre
        sizes = [
            len(known) + has_rare
            for known, has_rare in zip(self.categories_, self.has_rare_, strict=True)
        ]
        names = [str(name) for name in self.column_names_ or self.columns]
        owner = np.repeat(np.arange(len(sizes)), sizes)
        is_own = np.arange(len(sizes))[:, np.newaxis] == owner
        return [(names, is_own * row) for row in rows]

    def _columns(self, values: Any) -> list[tuple[Any, Any]]:
        """Return the name and the values of each column."""
        if isinstance(values, pd.DataFrame):
            return [(name, values.iloc[:, at]) for at, name in enumerate(values.columns)]
        if fault := column_fault(values):
            msg = f"Modality {self.name!r} expects one category per row. Received {fault}."
            raise ModalityError(msg)
        return [(self.columns[0], values)]

    def _check_columns(self, values: Any, n_columns: int) -> None:
        names = list(values.columns) if isinstance(values, pd.DataFrame) else self.column_names_
        if n_columns != len(self.categories_) or self.column_names_ not in (None, names):
            expected = self.column_names_ or [*self.columns]
            received = names if isinstance(values, pd.DataFrame) else "one column"
            msg = (
                f"Modality {self.name!r} was fitted to the columns {expected}. Received {received}."
            )
            raise ModalityError(msg)

    def _number_categories(
        self, values: Any, name: Any
    ) -> tuple[NDArray[np.intp], list[_Category]]:
        """Return the number of each row's category, and the categories by number."""
        if isinstance(values, np.ma.MaskedArray):
            # A list has None in place of masked values.
            values = values.tolist()
        if not isinstance(values, pd.Series):
            values = as_object_array(values)
        try:
            # Each distinct value is read once.
            numbers, distinct = pd.factorize(values)
        except (TypeError, ValueError):
            # Lists and the like cannot be compared.
            self._refuse(values, name)
        read = [_read_category(value) for value in distinct]
        if any(category is None for category in read):
            self._refuse(values, name)
        number_of: dict[_Category, int] = {}
        found: list[_Category] = []
        for category in read:
            if number_of.setdefault(_value_of(category), len(found)) == len(found):
                found.append(category)
        same = np.array([number_of[_value_of(category)] for category in read], dtype=np.intp)
        if (is_lacking := numbers < 0).any():
            # Missing values.
            same = np.append(same, len(found))
            found.append(None)
            numbers = np.where(is_lacking, len(read), numbers)
        return same[numbers], found

    def _refuse(self, values: Any, name: Any) -> None:
        """Raise an error about the first value that is no category."""
        row, value = next(
            (row, value)
            for row, value in enumerate(values)
            if not is_missing(value) and _read_category(value) is None
        )
        msg = (
            f"Modality {self.name!r} expects strings, finite numbers or booleans as categories. "
            f"Received {value!r:.80} of type {type(value).__name__} in row {row}, column {name!r}."
        )
        raise ModalityError(msg, row=row)


def _read_category(value: Any) -> str | float | None:
    """Return a category as a value that can be saved, or None for anything else."""
    if isinstance(value, str):
        return compose(value).strip()
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, Integral) and is_number(value):
        return int(value)
    return float(value) if is_number(value) and math.isfinite(value) else None


def _value_of(category: _Category) -> _Category:
    """Return what a category is compared by: the number or boolean that a string prints, if any."""
    if not isinstance(category, str):
        return category
    if category.lower() in ("true", "false"):
        return category.lower() == "true"
    if _NUMBER.fullmatch(category):
        number = float(category)
        return number if category in (str(number), f"{number:.0f}") else category
    return category


def _frequency(counted: tuple[_Category, int]) -> tuple[int, str]:
    """Return a key that sorts the most frequent category first."""
    category, count = counted
    return -int(count), str(category)
