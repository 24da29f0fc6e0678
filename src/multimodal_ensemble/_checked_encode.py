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
            _refuse_not_finite(encoder, rows)
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


def _refuse_not_finite(encoder: Any, rows: NDArray[Any]) -> None:
    """Raise a ModalityError about the first row with a number that is no finite float32."""
    if rows.dtype.kind != "f":
        return
    limit = np.finfo(np.float32).max
    is_finite = np.isfinite(rows) if rows.dtype.itemsize <= 4 else np.abs(rows) <= limit
    if is_finite.all():
        return
    row = int(np.argmin(is_finite.reshape(len(rows), -1).all(axis=1)))
    kind = type(encoder).__name__
    msg = (
        f"Modality {encoder.name!r}: {kind}.encode returned NaN, infinity or a number beyond "
        f"float32 in row {row}. Return finite numbers, or raise a ModalityError for values that "
        f"have none; with optional=True, rows that {kind}.find_missing finds lack the modality."
    )
    raise ModalityError(msg, row=row)
