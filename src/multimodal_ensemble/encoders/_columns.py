"""The columns that an encoder reads: how they may be named, and how they are found in the data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from multimodal_ensemble._tables import check_columns
from multimodal_ensemble._validation import find_repeated
from multimodal_ensemble._warnings import warn
from multimodal_ensemble.encoders._words import fold
from multimodal_ensemble.exceptions import ModalityError


def is_plain_string(value: object) -> bool:
    """Return whether a value is a string and, unlike a member of an Enum, is saved as itself."""
    return type(value) in (str, np.str_)


def check_column_option(column: Any) -> None:
    """Raise a ModalityError unless `column` is a string or a list of distinct strings."""
    if is_plain_string(column):
        return
    names = column if isinstance(column, list | tuple) else [column]
    if not names:
        msg = f"column must name at least one column. Received column={column!r}."
        raise ModalityError(msg)
    if others := [name for name in names if not is_plain_string(name)]:
        msg = (
            "column must be a string or a list of strings. Received "
            f"{others[0]!r} of type {type(others[0]).__name__}. Rename such columns first, with "
            "data.rename(columns=str) or, for several levels of names, with "
            "data.columns = ['_'.join(map(str, names)) for names in data.columns]."
        )
        raise ModalityError(msg)
    if repeated := find_repeated(names):
        msg = f"column must name distinct columns. Received {repeated} more than once."
        raise ModalityError(msg)


def check_single_column(column: Any, *, modality: str) -> None:
    """Raise a ModalityError if an encoder that reads one column is to read a list of them."""
    if isinstance(column, list | tuple):
        msg = (
            f"Modality {modality!r} reads one column. Received column={column!r}. Use one encoder "
            "per column, or join the columns in one."
        )
        raise ModalityError(msg)


def find_columns(data: Any, columns: Sequence[str], *, modality: str, optional: bool) -> bool:
    """Return whether the data has the columns; the data of an optional modality may lack them all.

    Raises
    ------
    ModalityError
        If the data lacks a column, has it more than once, or has no sequence in its place.
    """
    lacking = [column for column in columns if column not in data]
    is_absent = optional and lacking == list(columns)
    # The columns of an absent modality have the length of the others.
    check_columns(data, None if is_absent else [name for name in columns if name in data])
    if is_absent and (similar := _find_similar(data, columns)):
        warn(
            f"Modality {modality!r} is missing in all rows: the data lacks the column(s) "
            f"{list(columns)}. It has {similar}; if that is the same column, rename it."
        )
    if lacking and not is_absent:
        msg = (
            f"Modality {modality!r} reads the column(s) {lacking}, which the data lacks. "
            f"The data has {list(data)}. Pass column=... to the encoder to read another one, "
            "or optional=True if rows may lack this modality."
        )
        raise ModalityError(msg)
    return not is_absent


def _find_similar(data: Any, columns: Sequence[str]) -> list[str]:
    """Return the columns of the data whose names look like those of some columns."""
    wanted = {fold(column).strip() for column in columns}
    return [name for name in data if isinstance(name, str) and fold(name).strip() in wanted]
