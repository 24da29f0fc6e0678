"""Digests of arrays, to compare their contents."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray


def digest_arrays(arrays: Iterable[NDArray[Any]], *, prefix: bytes = b"") -> str:
    """Return the SHA-256 of the dtypes, shapes and values of arrays, as 64 hexadecimal digits."""
    digest = hashlib.sha256(prefix)
    for array in arrays:
        # `ascontiguousarray` adds an axis to a scalar array, so the shape is read first.
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        values = np.ascontiguousarray(array)
        digest.update(values.view(np.uint8).data if values.size else b"")
    return digest.hexdigest()
