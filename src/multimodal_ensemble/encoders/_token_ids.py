"""Token ids of texts: one array per text or, for texts in windows, a tuple of arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

# The padding where no id of a model is free for it. Places without an item in a list are -1.
NO_ID = -2


def is_tokenized(values: Any) -> bool:
    """Return whether values are token ids, and no raw texts."""
    is_sequence = isinstance(values, np.ndarray | list) and len(values) > 0
    first = values[0] if is_sequence else None
    part = first[0] if isinstance(first, tuple) and first else first
    return isinstance(part, np.ndarray) and part.dtype == np.int32


def count_ids(row: Any) -> int:
    """Return the number of token ids of a text."""
    return sum(map(len, _windows(row)))


def digest_ids(row: Any) -> bytes:
    """Return a digest of the token ids of a text, and of where its windows end."""
    windows = _windows(row)
    digest = hashlib.sha256(repr([len(ids) for ids in windows]).encode())
    for ids in windows:
        digest.update(np.ascontiguousarray(ids).data)
    return digest.digest()


def pad_ids(rows: Iterable[Any], pad_id: int) -> NDArray[np.int32]:
    """Return ids padded to the longest window, of shape ``(n, n_windows, length)``."""
    windows = [_windows(row) for row in rows]
    n_windows = max(map(len, windows), default=1)
    length = max((len(ids) for row in windows for ids in row), default=0)
    # Networks refuse rows of length 0, and Keras warns of an attention over one position.
    padded = np.full((len(windows), n_windows, max(length, 2)), pad_id, dtype=np.int32)
    for number, row in enumerate(windows):
        for window, ids in enumerate(row):
            padded[number, window, : len(ids)] = ids
    return padded


def _windows(row: Any) -> tuple[NDArray[np.int32], ...]:
    return row if isinstance(row, tuple) else (row,)
