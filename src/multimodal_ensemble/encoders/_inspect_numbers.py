"""What the numbers of a column are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from multimodal_ensemble._tables import to_python
from multimodal_ensemble.encoders._column_kind import ColumnKind, sample
from multimodal_ensemble.encoders._dense_encoder import DenseEncoder
from multimodal_ensemble.encoders._numbers import LARGEST

_ID_COLUMN = re.compile(r"(?:^|[^A-Za-z])(?:id|ID|Id)$|Id$|ID$|^index$|^Unnamed")
# Fewer numbers may be in this order by chance.
_LEAST_ROWS = 10

NUMBERS = ColumnKind("numbers", DenseEncoder, joint_name="numbers")


def inspect_numbers(column: str, known: Sequence[Any]) -> ColumnKind:
    """Return the kind of a column of numbers."""
    n_distinct = len(set(known))
    if n_distinct == 1:
        return ColumnKind(f"the same number in each row, {to_python(known[0])!r}")
    if not are_finite(known):
        return ColumnKind("infinite or too large numbers; replace these to use it")
    is_whole = all(float(value).is_integer() for value in sample(known))
    if is_whole and _ID_COLUMN.search(column) and n_distinct == len(known):
        return ColumnKind("a different whole number in each row, like an id")
    if _is_counter(known):
        return ColumnKind(f"the numbers of the rows, from {to_python(known[0])}")
    return NUMBERS


def _is_counter(known: Sequence[Any]) -> bool:
    """Return whether numbers are those of the rows of a table, from 0 or 1."""
    start = known[0]
    return (
        len(known) >= _LEAST_ROWS
        and start in (0, 1)
        and list(known) == [start + row for row in range(len(known))]
    )


def are_finite(numbers: Sequence[Any]) -> bool:
    """Return whether numbers, or vectors, are finite as float32."""
    try:
        return bool((np.abs(np.array(numbers, dtype=np.float64)) <= LARGEST).all())
    except (OverflowError, TypeError, ValueError):
        return False
