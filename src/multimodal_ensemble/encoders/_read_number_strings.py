"""Columns whose strings are replaced by the numbers that they stand for."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd

from multimodal_ensemble._number_strings import parse_number
from multimodal_ensemble._tables import as_object_array
from multimodal_ensemble._warnings import warn
from multimodal_ensemble.encoders._printed_lists import read_list


def replace_strings(values: Any, decimal: str, modality: str, *, is_lenient: bool) -> Any:
    """Return values with a number, or a vector, in place of each string that stands for one.

    Other strings stay as they are, which refuses them later, or become missing numbers, with a
    warning. All other values stay as they are.

    Parameters
    ----------
    values : sequence or DataFrame
        Raw values of one column, or of several.
    decimal : {".", ","}
        The decimal mark. Vectors are lists as text, whose numbers have a point.
    modality : str
        Name of the modality, for the warning.
    is_lenient : bool
        Whether strings that are no numbers become missing numbers.
    """
    if isinstance(values, pd.DataFrame):
        if not values.shape[1]:
            return values
        columns = [
            replace_strings(values.iloc[:, at], decimal, modality, is_lenient=is_lenient)
            for at in range(values.shape[1])
        ]
        table = pd.concat(columns, axis=1)
        table.columns = values.columns
        return table
    if getattr(getattr(values, "dtype", None), "kind", "O") not in "OUT":
        return values
    if not hasattr(values, "__iter__") or not any(isinstance(value, str) for value in values):
        return values
    replaced = as_object_array([_replace(value, decimal) for value in values])
    if is_lenient:
        faulty = [row for row, value in enumerate(replaced) if isinstance(value, str)]
        if faulty:
            warn(
                f"Modality {modality!r}: {len(faulty)} of {len(replaced)} values are no numbers, "
                f"and count as missing. The first one is {replaced[faulty[0]][:80]!r} in row "
                f"{faulty[0]}."
            )
            replaced[faulty] = math.nan
    if isinstance(values, pd.Series):
        return pd.Series(replaced, index=values.index, name=values.name)
    return replaced


def _replace(value: Any, decimal: str) -> Any:
    if not isinstance(value, str):
        return value
    number = parse_number(value, decimal)
    if number is not None:
        return number
    numbers = read_list(value)
    if not numbers or any(isinstance(each, str) for each in numbers):
        return value
    return np.array([math.nan if each is None else each for each in numbers], dtype=np.float64)
