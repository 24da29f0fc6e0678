"""Lists that a file holds as text: of JSON, of Python, or printed by NumPy."""

from __future__ import annotations

import ast
import json
import re
from typing import TypeAlias

Item: TypeAlias = str | float | None

# A longer text is no list of a row, and is not searched.
MOST_CHARACTERS = 2**20
_BRACKETS = {"[": "]", "(": ")", "{": "}"}
_ESCAPE = r"\\[\\'\"/abfnrtvxuU]"
_ITEM = re.compile(
    rf"""("(?:[^"\\]|{_ESCAPE})*"|'(?:[^'\\]|{_ESCAPE})*'"""
    r"""|[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|None|null|NaN|nan)(?:\s*,\s*|\s+|$)""",
    re.ASCII,
)
_MISSING = {"None", "null"}


def is_bracketed(text: str) -> bool:
    """Return whether a text begins and ends like a list."""
    text = text.strip()
    return len(text) > 1 and _BRACKETS.get(text[0]) == text[-1]


def read_list(text: str) -> list[Item] | None:
    """Return the strings, numbers and missing values of a list, or None if a text is no list.

    Lists of JSON and of Python are read, and those that NumPy prints without commas. Nothing is
    evaluated but single strings in quotation marks; lists in lists are refused.
    """
    if len(text) > MOST_CHARACTERS or not is_bracketed(text):
        return None
    inner = text.strip()[1:-1].strip()
    items: list[Item] = []
    position = 0
    while position < len(inner):
        match = _ITEM.match(inner, position)
        if match is None:
            return None
        try:
            items.append(_read_item(match[1]))
        except (ValueError, SyntaxError):
            return None
        position = match.end()
    return items


def read_strings(text: str) -> list[str] | None:
    """Return a list of strings, or None if a text is anything else."""
    items = read_list(text)
    if items is None:
        return None
    strings = [item for item in items if isinstance(item, str)]
    return strings if len(strings) == len(items) else None


def _read_item(item: str) -> Item:
    if item[0] == '"':
        try:
            # A quotation mark in JSON may have escapes that Python lacks, such as "\/".
            return str(json.loads(item, strict=False))
        except ValueError:
            pass
    if item[0] in "\"'":
        return str(ast.literal_eval(item))
    return None if item in _MISSING else float(item)
