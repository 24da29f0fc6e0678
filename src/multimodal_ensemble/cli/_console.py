"""What a command says: its result on stdout, everything else on stderr."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Mapping
from typing import Any, TextIO

# A terminal redraws one line. In a log file, each update is a new line.
_TERMINAL_SECONDS = 0.2
_LOG_SECONDS = 10.0


class Console:
    """Prints the result of a command, notes and warnings.

    Parameters
    ----------
    as_json : bool
        Whether the result is one JSON object.
    is_quiet : bool
        Whether notes and progress are left out.
    """

    def __init__(self, *, as_json: bool, is_quiet: bool) -> None:
        self._stdout = sys.stdout
        self.as_json = as_json
        self.is_quiet = is_quiet
        # What is left after an interruption.
        self.kept = "nothing was written"

    @property
    def verbose(self) -> int:
        """The argument `verbose` of functions of the library."""
        return 0 if self.is_quiet else 1

    def note(self, text: str) -> None:
        """Print what a person may want to know meanwhile."""
        if not self.is_quiet:
            print(text, file=sys.stderr, flush=True)

    def warn(self, text: str) -> None:
        """Print what a person must know."""
        print(f"warning: {text}", file=sys.stderr, flush=True)

    def show(self, text: str, value: Mapping[str, Any]) -> None:
        """Print the result, as text or as a JSON object."""
        if self.as_json:
            # Escaped letters are valid in each encoding of a terminal.
            text = json.dumps(to_json(value), allow_nan=False)
        try:
            print(text, file=self._stdout, flush=True)
        except BrokenPipeError:
            # The reader of the output, such as head, has enough.
            sys.stdout = self._stdout = open_nowhere()


def open_nowhere() -> TextIO:
    """Return a stream that takes the place of one that nobody reads."""
    return open(os.devnull, "w")  # noqa: PTH123


class Progress:
    """The number of rows that are done, and the time that is left."""

    def __init__(self, console: Console) -> None:
        self._is_shown = not console.is_quiet
        self._is_terminal = sys.stderr.isatty()
        self._start = self._shown_at = time.monotonic()

    def update(self, n_rows: int, share: float) -> None:
        """Show the number of rows; `share` is the part of the work that is done, 0..1."""
        now = time.monotonic()
        interval = _TERMINAL_SECONDS if self._is_terminal else _LOG_SECONDS
        if not self._is_shown or now - self._shown_at < interval:
            return
        self._shown_at = now
        left = (now - self._start) * (1 - share) / share if share > 0 else math.inf
        about = f", about {describe_seconds(left)} left" if math.isfinite(left) else ""
        line = f"{n_rows:,} rows, {share:.0%}{about}"
        end = "\r" if self._is_terminal else "\n"
        print(f"{line:<60}", end=end, file=sys.stderr, flush=True)

    def close(self) -> None:
        """Remove the line from a terminal."""
        if self._is_shown and self._is_terminal:
            print(" " * 60, end="\r", file=sys.stderr, flush=True)


def describe_seconds(seconds: float) -> str:
    """Return a time as a person says it: ``"40 s"``, ``"3 min"``, ``"2.5 h"``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def to_json(value: Any) -> Any:
    """Return a value that JSON can hold: NaN is null, and infinite numbers are strings."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): to_json(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [to_json(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
