"""What the strings of a column hold, as a file in CSV format has them."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from multimodal_ensemble._number_strings import (
    find_number_format,
    is_placeholder,
    parse_number,
)
from multimodal_ensemble.encoders._bag_of_words_encoder import BagOfWordsEncoder
from multimodal_ensemble.encoders._category_encoder import CategoryEncoder
from multimodal_ensemble.encoders._column_kind import ColumnKind, sample
from multimodal_ensemble.encoders._date_encoder import DateEncoder
from multimodal_ensemble.encoders._date_strings import ISO, find_date_format
from multimodal_ensemble.encoders._delimiters import MOST_CATEGORIES, find_delimiter
from multimodal_ensemble.encoders._dense_encoder import DenseEncoder
from multimodal_ensemble.encoders._inspect_lists import inspect_lists
from multimodal_ensemble.encoders._inspect_numbers import inspect_numbers
from multimodal_ensemble.encoders._printed_lists import is_bracketed, read_list
from multimodal_ensemble.encoders._words import find_hashtags

# Texts with fewer words than this, on average, are names, of which a language model knows little.
_MAX_WORDS_OF_NAMES = 2
_BOOLEANS = [{"yes", "no"}, {"true", "false"}, {"y", "n"}, {"t", "f"}, {"on", "off"}]


def inspect_strings(
    column: str, known: Sequence[str], root: Path, *, is_categorical: bool
) -> ColumnKind:
    """Return the kind of a column of strings that are no images."""
    distinct = {value.strip() for value in known}
    if len(distinct) == 1:
        return ColumnKind(f"the same string in each row, {known[0][:80]!r}")
    inspected = sample(known)
    kind = _find_printed_lists(known, inspected, root) or _find_hashtags(inspected)
    kind = kind or _find_booleans(distinct) or _find_numbers(column, known, inspected)
    kind = kind or _find_dates(known, inspected)
    return kind or _find_words(known, inspected, distinct, is_categorical=is_categorical)


def categories(distinct: Collection[Any]) -> ColumnKind:
    """Return the kind of columns of categories."""
    return ColumnKind(f"{len(distinct)} categories", CategoryEncoder, joint_name="categories")


def _find_printed_lists(
    known: Sequence[str], inspected: Sequence[str], root: Path
) -> ColumnKind | None:
    """Return the kind of lists as text; blank strings are empty lists."""
    given = [value for value in inspected if value.strip()]
    if sum(map(is_bracketed, given)) <= len(given) / 2:
        return None
    lists = [read_list(value) if value.strip() else [] for value in known]
    faulty = [value for value, read in zip(known, lists, strict=True) if read is None]
    if faulty:
        if not any(text.strip().startswith("[") for text in faulty):
            # Texts in brackets.
            return None
        return ColumnKind(
            f"lists as text, {len(faulty)} of {len(known)} of which are no flat lists of JSON or "
            f"Python, such as {faulty[0][:60]!r}"
        )
    kind = inspect_lists([read or [] for read in lists], root)
    options = dict(kind.options)
    if kind.encoder is BagOfWordsEncoder:
        options = {"tokenizer": "list"}
    elif kind.encoder is DenseEncoder:
        options = {"decimal": "."}
    return replace(kind, description=f"{kind.description} (as text)", options=options)


def _find_hashtags(inspected: Sequence[str]) -> ColumnKind | None:
    n_rows = sum("#" in value for value in inspected)
    if n_rows < len(inspected) / 2:
        return None
    words = [word for value in inspected for word in re.split(r"[\s,;|]+", value) if word]
    n_tags = sum(len(find_hashtags(value)) for value in inspected)
    n_hashed = sum(word.startswith("#") for word in words)
    if not n_tags or n_hashed < 0.8 * len(words):
        return None
    return ColumnKind(
        f"hash-tags, {n_tags / len(inspected):.1f} per row; {100 * n_hashed / len(words):.0f} % of "
        "words begin with '#'",
        BagOfWordsEncoder,
        {"tokenizer": "hashtags"},
        is_tags=True,
    )


def _find_booleans(distinct: Collection[str]) -> ColumnKind | None:
    folded = {value.casefold() for value in distinct}
    if folded not in _BOOLEANS:
        return None
    names = " and ".join(map(repr, sorted(distinct)))
    return ColumnKind(f"booleans as text, {names}", CategoryEncoder, joint_name="categories")


def _find_numbers(column: str, known: Sequence[str], inspected: Sequence[str]) -> ColumnKind | None:
    if find_number_format(inspected) is None or (found := find_number_format(known)) is None:
        return None
    if found.decimal is None:
        return ColumnKind(found.description)
    numbers = [parse_number(value, found.decimal) for value in known]
    usable = [number for number in numbers if number is not None and number == number]
    kind = inspect_numbers(column, usable)
    if kind.encoder is None:
        return replace(kind, description=f"{kind.description} (as text)")
    options: dict[str, Any] = {"decimal": found.decimal}
    if found.faulty:
        options["on_error"] = "missing"
    return ColumnKind(
        found.description,
        DenseEncoder,
        options,
        joint_name="numbers" if found.decimal == "." else "numbers_with_comma",
        note=found.description,
        faulty=(*found.faulty, *_placeholders(known)),
    )


def _find_dates(known: Sequence[str], inspected: Sequence[str]) -> ColumnKind | None:
    found = find_date_format(known, inspected)
    if found is None:
        return None
    if found.format is None:
        return ColumnKind(found.description)
    options = {} if found.format == ISO else {"format": found.format}
    if found.faulty:
        options["on_error"] = "missing"
    faulty = (*found.faulty, *_placeholders(known))
    return ColumnKind(found.description, DateEncoder, options, faulty=faulty)


def _placeholders(known: Sequence[str]) -> list[int]:
    return [row for row, value in enumerate(known) if is_placeholder(value)]


def _find_words(
    known: Sequence[str],
    inspected: Sequence[str],
    distinct: Collection[str],
    *,
    is_categorical: bool,
) -> ColumnKind:
    """Return the kind of delimited strings, categories or texts."""
    delimiter, evidence = find_delimiter(inspected, distinct, len(known))
    if delimiter is not None:
        if not any(re.search(rf"[^\s{re.escape(delimiter)}]", value) for value in distinct):
            return ColumnKind(f"strings delimited by {delimiter!r} without a token")
        return ColumnKind(evidence, BagOfWordsEncoder, {"delimiter": delimiter}, is_tags=True)
    if len(distinct) <= min(MOST_CATEGORIES, len(known) / 2):
        return categories(distinct)
    if is_categorical and len(distinct) < len(known):
        return categories(distinct)
    if not any(re.search(r"\w", value) for value in distinct):
        return ColumnKind("texts without a token")
    if len(distinct) == len(known) and not any(" " in value.strip() for value in inspected):
        return ColumnKind("a different word in each row, like an id")
    n_words = sum(len(value.split()) for value in inspected) / len(inspected)
    return ColumnKind(
        f"texts of {n_words:.1f} words" + (f", {evidence}" if evidence else ""),
        BagOfWordsEncoder,
        {"tokenizer": "words"},
        is_text=n_words > _MAX_WORDS_OF_NAMES,
    )
