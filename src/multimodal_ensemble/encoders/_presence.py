"""The rows that have an optional modality."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multimodal_ensemble.encoders._encoder import Encoder


def present_values(encoder: Encoder, values: Any) -> tuple[Any, NDArray[np.bool_]]:
    """Return the values of the rows that have a modality, and which rows these are.

    Parameters
    ----------
    encoder : Encoder
        The encoder of the modality. Unless it is optional, every row has the modality.
    values : sequence of length n
        Raw values, as `Encoder.select` returns them.

    Returns
    -------
    values : sequence of length n_present
        The values that are not missing.
    present : ndarray of shape (n,)
        True where a row has the modality.

    Examples
    --------
    >>> from multimodal_ensemble import BagOfWordsEncoder
    >>> from multimodal_ensemble.encoders import present_values
    >>> tags = BagOfWordsEncoder("tags", optional=True)
    >>> values, present = present_values(tags, [["war"], None])
    >>> values, present.tolist()
    ([['war']], [True, False])
    """
    if not encoder.optional:
        return values, np.ones(len(values), dtype=bool)
    present = ~encoder.find_missing(values)
    if present.all():
        return values, present
    if isinstance(values, pd.DataFrame | pd.Series | np.ndarray):
        return values[present], present
    kept = [value for value, is_present in zip(values, present, strict=True) if is_present]
    return kept, present
