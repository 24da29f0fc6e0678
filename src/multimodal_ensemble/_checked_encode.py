"""Encoding a batch, with a check of what the `encode` of any package returns."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._tables import counted
from multimodal_ensemble.exceptions import ModalityError


def checked_encode(encoder: Any, values: Any) -> NDArray[Any]:
    """Return what an encoder encodes, or raise a ModalityError if that is no batch of its rows.

    Otherwise, rows would be paired with the labels of others, or a layer would fail later.
    """
    rows = encoder.encode(values)
    n_values = values.shape[0] if hasattr(values, "shape") else len(values)
    expected = (n_values, *encoder.input_shape)
    if isinstance(rows, np.ndarray):
        is_batch = len(expected) == rows.ndim and all(
            size in (None, found) for size, found in zip(expected, rows.shape, strict=True)
        )
        if is_batch and rows.dtype.kind in "biuf":
            return rows
        received = f"an array of shape {rows.shape} and dtype {rows.dtype}"
    else:
        received = f"an object of type {type(rows).__name__}"
    msg = (
        f"For {counted(n_values, 'value')}, encode of modality {encoder.name!r} must return a "
        f"NumPy array of numbers of shape (n, *input_shape) = {expected}. Received {received}. "
        f"Correct {type(encoder).__name__}.encode or its input_shape, and test it with "
        "multimodal_ensemble.testing.check_encoder."
    )
    raise ModalityError(msg)
