"""The raw values of one modality out of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from multimodal_ensemble.exceptions import ModalityError


def select_columns(data: Any, columns: Sequence[str], *, name: str, optional: bool) -> Any:
    """Return the columns of a modality: a sequence for one column, a DataFrame for several.

    Raises
    ------
    ModalityError
        If the data lacks a column; an optional modality may lack all of its columns.
    """
    lacking = [column for column in columns if column not in data]
    if lacking and not (optional and len(lacking) == len(columns)):
        msg = (
            f"Modality {name!r} reads the column(s) {lacking}, which the data lacks. "
            f"The data has {list(data)}. Pass column=... to the encoder to read another one, "
            "or optional=True if rows may lack this modality."
        )
        raise ModalityError(msg)
    if lacking:
        return np.full(_count_rows(data), None, dtype=object)
    if isinstance(data, Mapping):
        # As lists, because pandas would match the rows of Series by their index.
        return pd.DataFrame({column: list(data[column]) for column in columns})
    return data[list(columns)]


def _count_rows(data: Any) -> int:
    if isinstance(data, pd.DataFrame):
        return len(data)
    return max((len(column) for column in data.values()), default=0)
