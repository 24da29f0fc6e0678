"""Optuna, which is optional, without its messages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def import_optuna() -> Any:
    """Return the module `optuna`, or raise an ImportError that says how to install it."""
    try:
        import optuna
    except ImportError as error:
        msg = "The search for parameters needs Optuna. Install it with `pip install optuna`."
        raise ImportError(msg) from error
    return optuna


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Leave out the lines that Optuna logs about studies and trials inside the block."""
    logging = import_optuna().logging
    before = logging.get_verbosity()
    logging.set_verbosity(logging.WARNING)
    try:
        yield
    finally:
        logging.set_verbosity(before)
