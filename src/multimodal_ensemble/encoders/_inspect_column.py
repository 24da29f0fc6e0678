"""What the values of one column hold, and which encoder reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from multimodal_ensemble.encoders._bag_of_words_encoder import BagOfWordsEncoder
from multimodal_ensemble.encoders._column_kind import ColumnKind, sample
from multimodal_ensemble.encoders._date_encoder import DateEncoder
from multimodal_ensemble.encoders._inspect_images import find_images
from multimodal_ensemble.encoders._inspect_lists import inspect_lists
from multimodal_ensemble.encoders._inspect_numbers import NUMBERS, inspect_numbers
from multimodal_ensemble.encoders._inspect_strings import categories, inspect_strings
from multimodal_ensemble.encoders._numbers import is_number
from multimodal_ensemble.encoders._token_encoder import is_count

_DATES = {"date", "datetime", "datetime64", "period"}
_TIME_SPANS = {"timedelta", "timedelta64"}


def inspect_column(column: str, known: list[Any], root: Path, *, dtype: Any) -> ColumnKind:
    """Return the kind of a column from its values that are not missing."""
    if not known:
        return ColumnKind("no row has a value")
    is_categorical = isinstance(dtype, pd.CategoricalDtype)
    if (images := find_images(known, root)) is not None:
        return images
    if all(isinstance(value, Mapping) for value in known):
        return _inspect_mappings(known)
    if all(_is_list(value) for value in known):
        return inspect_lists(known, root)
    if all(map(is_number, known)):
        kind = inspect_numbers(column, known)
        if kind is NUMBERS and is_categorical and len(set(known)) < len(known):
            return categories(set(known))
        return kind
    type_of_values = pd.api.types.infer_dtype(known, skipna=True)
    if type_of_values in _DATES:
        return _inspect_dates(known)
    if type_of_values in _TIME_SPANS:
        return ColumnKind("time spans; turn them into numbers, such as column.dt.days, to use them")
    if all(isinstance(value, str) for value in known):
        return inspect_strings(column, known, root, is_categorical=is_categorical)
    if all(isinstance(value, str | PathLike) for value in known):
        return ColumnKind("paths of files that are not images")
    types = sorted({type(value).__name__ for value in known})
    return ColumnKind(f"values of the type {' or '.join(types)}")


def _inspect_dates(known: Sequence[Any]) -> ColumnKind:
    if len(set(known)) == 1:
        return ColumnKind(f"the same date in each row, {known[0]}")
    return ColumnKind("dates", DateEncoder)


def _inspect_mappings(known: Sequence[Any]) -> ColumnKind:
    first = [item for value in sample(known) for item in value.items()]
    if all(isinstance(token, str) and is_count(count) for token, count in first):
        if not any(count for value in known for count in value.values()):
            return ColumnKind("no token has a count")
        return ColumnKind("counts of tokens", BagOfWordsEncoder, is_tags=True)
    return ColumnKind("mappings that hold anything but whole numbers by token")


def _is_list(value: Any) -> bool:
    is_array = isinstance(value, np.ndarray) and value.ndim > 0
    return is_array or isinstance(value, list | tuple | set | frozenset)
