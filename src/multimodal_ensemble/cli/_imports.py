"""Modules that define classes of a model."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path

from multimodal_ensemble.cli._errors import CommandError


def import_modules(names: Iterable[str]) -> None:
    """Import modules, also those in the current folder, as `python -m` finds them.

    Raises
    ------
    CommandError
        If there is no such module, or it raises an error.
    """
    for name in names:
        if (folder := str(Path.cwd())) not in sys.path and "" not in sys.path:
            sys.path.insert(0, folder)
        try:
            import_module(name)
        # A program may end the process when it is imported.
        except (Exception, SystemExit) as error:
            if isinstance(error, ModuleNotFoundError) and f"{name}.".startswith(f"{error.name}."):
                msg = (
                    f"--import {name}: there is no module {error.name!r} in the folder {folder!r}, "
                    "and none is installed. Start the command in the folder of the module, or "
                    "install its package."
                )
            else:
                msg = (
                    f"--import {name}: the module could not be imported; it raised "
                    f"{type(error).__name__}: {error}. Correct it; --debug shows where it happened."
                )
            raise CommandError(msg) from error
