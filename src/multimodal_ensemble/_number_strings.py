"""Numbers that a file holds as text, such as "1,234.5", "3 %" and "$ 5"."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

# What people write where a number or a date is unknown.
PLACEHOLDERS = {
    *("", "-", "--", "\u2013", "\u2014", "?", ".", "n/a", "#n/a", "na", "nan", "nat"),
    *("none", "null", "unknown"),
}
_CURRENCIES = "$\u20ac\u00a3\u00a5\u20b9\u20bd\u20a9\u20ba\u20aa"
# Spaces that part thousands, and the apostrophes of Switzerland.
_SPACES = " \u00a0\u202f\u2009'\u2019"
_MINUS = "\u2212"
DECIMALS = (".", ",")


def is_placeholder(text: str) -> bool:
    """Return whether a text stands for an unknown value, such as "" and "n/a"."""
    return text.strip().casefold() in PLACEHOLDERS


def parse_number(text: str, decimal: str) -> float | None:
    """Return the number of a text, NaN for a placeholder, and None for anything else.

    A percentage is divided by 100; signs of currencies are ignored.
    """
    if (match := _pattern(decimal).fullmatch(text.strip())) is None:
        return math.nan if is_placeholder(text) else None
    whole = re.sub(rf"[.,{_SPACES}]", "", match["whole"])
    sign = "-" if {"-", _MINUS} & {match["sign"], match["inner_sign"]} else ""
    number = float(f"{sign}{whole or 0}.{match['fraction'] or 0}{match['exponent'] or ''}")
    return number / 100 if match["percent"] else number


def number_pattern(decimal: str) -> str:
    """Return the regular expression of a number, with names of its parts."""
    mark = re.escape(decimal)
    other = "," if decimal == "." else "."
    money = f"[{_CURRENCIES}]"
    return (
        rf"(?P<sign>[-+{_MINUS}]?)\s?(?P<before>{money})?\s?(?P<inner_sign>[-+{_MINUS}]?)"
        rf"(?=[0-9{mark}])(?!{mark}(?![0-9]))"
        rf"(?P<whole>[0-9]{{1,3}}(?:(?P<group>[{other}{_SPACES}])[0-9]{{3}})"
        r"(?:(?P=group)[0-9]{3})*|[0-9]*)"
        rf"(?:{mark}(?P<fraction>[0-9]*))?(?P<exponent>[eE][-+]?[0-9]{{1,4}})?"
        rf"\s?(?:(?P<after>{money})|(?P<percent>%))?"
    )


@cache
def _pattern(decimal: str) -> re.Pattern[str]:
    return re.compile(number_pattern(decimal))


@dataclass(frozen=True)
class NumberFormat:
    """How the texts of a column are numbers, or why they cannot be used as such."""

    description: str
    # The decimal mark; None if the texts cannot be used.
    decimal: str | None = None
    # Positions of the texts that are no numbers.
    faulty: tuple[int, ...] = ()


def find_number_format(texts: Sequence[str]) -> NumberFormat | None:
    """Return how at least nine in ten texts are numbers, or None."""
    faults = {
        decimal: [row for row, text in enumerate(texts) if parse_number(text, decimal) is None]
        for decimal in DECIMALS
    }
    decimal = min(DECIMALS, key=lambda mark: len(faults[mark]))
    faulty = faults[decimal]
    given = [text.strip() for text in texts if not is_placeholder(text)]
    numbers = [text for text in given if parse_number(text, decimal) is not None]
    if not numbers or len(faulty) > len(given) / 10:
        return None
    if any(re.match(r"[-+]?0[0-9]", text) for text in numbers):
        # Codes, such as those of post offices, are no quantities.
        return None
    n_percent = sum(text.endswith("%") for text in numbers)
    if 0 < n_percent < len(numbers):
        return NumberFormat(
            f"numbers as text, {n_percent} of {len(numbers)} of them with %; write all of them in "
            "the same unit"
        )
    currencies = sorted({sign for text in numbers for sign in text if sign in _CURRENCIES})
    if len(currencies) > 1:
        return NumberFormat(
            f"amounts of several currencies, {' and '.join(currencies)}; convert them to one"
        )
    example = max(numbers, key=lambda text: (len(set(text) - set("0123456789")), len(text)))
    description = f"numbers as text, such as {example[:40]!r}"
    if faults["."] == faults[","] and (marks := _marks(numbers)):
        meaning = "decimal mark" if marks == decimal else "mark of thousands"
        description += f", with {marks!r} as the {meaning} (it could be the other)"
    if faulty:
        description += (
            f"; {len(faulty)} of {len(texts)} are no numbers, such as "
            f"{texts[faulty[0]][:40]!r}, and count as missing"
        )
    return NumberFormat(description, decimal, tuple(faulty))


def _marks(numbers: Sequence[str]) -> str:
    """Return the marks that occur in numbers: a point, a comma, both or none."""
    return "".join(mark for mark in DECIMALS if any(mark in number for number in numbers))
