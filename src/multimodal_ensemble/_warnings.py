"""Warnings that point to the line of the user's code, and warnings that are ignored."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

_PACKAGE_FOLDER = str(Path(__file__).parent)

# The blocks of `ignored` in all threads, and what restores the filters at the end of the last one.
_lock = Lock()
_n_blocks = 0
_outer: warnings.catch_warnings[None]


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Issue a warning for the innermost line of code outside this package.

    A fixed `stacklevel` would change with every function that is added or removed in between.
    """
    stacklevel, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE_FOLDER):
        stacklevel, frame = stacklevel + 1, frame.f_back
    warnings.warn(message, category, stacklevel=stacklevel)


@contextmanager
def ignored(category: type[Warning], message: str = "") -> Iterator[None]:
    """Ignore warnings of a category, whose text matches a pattern, inside the block.

    `warnings.catch_warnings` restores the filters that it found. Where two threads overlap, the one
    that ends last would restore the filters of the other one, and they would stay for good.
    """
    global _n_blocks, _outer
    with _lock:
        if not _n_blocks:
            _outer = warnings.catch_warnings()
            _outer.__enter__()
        _n_blocks += 1
        warnings.filterwarnings("ignore", message, category)
    try:
        yield
    finally:
        with _lock:
            _n_blocks -= 1
            if not _n_blocks:
                _outer.__exit__(None, None, None)
