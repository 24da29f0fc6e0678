"""Columns whose kind the caller knows, whatever their values look like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from multimodal_ensemble._number_strings import DECIMALS, parse_number
from multimodal_ensemble.encoders._bag_of_words_encoder import BagOfWordsEncoder
from multimodal_ensemble.encoders._category_encoder import CategoryEncoder
from multimodal_ensemble.encoders._column_kind import ColumnKind
from multimodal_ensemble.encoders._date_encoder import DateEncoder
from multimodal_ensemble.encoders._dense_encoder import DenseEncoder
from multimodal_ensemble.encoders._encoder import Encoder
from multimodal_ensemble.encoders._image_encoder import ImageEncoder
from multimodal_ensemble.exceptions import ModalityError

_ENCODERS: dict[str, type[Encoder]] = {
    "image": ImageEncoder,
    "text": BagOfWordsEncoder,
    "tags": BagOfWordsEncoder,
    "numbers": DenseEncoder,
    "categories": CategoryEncoder,
    "dates": DateEncoder,
}


def check_kinds(kinds: Mapping[str, str], columns: Sequence[Any]) -> None:
    """Raise a ModalityError unless each name is a column, and its kind is known."""
    for column, kind in kinds.items():
        if column not in columns:
            msg = f"kinds names {column!r}, which the data lacks. It has {list(columns)}."
            raise ModalityError(msg)
        if kind not in _ENCODERS:
            msg = f"kinds[{column!r}] must be one of {sorted(_ENCODERS)}. Received {kind!r}."
            raise ModalityError(msg)


def as_named(name: str, found: ColumnKind, known: Sequence[Any], root: Path) -> ColumnKind:
    """Return the kind of a column as it is named: as its values show it, if this is the same kind.

    `known` are the values that are not missing.
    """
    is_text = found.options.get("tokenizer") == "words"
    if found.encoder is _ENCODERS[name] and is_text == (name == "text"):
        return replace(found, is_text=is_text, is_tags=name == "tags")
    strings = [value for value in known if isinstance(value, str)]
    named = ColumnKind(f"named as {name}; {found.description}", _ENCODERS[name])
    if name in ("numbers", "categories"):
        named = replace(named, joint_name=name)
    if name == "image":
        options = {} if root == Path() else {"root": str(root)}
        return replace(named, options={**options, "on_error": "missing", "optional": True})
    if name == "text":
        return replace(named, is_text=True, options={"tokenizer": "words"})
    if not strings or name == "categories":
        return named
    if name == "tags":
        frequent = max("|;,", key=lambda mark: sum(mark in value for value in strings))
        return replace(named, is_tags=True, options={"delimiter": frequent})
    if name == "dates":
        return replace(named, options={"on_error": "missing"})
    return _as_numbers(named, known)


def _as_numbers(named: ColumnKind, known: Sequence[Any]) -> ColumnKind:
    """Return the kind of numbers as text; texts that are no numbers count as missing."""
    faults = {
        decimal: [
            row
            for row, value in enumerate(known)
            if isinstance(value, str) and parse_number(value, decimal) is None
        ]
        for decimal in DECIMALS
    }
    decimal = min(DECIMALS, key=lambda mark: len(faults[mark]))
    faulty = faults[decimal]
    joint_name = "numbers" if decimal == "." else "numbers_with_comma"
    options: dict[str, Any] = {"decimal": decimal}
    note = named.description
    if faulty:
        options["on_error"] = "missing"
        note += (
            f"; {len(faulty)} of {len(known)} are no numbers, such as {known[faulty[0]][:40]!r}, "
            "and count as missing"
        )
    return replace(
        named,
        description=note,
        note=note,
        options=options,
        joint_name=joint_name,
        faulty=tuple(faulty),
    )
