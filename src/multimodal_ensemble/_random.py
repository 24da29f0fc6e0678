"""Random numbers from an explicit seed, without a change to the caller's random state."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from threading import Lock
from types import ModuleType
from typing import Any

# The generator of the current thread; None outside of all blocks.
_generator: ContextVar[random.Random | None] = ContextVar("_generator", default=None)
_lock = Lock()
_n_blocks = 0


@contextmanager
def seeded_layers(seed: int | None) -> Iterator[None]:
    """Make Keras layers that are built inside the block reproducible; None leaves them random.

    A Keras initializer or dropout layer without its own seed draws one from Python's global
    generator when it is constructed. Inside the block, and in the thread of the block alone, Keras
    draws from a generator of its own instead. The global one is neither read nor changed, so that
    blocks in several threads, and the caller's own draws, do not influence each other.
    """
    if seed is None:
        yield
        return
    token = _generator.set(random.Random(seed))  # noqa: S311 - these seeds are no secrets
    _count_blocks(1)
    try:
        yield
    finally:
        _count_blocks(-1)
        _generator.reset(token)


class _ThreadRandom:
    """What Keras finds under the name of the module `random` while a thread is inside a block."""

    def __getattr__(self, name: str) -> Any:
        generator = _generator.get()
        return getattr(random if generator is None else generator, name)


_thread_random = _ThreadRandom()


def _count_blocks(change: int) -> None:
    """Replace the module `random` within Keras from the first block until the last one ends."""
    global _n_blocks
    with _lock:
        before, _n_blocks = _n_blocks, _n_blocks + change
        if not (before and _n_blocks):
            for module, name in _uses_in_keras():
                setattr(module, name, _thread_random if _n_blocks else random)


@cache
def _uses_in_keras() -> list[tuple[ModuleType, str]]:
    """Return the modules of Keras that hold the module `random`, each with its name there."""
    # Keras has no public way to give all layers that are built in a thread their seeds.
    package = "keras."
    found = [
        (module, name)
        for key, module in list(sys.modules.items())
        if key.startswith(package) and isinstance(module, ModuleType)
        for name, value in list(vars(module).items())
        if value is random
    ]
    if not found:
        msg = f"Keras {sys.modules['keras'].__version__} draws seeds in an unknown way."
        raise RuntimeError(msg)
    return found
