"""Random numbers from an explicit seed, without a change to the caller's random state."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def seeded_layers(seed: int | None) -> Iterator[None]:
    """Make Keras layers that are built inside the block reproducible; None leaves them random.

    A Keras initializer or dropout layer without its own seed draws one from Python's global
    generator when it is constructed. That generator is seeded here, and its state restored.
    """
    if seed is None:
        yield
        return
    state = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(state)
