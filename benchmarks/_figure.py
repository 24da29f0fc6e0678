"""A measured ratio, and the alternating measurement of two functions."""

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Figure:
    """One ratio of the table.

    Parameters
    ----------
    what, against : str
        What was measured, and the baseline that it is divided by.
    target : float or None
        The target ratio; None if the figure is for information only.
    ratios : list of float
        One ratio per repetition; the table shows the median.
    at_least : bool
        Whether the ratio must be at least the target (a speed-up) rather than at most.
    details : dict
        Sizes and median measurements.
    """

    what: str
    against: str
    target: float | None
    ratios: list[float]
    at_least: bool = False
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def ratio(self) -> float:
        return statistics.median(self.ratios)

    @property
    def is_reached(self) -> bool:
        if self.target is None:
            return True
        return self.ratio >= self.target if self.at_least else self.ratio <= self.target


def at_least(n_repeats: int, given: int) -> int:
    """Return the repetitions that a figure needs, unless one is given: that is a trial."""
    return given if given == 1 else max(n_repeats, given)


def time_pairs(
    ours: Callable[[], object],
    other: Callable[[], object],
    *,
    repeats: int,
    warm_up: bool = True,
    inverse: bool = False,
) -> tuple[list[float], dict[str, float]]:
    """Time two functions alternately, so that changes in machine speed affect both.

    Returns the ratio ``ours / other``, or its inverse, of each pair, and the medians in seconds.
    Both run once before, unless there is one repetition only.
    """
    if warm_up and repeats > 1:
        ours()
        other()
    ours_seconds, other_seconds = [], []
    for _ in range(repeats):
        ours_seconds.append(_seconds(ours))
        other_seconds.append(_seconds(other))
    ratios = [
        (there / here if inverse else here / there)
        for here, there in zip(ours_seconds, other_seconds, strict=True)
    ]
    return ratios, {
        "seconds": statistics.median(ours_seconds),
        "seconds_against": statistics.median(other_seconds),
    }


def _seconds(run: Callable[[], object]) -> float:
    gc.collect()
    start = time.perf_counter()
    run()
    return time.perf_counter() - start
