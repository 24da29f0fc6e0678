"""Warnings that point to the line of the user's code."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

_PACKAGE_FOLDER = str(Path(__file__).parent)


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Issue a warning for the innermost line of code outside this package.

    A fixed `stacklevel` would change with every function that is added or removed in between.
    """
    stacklevel, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE_FOLDER):
        stacklevel, frame = stacklevel + 1, frame.f_back
    warnings.warn(message, category, stacklevel=stacklevel)
