"""The progress bar of long work, quiet in a log file."""

from __future__ import annotations

import sys

import keras

# A terminal redraws its line; in a log each redraw would be a line of its own.
_TERMINAL_SECONDS = 0.2
_LOG_SECONDS = 30


def make_progress_bar(total: int, *, unit: str, rate: str | None = None) -> keras.utils.Progbar:
    """Return a Keras progress bar.

    Parameters
    ----------
    total : int
        The number of units of work.
    unit : str
        Name of one unit, for example ``"row"``.
    rate : str, optional
        Name of a value that is shown as it is and not averaged, for example ``"images/s"``.
    """
    return keras.utils.Progbar(
        total,
        unit_name=unit,
        stateful_metrics=None if rate is None else [rate],
        interval=_TERMINAL_SECONDS if sys.stdout.isatty() else _LOG_SECONDS,
    )
