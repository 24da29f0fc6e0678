"""Types of the columns of a table of Python objects."""

from __future__ import annotations

import numpy as np
import pandas as pd


def infer_types(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table of objects with the types of its values; whole numbers stay exact."""
    inferred = table.infer_objects()
    for column in inferred.columns[inferred.dtypes == np.float64]:
        # Whole numbers and missing ones would become floats, which round large numbers.
        if pd.api.types.infer_dtype(table[column], skipna=True) == "integer":
            is_large = table[column].max() > np.iinfo(np.int64).max
            inferred[column] = table[column].astype("UInt64" if is_large else "Int64")
    return inferred
