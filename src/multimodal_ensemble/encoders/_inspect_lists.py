"""What the lists of a column hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from multimodal_ensemble.encoders._bag_of_words_encoder import BagOfWordsEncoder
from multimodal_ensemble.encoders._column_kind import ColumnKind, sample
from multimodal_ensemble.encoders._dense_encoder import DenseEncoder
from multimodal_ensemble.encoders._inspect_images import find_lists_of_images
from multimodal_ensemble.encoders._inspect_numbers import are_finite
from multimodal_ensemble.encoders._numbers import is_number

# Vectors of which NumPy makes a copy at once.
_N_VECTORS = 200


def inspect_lists(known: Sequence[Any], root: Path) -> ColumnKind:
    """Return the kind of a column of lists of images, tokens or numbers."""
    return find_lists_of_images(known, root) or _inspect_items(known)


def _inspect_items(known: Sequence[Any]) -> ColumnKind:
    items = [item for value in sample(known) for item in value]
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
    starts = range(0, len(known), _N_VECTORS)
    if not all(are_finite(known[start : start + _N_VECTORS]) for start in starts):
        return ColumnKind("vectors with NaN or infinite numbers; replace these to use it")
    return ColumnKind(f"vectors of {lengths.pop()} numbers", DenseEncoder)
