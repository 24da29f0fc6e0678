"""Which rows have an optional modality."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multimodal_ensemble.encoders._encoder import Encoder


def present_values(encoder: Encoder, values: Any) -> tuple[Any, NDArray[np.bool_]]:
    """Return the values that are there, and which those are; all unless the encoder is optional."""
    if not encoder.optional:
        return values, np.ones(len(values), dtype=bool)
    present = ~encoder.find_missing(values)
    if present.all():
        return values, present
    if isinstance(values, pd.DataFrame | pd.Series):
        return values[present], present
    if isinstance(values, np.ndarray):
        return values[present], present
    return [value for value, there in zip(values, present, strict=True) if there], present
