"""Positions on an axis, and its ticks."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

_STEPS = (1.0, 2.0, 5.0, 10.0)


@dataclass(frozen=True)
class Scale:
    """An axis from `low` to `high`, with its ticks; positions are percentages.

    A vertical axis is `reversed`, because positions on a page count from the top.
    """

    low: float
    high: float
    ticks: tuple[float, ...]
    digits: int
    reversed: bool = False

    def place(self, value: float) -> float:
        """Return the position of a value, which may lie outside 0..100."""
        share = (value - self.low) / (self.high - self.low)
        return round(100 * (1 - share if self.reversed else share), 2)

    def clip(self, value: float) -> float:
        """Return the nearest value on the axis."""
        return min(max(value, self.low), self.high)

    def text(self, tick: float, *, sign: bool = False) -> str:
        """Return a tick as text."""
        if sign and tick:
            return f"{tick:+.{self.digits}f}"
        return f"{abs(tick) if tick == 0 else tick:,.{self.digits}f}"


def make_scale(
    values: Iterable[float], *, n_ticks: int = 5, reversed: bool = False, tight: bool = False
) -> Scale:
    """Return an axis that covers the finite values and ends at ticks.

    With `tight`, it ends at the lowest and highest value, as an axis of time does.
    """
    finite = [float(value) for value in values if math.isfinite(value)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
    if high - low < 1e-9:
        low, high = low - 0.5, high + 0.5
    size = 10.0 ** math.floor(math.log10((high - low) / n_ticks))
    step = next(size * step for step in _STEPS if (high - low) / (size * step) <= n_ticks)
    first = math.ceil(low / step - 1e-9) if tight else math.floor(low / step + 1e-9)
    last = math.floor(high / step + 1e-9) if tight else math.ceil(high / step - 1e-9)
    ticks = tuple(round(number * step, 12) for number in range(first, last + 1))
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    return Scale(low if tight else ticks[0], high if tight else ticks[-1], ticks, digits, reversed)
