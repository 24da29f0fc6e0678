"""Random numbers from an explicit seed, without a change to the caller's random state."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from threading import Lock
from typing import Any

# The generator of the block that the current thread is in; None outside of all blocks.
_generator: ContextVar[random.Random | None] = ContextVar("_generator", default=None)
_lock = Lock()
_n_blocks = 0


@contextmanager
def seeded_layers(seed: int | None) -> Iterator[None]:
    """Make Keras layers that are built inside the block reproducible; None leaves them random.

    A Keras initializer or dropout layer without its own seed draws one from Python's global
    generator when it is constructed, through the functions of the module `random`. Inside the
    block, and in its thread alone, these draw from a new generator instead. The global one is
    neither read nor changed, so blocks in several threads do not influence each other or the
    caller.
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


def _count_blocks(change: int) -> None:
    """Replace the functions of `random` when the first block begins, until the last one ends."""
    global _n_blocks
    with _lock:
        before, _n_blocks = _n_blocks, _n_blocks + change
        if before and _n_blocks:
            return
        for name, own in _FUNCTIONS.items():
            replacement = _REPLACEMENTS[name]
            old, new = (own, replacement) if _n_blocks else (replacement, own)
            # Leave functions alone that someone else has replaced.
            if getattr(random, name) is old:
                setattr(random, name, new)


def _choosing_by_thread(name: str, own: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that draws from the generator of the thread, if it is in a block."""

    @wraps(own)
    def draw(*args: Any, **kwargs: Any) -> Any:
        generator = _generator.get()
        return (own if generator is None else getattr(generator, name))(*args, **kwargs)

    return draw


# The functions of `random` that use the global generator: they are its methods.
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    name: value
    for name, value in vars(random).items()
    if isinstance(getattr(value, "__self__", None), random.Random)
}
_REPLACEMENTS = {name: _choosing_by_thread(name, own) for name, own in _FUNCTIONS.items()}
