"""A limit on the time that repeated listings of a folder take."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

# A listing is repeated at the earliest after this many times its duration.
_PAUSE = 20


class Throttle:
    """Limits repeated listings of a folder to 5 % of the time that passes.

    Listings after each shard would take a time that grows with the square of the rows.
    """

    def __init__(self) -> None:
        self._next = 0.0

    @property
    def is_due(self) -> bool:
        """Whether the next listing may begin."""
        return time.monotonic() >= self._next

    @contextmanager
    def timing(self) -> Iterator[None]:
        """Time a listing."""
        start = time.monotonic()
        yield
        end = time.monotonic()
        self._next = end + _PAUSE * (end - start)
