"""Classes as scikit-learn's scorers understand them, and values that are paired with labels."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from types import FrameType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multimodal_ensemble._tables import abbreviate, to_python
from multimodal_ensemble._validation import find_repeated

# The modules of scikit-learn in which scorers ask for classes.
_SCORERS = ("sklearn.metrics.", "sklearn.utils._")

# Properties and methods with these names pass on the attribute of another estimator.
_PASSING_ON = ("classes_", "__getattr__", "__getattribute__")


def classes_for_caller(labels: NDArray[Any]) -> Any:
    """Return the value of a property `classes_`: the labels, or for scorers their classes.

    scikit-learn's scorers recognise a multilabel classifier by a list with the classes of each
    label. From an array of one or two labels they conclude that there is one binary target, and
    the scores of a single label then count as those of its negative class.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_name in _PASSING_ON:
        frame = frame.f_back
    module = "" if frame is None else frame.f_globals.get("__name__", "")
    return [np.array([0, 1])] * len(labels) if module.startswith(_SCORERS) else labels


def names_of(values: Any) -> list[Any] | None:
    """Return the names of a table's columns, or of the values of a Series or mapping."""
    if isinstance(values, pd.DataFrame):
        return list(values.columns)
    if isinstance(values, pd.Series):
        return list(values.index)
    return list(values) if isinstance(values, Mapping) else None


def match_names(given: Iterable[Any], labels: Iterable[Any]) -> dict[str, int] | None:
    """Return the position of each given name, as a string, or None if there is nothing to match.

    Names are compared as strings, because files store them so. Numbers from 0 in order are no
    names, unless the other side has some of them.
    """
    given_names, label_names = as_strings(given), as_strings(labels)
    has_numbers_only = any(
        names == as_strings(range(len(names))) for names in (given_names, label_names)
    )
    if has_numbers_only and set(given_names).isdisjoint(label_names):
        return None
    return {name: position for position, name in enumerate(given_names)}


def in_label_order(
    values: Any, labels: Iterable[Any] | None, *, name: str, item: str = "label"
) -> Any:
    """Return values that have a name for each label in the order of the labels.

    Columns of a DataFrame and values of a Series or mapping have names. Values without names, and
    values for labels without names (None), are returned as they are. Other names than those of the
    labels are refused with a ValueError, which calls each of them an `item`.
    """
    names = names_of(values)
    if names is None or labels is None:
        return values
    known = match_names(names, labels)
    if known is None and not isinstance(values, Mapping):
        return values
    known = known or {}
    wanted = as_strings(labels)
    absent = [label for label in labels if str(label) not in known]
    wanted_names = set(wanted)
    unknown = [name for name in names if str(name) not in wanted_names]
    faults = {
        "Without a value": absent,
        f"Not a {item}": unknown,
        "More than once": find_repeated(as_strings(names)),
    }
    if any(faults.values()):
        fix = "" if isinstance(values, Mapping) else f" {name}.to_numpy() pairs them by position."
        listed = [f"{fault}: {abbreviate(which)}." for fault, which in faults.items() if which]
        msg = f"{name} must have a value for each {item}. {' '.join(listed)}{fix}"
        raise ValueError(msg)
    order = [known[label] for label in wanted]
    if isinstance(values, pd.DataFrame):
        # Selecting all columns would copy them.
        return values if order == list(range(len(order))) else values.iloc[:, order]
    if isinstance(values, pd.Series):
        return values.iloc[order]
    given = list(values.values())
    return [given[position] for position in order]


def values_by_label(values: Any, labels: Iterable[Any]) -> Any:
    """Return a mapping, or a Series whose index has labels, as a dict by the labels as strings.

    Other values are returned as they are.
    """
    has_labels = isinstance(values, pd.Series) and match_names(values.index, labels) is not None
    if has_labels or isinstance(values, Mapping):
        return {str(to_python(label)): value for label, value in values.items()}
    return values


def as_strings(names: Iterable[Any]) -> list[str]:
    """Return names as strings, the numbers of NumPy like those of Python."""
    return [str(to_python(name)) for name in names]
