"""Randomness that comes from one explicit seed and leaves the caller's random state alone."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def seeded_layers(seed: int | None) -> Iterator[None]:
    """Make Keras layers that are built inside the block repeatable; None leaves them random.

    A Keras initializer or dropout layer without a seed of its own draws one from Python's
    global generator when it is constructed. Seeding that generator for the length of the block,
    and putting its state back, makes every such draw a function of `seed` without touching
    anybody else's random numbers.
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
