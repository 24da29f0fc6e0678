"""A measured ratio, and how two things are measured in turn."""

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
        What was measured, and the floor or alternative it was divided by.
    target : float or None
        What is to be reached; None where the figure is only told.
    ratios : list of float
        One a repetition; the table shows the median.
    at_least : bool
        Whether the ratio should be at least the target (how many times faster), not at most.
    details : dict
        Sizes, and medians of what was measured.
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


def time_pairs(
    ours: Callable[[], object],
    other: Callable[[], object],
    *,
    repeats: int,
    warm_up: bool = True,
    inverse: bool = False,
) -> tuple[list[float], dict[str, float]]:
    """Time two things in turn, so that a machine that slows down slows down both.

    Returns ``ours / other``, or the inverse, of each pair, and the medians in seconds.
    """
    if warm_up:
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
