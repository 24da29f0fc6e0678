"""The progress bar of feature extraction."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Self

import keras


class ExtractionProgress:
    """A Keras progress bar with images per second; quiet in a log file.

    Parameters
    ----------
    modality, backbone : str
        What is being computed.
    total : int
        How many rows there are to compute.
    verbose : int
        0 shows nothing.
    """

    def __init__(self, modality: str, backbone: str, total: int, verbose: int) -> None:
        self._verbose = verbose
        self._total = total
        self._done = 0
        self._start = time.perf_counter()
        self._title = f"Computing the features of {total} values of {modality!r} with {backbone}"

    def __enter__(self) -> Self:
        if self._verbose:
            print(self._title, flush=True)
            # A terminal's line is redrawn; in a log each redraw would be a line of its own.
            self._bar = keras.utils.Progbar(
                self._total,
                unit_name="image",
                stateful_metrics=["images/s"],
                interval=0.2 if sys.stdout.isatty() else 30,
            )
        return self

    def add(self, count: int) -> None:
        """Say that so many more are done."""
        self._done += count
        if self._verbose:
            rate = self._done / max(time.perf_counter() - self._start, 1e-9)
            self._bar.update(self._done, [("images/s", rate)])

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is not None and self._verbose:
            print(f"\nStopped: {self._done} of {self._total} are kept in the store.", flush=True)
