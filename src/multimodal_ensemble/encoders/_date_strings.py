"""Dates that a file holds as text, such as "2021-03-01" and "1 March 2021"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multimodal_ensemble._number_strings import is_placeholder

ISO = "ISO8601"
_DAYS = (
    *("%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y"),
    *("%d/%m/%y", "%m/%d/%y", "%d.%m.%y", "%d-%b-%Y", "%d-%b-%y"),
    *("%d %B %Y", "%d %b %Y", "%B %d, %Y", "%b %d, %Y", "%B %d %Y", "%b %d %Y"),
)
_TIMES = ("", " %H:%M", " %H:%M:%S", " %I:%M %p")
_FORMATS = (ISO, *(day + time for day in _DAYS for time in _TIMES), "%B %Y", "%b %Y")
# Every format has a digit, and two marks or a month's name; it is cheap to look for them.
_LOOKS_LIKE_DATE = re.compile(
    r"\d{4}-\d\d?(-|$)|\d{1,4}[/.-]\d{1,2}[/.-]\d{2,4}|\d.*[A-Za-z]{3}|[A-Za-z]{3}.*\d", re.ASCII
)
_DIGIT = re.compile(r"\d")
_LONGEST = 40
_N_FIRST_TRIED = 20


@dataclass(frozen=True)
class DateFormat:
    """The format of the dates of a column, or why they cannot be used."""

    description: str
    # None if the format is not certain.
    format: str | None = None
    # Positions of the texts that are no dates.
    faulty: tuple[int, ...] = ()


def parse_dates(texts: Sequence[str], date_format: str) -> NDArray[Any]:
    """Return texts as datetime64[s], NaT for those that are no dates in this format.

    Times with a time zone become times of UTC.
    """
    # Formats ignore differences in the number of spaces. Texts without a digit are no dates, but
    # pandas would read "now" and "today" as the time of the call.
    cleaned = pd.Series(
        [" ".join(text.split()) if _DIGIT.search(text) else "" for text in texts], dtype=object
    )
    dates = pd.to_datetime(cleaned, format=date_format, errors="coerce", utc=True)
    return np.asarray(dates.dt.tz_localize(None).to_numpy(), dtype="datetime64[s]")


def find_date_format(texts: Sequence[str], sample: Sequence[str]) -> DateFormat | None:
    """Return the format of at least nine in ten texts, or None if they are no dates."""
    sample = [text for text in sample if not is_placeholder(text)]
    n_similar = sum(len(t) <= _LONGEST and bool(_LOOKS_LIKE_DATE.search(t)) for t in sample)
    if not sample or n_similar < 0.9 * len(sample):
        return None
    # Most formats are ruled out by a few texts.
    few = sample[:: max(1, len(sample) // _N_FIRST_TRIED)]
    likely = [each for each in _FORMATS if _share(few, each) >= 0.5]
    likely = [each for each in likely if _share(sample, each) >= 0.9]
    given = [row for row, text in enumerate(texts) if not is_placeholder(text)]
    known = [texts[row] for row in given]
    parsed = {each: parse_dates(known, each) for each in likely}
    n_faulty = {each: int(np.isnat(dates).sum()) for each, dates in parsed.items()}
    least = min(n_faulty.values(), default=len(known))
    if least > len(known) / 10:
        return None
    best = [each for each in likely if n_faulty[each] == least]
    differing = [each for each in best if not _same(parsed[each], parsed[best[0]])]
    example = known[0][:40]
    if differing:
        first, second = best[0], differing[0]
        return DateFormat(
            f"dates as text, such as {example!r}, in the format {first!r} or {second!r}; name one "
            "of them in DateEncoder(..., format=...)"
        )
    is_faulty = np.isnat(parsed[best[0]])
    description = f"dates as text, such as {known[int(np.argmin(is_faulty))][:40]!r}"
    if is_faulty.any():
        first_fault = known[int(np.argmax(is_faulty))][:40]
        description += (
            f"; {least} of {len(texts)} are no dates in this format, such as {first_fault!r}, and "
            "count as missing"
        )
    faulty = tuple(np.array(given, dtype=int)[is_faulty].tolist())
    return DateFormat(description, best[0], faulty)


def _share(texts: Sequence[str], date_format: str) -> float:
    return float((~np.isnat(parse_dates(texts, date_format))).mean())


def _same(dates: NDArray[Any], others: NDArray[Any]) -> bool:
    return bool(((dates == others) | (np.isnat(dates) & np.isnat(others))).all())
