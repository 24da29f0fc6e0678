"""Features in half the space: float16 with one power of two per row."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# The largest value of a row is scaled into [2**14, 2**15), below the end of float16 at 65504.
_TOP_EXPONENT = 15


def to_half(features: NDArray[np.float32]) -> tuple[NDArray[np.float16], NDArray[np.int16]]:
    """Round finite rows to 11 significant bits; return ``half, exponents`` (one per row).

    Plain float16 ends at 65504 and loses digits below 6e-5, and features of some networks exceed
    both limits. Multiplying a row by a power of two is exact. With the largest value of a row
    moved to the top of the range, each value down to about 1e-9 times that value keeps 11 bits.
    The power depends on the row alone, so stored features do not depend on other rows.
    """
    axes = tuple(range(1, features.ndim))
    top = np.abs(features).max(axis=axes, initial=0, keepdims=True)
    exponents = np.where(top > 0, np.frexp(top)[1] - _TOP_EXPONENT, 0)
    half = np.ldexp(features, -exponents).astype(np.float16)
    return half, exponents.reshape(len(features)).astype(np.int16)


def from_half(half: NDArray[np.float16], exponents: NDArray[np.int16]) -> NDArray[np.float32]:
    """Return float32 rows, approximately ``half * 2.0**exponents``."""
    per_row = exponents.astype(np.int32).reshape(-1, *[1] * (half.ndim - 1))
    # The largest float32 is rounded up to infinity and clipped back.
    with np.errstate(over="ignore"):
        features = np.ldexp(half.astype(np.float32), per_row)
    largest = np.finfo(np.float32).max
    return np.clip(features, -largest, largest, out=features)
