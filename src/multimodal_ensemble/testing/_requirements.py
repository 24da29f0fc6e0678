"""Requirements of the encoder contract, with messages that name the part that is broken."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

_TOLERANCE = 1e-5
# Accepted error of half precision, relative to the largest value.
_HALF_TOLERANCES = {"float16": 3e-2, "bfloat16": 1e-1}


@contextmanager
def step(what: str) -> Iterator[None]:
    """Turn any error of the block into one that says what the contract requires."""
    try:
        yield
    except Exception as error:
        msg = f"The encoder breaks the contract: {what}. It raised {error!r}."
        raise AssertionError(msg) from error


def tolerance() -> float:
    """Return the accepted relative difference of computed values, by Keras's dtype policy."""
    return _HALF_TOLERANCES.get(keras.config.dtype_policy().compute_dtype, _TOLERANCE)


def require(holds: bool, what: str, expected: object, received: object) -> None:
    """Raise an AssertionError unless a part of the contract holds."""
    # An assert statement would do nothing under `python -O`.
    if not holds:
        msg = f"The encoder breaks the contract: {what}. Expected {expected}, received {received}."
        raise AssertionError(msg)


def require_equal(what: str, expected: object, received: object) -> None:
    """Require two values to be equal."""
    require(expected == received, what, expected, received)


def require_shape(what: str, expected: tuple[int | None, ...], received: NDArray[Any]) -> None:
    """Require an array to have a shape, whose sizes may be anything where None is expected."""
    n_equal = len(expected) == received.ndim and sum(
        size in (None, found) for size, found in zip(expected, received.shape, strict=True)
    )
    require(n_equal == len(expected), what, expected, received.shape)


def require_close(
    what: str, expected: NDArray[Any], received: NDArray[Any], accepted: float = 0
) -> None:
    """Require two arrays to differ by no more than is accepted, relative to the largest value."""
    apart = np.inf
    if expected.shape == received.shape:
        scale = max(1e-6, float(np.abs(expected).max(initial=0)))
        difference = np.abs(expected.astype(float) - received.astype(float))
        apart = float(difference.max(initial=0)) / scale
    require(apart <= accepted, what, f"at most {accepted} apart", f"{apart} apart (relative)")


def cut_like(
    single: NDArray[Any], padded: NDArray[Any], input_shape: tuple[int | None, ...]
) -> NDArray[Any]:
    """Return a padded row with the lengths that it has alone."""
    sizes = zip(single.shape[1:], input_shape, strict=True)
    return padded[(slice(None), *(slice(None if n is not None else s) for s, n in sizes))]


def run(model: keras.Model | None, batch: NDArray[Any]) -> NDArray[Any]:
    """Return the output of a model in inference, or the batch itself without a model."""
    if model is None:
        return batch
    result: NDArray[Any] = keras.ops.convert_to_numpy(model(batch, training=False))
    return result
