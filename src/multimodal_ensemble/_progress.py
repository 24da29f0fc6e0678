"""The progress bar of long computations, which prints few lines to a log file."""

from __future__ import annotations

import sys

import keras

# A terminal redraws one line. In a log file, each update is a new line.
_TERMINAL_SECONDS = 0.2
_LOG_SECONDS = 30


def make_progress_bar(
    total: int | None, *, unit: str, rate: str | None = None
) -> keras.utils.Progbar:
    """Return a Keras progress bar; the value that is named `rate` is shown without averaging."""
    return keras.utils.Progbar(
        total,
        unit_name=unit,
        stateful_metrics=None if rate is None else [rate],
        interval=_TERMINAL_SECONDS if sys.stdout.isatty() else _LOG_SECONDS,
    )
