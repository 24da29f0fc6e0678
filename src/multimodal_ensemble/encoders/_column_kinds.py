"""What the values of one column hold, and which encoder reads them."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from multimodal_ensemble._tables import is_missing, to_python
from multimodal_ensemble.encoders._bag_of_words_encoder import BagOfWordsEncoder
from multimodal_ensemble.encoders._category_encoder import CategoryEncoder
from multimodal_ensemble.encoders._dense_encoder import DenseEncoder
from multimodal_ensemble.encoders._encoder import Encoder
from multimodal_ensemble.encoders._image_encoder import ImageEncoder
from multimodal_ensemble.encoders._numbers import LARGEST, is_number
from multimodal_ensemble.encoders._token_encoder import is_count
from multimodal_ensemble.images import IMAGE_SUFFIXES, is_remote, looks_like_image

_DATES = {"date", "datetime", "datetime64", "period", "timedelta", "timedelta64"}
_DELIMITERS = ("|", ";")
# The kind of a column rarely depends on more values than these.
_N_INSPECTED = 200
# More distinct short strings than this are texts to split into words, and no categories.
_MAX_CATEGORIES = 50
# Pieces with more words than this, on average, are clauses of a text and no tokens.
_MAX_WORDS = 5
# Texts with fewer words than this, on average, are names, of which a language model knows little.
_MAX_WORDS_OF_NAMES = 2
_ID_COLUMN = re.compile(r"(?:^|[^A-Za-z])(?:id|ID|Id)$|Id$|ID$|^index$|^Unnamed")


@dataclass(frozen=True)
class ColumnKind:
    """What a column holds, or why it is left out; the encoder, if any, and its options."""

    description: str
    encoder: type[Encoder] | None = None
    options: dict[str, Any] = field(default_factory=dict)
    # Whether a row may hold several tags, of which some occur together more often than others.
    is_tags: bool = False
    # The name of the encoder of all columns of this kind, if one encoder reads them.
    joint_name: str | None = None
    # Whether rows are sentences or titles, from which a language model reads more than words.
    is_text: bool = False


NUMBERS = ColumnKind("numbers", DenseEncoder, joint_name="numbers")


def find_column_kind(column: str, known: list[Any], root: Path, *, dtype: Any) -> ColumnKind:
    """Inspect the values of a column that are not missing."""
    if not known:
        return ColumnKind("no row has a value")
    return _inspect(column, known, root, is_categorical=isinstance(dtype, pd.CategoricalDtype))


def _inspect(column: str, known: list[Any], root: Path, *, is_categorical: bool) -> ColumnKind:
    if (images := _find_images(known, root)) is not None:
        return images
    if all(isinstance(value, Mapping) for value in known):
        return _inspect_mappings(known)
    if all(_is_list(value) for value in known):
        return _find_lists_of_images(known, root) or _inspect_lists(known)
    if all(map(is_number, known)):
        kind = _inspect_numbers(column, known)
        is_repeated = len(set(known)) < len(known)
        return (
            _categories(set(known)) if kind is NUMBERS and is_categorical and is_repeated else kind
        )
    if pd.api.types.infer_dtype(known, skipna=True) in _DATES:
        return ColumnKind("dates and times; turn them into numbers, such as the year, to use them")
    if all(isinstance(value, str | PathLike) for value in known):
        return _inspect_strings(known, is_categorical=is_categorical)
    types = sorted({type(value).__name__ for value in known})
    return ColumnKind(f"values of the type {' or '.join(types)}")


def _find_images(values: Sequence[Any], root: Path) -> ColumnKind | None:
    """Return the kind of images, or None if values are none."""
    # Bytes that cannot be opened are damaged files if other values of the column are images.
    if any(looks_like_image(value) for value in values) and all(
        isinstance(value, bytes) or looks_like_image(value) for value in values
    ):
        return ColumnKind("images", ImageEncoder)
    if not all(isinstance(value, str | PathLike) for value in values):
        return None
    first = [str(value) for value in values[:_N_INSPECTED]]
    if sum(Path(value).suffix.lower() in IMAGE_SUFFIXES for value in first) <= len(first) / 2:
        return None
    # Path.is_file raises an error for a name that is too long.
    if any(is_remote(value) or os.path.isfile(root / value) for value in first):  # noqa: PTH113
        options = {} if root == Path() else {"root": str(root)}
        return ColumnKind("paths of image files", ImageEncoder, options)
    where = f"{str(root)!r}; pass root=..."
    return ColumnKind(f"paths of image files that do not exist under {where}")


def _find_lists_of_images(known: Sequence[Any], root: Path) -> ColumnKind | None:
    """Return the kind of lists of images, or None if items are none."""
    if any(isinstance(value, set | frozenset) for value in known):
        return None
    items = itertools.islice(itertools.chain.from_iterable(known), _N_INSPECTED)
    kind = _find_images([item for item in items if not is_missing(item)], root)
    if kind is None:
        return None
    description, options = f"lists of {kind.description}", {"items": "mean", **kind.options}
    if n_empty := sum(not len(value) for value in known):
        # A row without an image lacks the modality.
        description += f"; empty in {n_empty} of {len(known)} rows"
        options["optional"] = True
    return replace(kind, description=description, options=options)


def _inspect_mappings(known: Sequence[Any]) -> ColumnKind:
    first = [item for value in known[:_N_INSPECTED] for item in value.items()]
    if all(isinstance(token, str) and is_count(count) for token, count in first):
        if not any(count for value in known for count in value.values()):
            return ColumnKind("no token has a count")
        return ColumnKind("counts of tokens", BagOfWordsEncoder, is_tags=True)
    return ColumnKind("mappings that hold anything but whole numbers by token")


def _inspect_lists(known: Sequence[Any]) -> ColumnKind:
    items = [item for value in known[:_N_INSPECTED] for item in value]
    if all(isinstance(item, str) for item in items):
        if not any(len(value) for value in known):
            return ColumnKind("empty lists")
        return ColumnKind("lists of tokens", BagOfWordsEncoder, is_tags=True)
    if not all(map(is_number, items)):
        return ColumnKind("lists that hold neither tokens nor numbers only")
    if any(isinstance(value, set | frozenset) for value in known):
        return ColumnKind("sets of numbers, which have no order")
    lengths = {len(value) for value in known}
    if len(lengths) > 1:
        return ColumnKind("lists of numbers that differ in length; SequenceEncoder reads them")
    # Some rows at a time, because NumPy makes a copy of them.
    starts = range(0, len(known), _N_INSPECTED)
    if not all(_are_finite(known[start : start + _N_INSPECTED]) for start in starts):
        return ColumnKind("vectors with NaN or infinite numbers; replace these to use it")
    return ColumnKind(f"vectors of {lengths.pop()} numbers", DenseEncoder)


def _inspect_numbers(column: str, known: Sequence[Any]) -> ColumnKind:
    n_distinct = len(set(known))
    if n_distinct == 1:
        return ColumnKind(f"the same number in each row, {to_python(known[0])!r}")
    if not _are_finite(known):
        return ColumnKind("infinite or too large numbers; replace these to use it")
    is_whole = all(float(value).is_integer() for value in known[:_N_INSPECTED])
    if is_whole and _ID_COLUMN.search(column) and n_distinct == len(known):
        return ColumnKind("a different whole number in each row, like an id")
    return NUMBERS


def _inspect_strings(known: Sequence[Any], *, is_categorical: bool) -> ColumnKind:
    first = [str(value) for value in known[:_N_INSPECTED]]
    if not all(isinstance(value, str) for value in known):
        return ColumnKind("paths of files that are not images")
    distinct = {value.strip() for value in known}
    if len(distinct) == 1:
        return ColumnKind(f"the same string in each row, {first[0][:80]!r}")
    kind = _find_split(known, distinct, is_categorical=is_categorical)
    if kind.encoder is CategoryEncoder:
        return kind
    delimiter = kind.options.get("delimiter")
    is_token = r"\w" if delimiter is None else rf"[^\s{re.escape(delimiter)}]"
    if not any(re.search(is_token, value) for value in distinct):
        return ColumnKind(f"{kind.description} without a token")
    if len(distinct) == len(known) and "tokenizer" in kind.options:
        if not any(" " in value.strip() for value in first):
            return ColumnKind("a different word in each row, like an id")
    return kind


def _find_split(
    known: Sequence[str], distinct: Collection[str], *, is_categorical: bool
) -> ColumnKind:
    """Return how the strings of a column are split into tokens, if they are no categories."""
    first = known[:_N_INSPECTED]
    for delimiter in _DELIMITERS:
        pieces = [piece.split() for value in first for piece in value.split(delimiter)]
        is_text = sum(map(len, pieces)) > _MAX_WORDS * len(pieces)
        if sum(delimiter in value for value in first) > len(first) / 10 and not is_text:
            description = f"strings delimited by {delimiter!r}"
            return ColumnKind(
                description, BagOfWordsEncoder, {"delimiter": delimiter}, is_tags=True
            )
    if len(distinct) <= min(_MAX_CATEGORIES, len(known) / 2):
        return _categories(distinct)
    if is_categorical and len(distinct) < len(known):
        return _categories(distinct)
    n_words = sum(len(value.split()) for value in first) / len(first)
    is_text = n_words > _MAX_WORDS_OF_NAMES
    return ColumnKind("texts", BagOfWordsEncoder, {"tokenizer": "words"}, is_text=is_text)


def _categories(distinct: Collection[Any]) -> ColumnKind:
    return ColumnKind(f"{len(distinct)} categories", CategoryEncoder, joint_name="categories")


def _is_list(value: Any) -> bool:
    is_array = isinstance(value, np.ndarray) and value.ndim > 0
    return is_array or isinstance(value, list | tuple | set | frozenset)


def _are_finite(numbers: Sequence[Any]) -> bool:
    try:
        return bool((np.abs(np.array(numbers, dtype=np.float64)) <= LARGEST).all())
    except (OverflowError, TypeError, ValueError):
        return False
