"""What y says of each row: several labels, one of two classes, or one of several classes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multimodal_ensemble._label_lists import label_array
from multimodal_ensemble._label_strings import are_printed, check_label_strings
from multimodal_ensemble._labels import label_format, read_labels
from multimodal_ensemble._tables import abbreviate, as_object_array, counted, from_arrow, to_python
from multimodal_ensemble._validation import check_not_masked

MULTILABEL, BINARY, MULTICLASS = KINDS = ("multilabel", "binary", "multiclass")

# Of fewer rows, most values may be distinct.
_MIN_ROWS_OF_IDENTIFIERS = 20


@dataclass(frozen=True, eq=False)
class Target:
    """What an estimator predicts of each row.

    Parameters
    ----------
    kind : {"multilabel", "binary", "multiclass"}
        Any number of labels per row, one of two classes, or one of several classes.
    classes : ndarray of shape (n_classes,)
        The labels or the classes.
    """

    kind: str
    classes: NDArray[Any]

    @property
    def is_single(self) -> bool:
        """Whether a row has exactly one class."""
        return self.kind != MULTILABEL

    @property
    def labels(self) -> NDArray[Any]:
        """What the columns of matrices stand for: of two classes, the second one alone."""
        return self.classes[1:] if self.kind == BINARY else self.classes

    def to_matrix(self, codes: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Return which label each row has; -1 is an unknown class, and has none."""
        first = len(self.classes) - len(self.labels)
        matrix = np.zeros((len(codes), len(self.labels)), dtype=bool)
        rows = np.flatnonzero(codes >= first)
        matrix[rows, codes[rows] - first] = True
        return matrix


def read_target(
    y: Any,
    known: Target | None = None,
    *,
    name: str = "y",
    delimiter: str | None = None,
    min_count: int = 1,
    report: Callable[[str], object] = lambda line: None,
) -> tuple[NDArray[Any], Target]:
    """Return a matrix with one column per label, and what the target is.

    The matrix is bool, or float32 with NaN where some of several labels are unknown.

    A column of strings that no delimiter splits, of booleans, whole numbers or categories has one
    class per row. Anything else is read by `read_labels`, which has the same options.

    Raises
    ------
    ValueError
        If rows have no class, or one that is not known, or the column does not look like classes.
    """
    y = from_arrow(y, name=name)
    if known is not None and known.is_single:
        codes = read_classes(y, known, name=name)
        if (codes < 0).any():
            row = int(np.argmax(codes < 0))
            msg = (
                f"{name} has a class that no training row has, in row {row}. The classes are "
                f"{abbreviate(known.classes)}. Leave such rows out, or train on rows of all "
                "classes."
            )
            raise ValueError(msg)
        return known.to_matrix(codes), known
    column = class_column(y, name, delimiter) if known is None else None
    if column is None:
        classes = None if known is None else known.classes
        matrix, classes = read_labels(
            y,
            classes,
            name=name,
            delimiter=delimiter,
            min_count=min_count,
            may_be_unknown=True,
            report=report,
        )
        return matrix, Target(MULTILABEL, classes)
    codes, values = _factorize(column, name)
    target, order = make_target(codes, values, name=name, min_count=min_count, report=report)
    return target.to_matrix(order[codes]), target


def read_classes(y: Any, target: Target, *, name: str = "y") -> NDArray[np.intp]:
    """Return the position of each row's class among those of a target, -1 for unknown ones."""
    codes, values = read_values(y, name=name)
    return find_classes(values, target)[codes]


def read_values(y: Any, *, name: str = "y") -> tuple[NDArray[np.intp], list[Any]]:
    """Return the number of each row's class, and the distinct classes in any order."""
    column = _as_column(from_arrow(y, name=name), name)
    if column is None:
        shape = getattr(y, "shape", None)
        received = type(y).__name__ + (f" of shape {shape}" if shape else "")
        msg = (
            f"{name} must hold one class per row: a string, a whole number or a boolean. "
            f"Received {received}."
        )
        raise ValueError(msg)
    return _factorize(column, name)


def find_classes(values: Iterable[Any], target: Target) -> NDArray[np.intp]:
    """Return the positions of values among the classes of a target, -1 for unknown ones.

    Values that are not equal to a class are compared as strings, because files store them so.
    """
    classes = target.classes.tolist()
    positions: dict[Any, int] = {str(label): position for position, label in enumerate(classes)}
    positions |= {label: position for position, label in enumerate(classes)}
    return np.array(
        [positions.get(value, positions.get(str(value), -1)) for value in values], dtype=np.intp
    )


def make_target(
    codes: NDArray[np.intp],
    values: list[Any],
    *,
    name: str,
    min_count: int,
    report: Callable[[str], object],
) -> tuple[Target, NDArray[np.intp]]:
    """Return the target of distinct values, and the position of each one in its classes.

    `codes` has the number of each row's value.
    """
    n_rows, n_classes = len(codes), len(values)
    check_label_strings(values, name=name)
    if n_classes == 1:
        msg = (
            f"{name} has one class only, {values[0]!r}, in all {counted(n_rows, 'row')}, so there "
            "is nothing to learn. Pass rows of two classes or more."
        )
        raise ValueError(msg)
    if n_rows >= _MIN_ROWS_OF_IDENTIFIERS and 2 * n_classes > n_rows:
        are_strings = isinstance(values[0], str)
        fix = (
            "If each string holds several labels, pass what separates them as label_delimiter."
            if are_strings
            else "Regression is out of scope: to predict a number, bin it, for example with "
            "pandas.cut(y, 5).astype(str)."
        )
        msg = (
            f"{name} has {n_classes} distinct values in {n_rows} rows, such as "
            f"{abbreviate(values)}, so it looks like an identifier or a measurement and not like "
            f"classes. Is it the right column? {fix}"
        )
        raise ValueError(msg)
    counts = np.bincount(codes, minlength=n_classes)
    if (counts < min_count).any():
        rare = [values[position] for position in np.flatnonzero(counts < min_count)]
        msg = (
            f"min_label_count={min_count} leaves labels out, and rows of one class each would have "
            f"none. {name} has fewer rows of {abbreviate(sorted(rare))}; leave these rows out, or "
            "give them a common class such as 'other'."
        )
        raise ValueError(msg)
    ranked = sorted(range(n_classes), key=values.__getitem__)
    order = np.empty(n_classes, dtype=np.intp)
    order[ranked] = np.arange(n_classes)
    kind = BINARY if n_classes == 2 else MULTICLASS
    target = Target(kind, label_array([values[position] for position in ranked]))
    listed = f": {abbreviate(target.classes)}" if n_classes < 10 else ""
    report(f"{name}: one of {n_classes} classes per row{listed}")
    return target, order


def class_column(y: Any, name: str, delimiter: str | None = None) -> pd.Series | None:
    """Return y as a column with one class per row; None if it holds labels or a matrix."""
    column = _as_column(y, name)
    if column is None:
        return None
    rows = column.tolist()
    if label_format(rows, delimiter, None, name, lambda line: None) is not None:
        return None
    # `read_labels` says what is wrong with printed lists.
    return None if are_printed(rows) else column


def _check_values(values: Iterable[Any], name: str) -> list[Any]:
    """Return distinct values as classes: strings, booleans or whole numbers of Python.

    Raises
    ------
    ValueError
        If they are anything else; the message says why.
    """
    given = [to_python(value) for value in values]
    classes = [int(v) if isinstance(v, float) and v.is_integer() else v for v in given]
    if fractions := [value for value in classes if isinstance(value, float | complex)]:
        msg = (
            f"Unknown label type: {name} holds numbers that are not whole, such as "
            f"{fractions[0]!r}, so it is continuous. Regression is out of scope. To predict which "
            "range a number lies in, bin it, for example with pandas.cut(y, 5).astype(str)."
        )
        raise ValueError(msg)
    kinds = sorted({type(value).__name__ for value in classes})
    if kinds not in (["str"], ["int"], ["bool"]):
        msg = (
            f"The classes of {name} must be all strings, all whole numbers or all booleans. "
            f"Received {kinds}, such as {abbreviate(classes[:3])}; convert them, for example with "
            "y.astype(str)."
        )
        raise ValueError(msg)
    return classes


def _refuse_missing(row: int, n_missing: int, name: str) -> None:
    """Raise a ValueError about rows without a class."""
    msg = (
        f"{name} has no class in {counted(n_missing, 'row')}, the first is row {row}. Leave such "
        "rows out, for example with X[y.notna()] and y[y.notna()], or give them a class of their "
        "own."
    )
    raise ValueError(msg)


def _as_column(y: Any, name: str) -> pd.Series | None:
    """Return data of one axis whose values are no lists as a Series, or None."""
    if isinstance(y, pd.DataFrame | Mapping | str | bytes) or hasattr(y, "toarray"):
        return None
    if isinstance(y, list | tuple):
        column = pd.Series(as_object_array(y), dtype=object)
    elif isinstance(y, pd.Series):
        column = y
    else:
        # As arrays of NumPy, extension arrays of pandas would lose their missing values.
        is_known = isinstance(y, np.ndarray | pd.Index | pd.api.extensions.ExtensionArray)
        values = y if is_known else np.asarray(y)
        if values.ndim != 1:
            return None
        check_not_masked(values, name=name)
        column = pd.Series(values)
    if column.dtype == object and any(map(_is_no_class, column)):
        return None
    return column if len(column) else None


def _is_no_class(value: Any) -> bool:
    return isinstance(value, Collection | bytes) and not isinstance(value, str)


def _factorize(column: pd.Series, name: str) -> tuple[NDArray[np.intp], list[Any]]:
    """Return the number of each row's value, and the distinct values; refuse missing ones."""
    codes, found = pd.factorize(column)
    values = list(found)
    blank = [place for place, value in enumerate(values) if _is_blank(value)]
    is_missing = (codes < 0) | np.isin(codes, blank)
    if is_missing.any():
        _refuse_missing(int(np.argmax(is_missing)), int(is_missing.sum()), name)
    classes = _check_values(values, name)
    # 1.0 and 1 are the same class, but not the same value of a column of objects.
    distinct = {value: place for place, value in enumerate(dict.fromkeys(classes))}
    numbers = np.array([distinct[value] for value in classes], dtype=np.intp)
    return numbers[codes], list(distinct)


def _is_blank(value: Any) -> bool:
    return isinstance(value, str) and not value.strip()
