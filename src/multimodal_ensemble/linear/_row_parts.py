"""Slices of rows that are small enough to be converted at once."""

from __future__ import annotations

from collections.abc import Iterator

# Numbers that are converted to float64 at once: 32 MiB.
_NUMBERS_PER_CHUNK = 2**22
# Sparse rows have few numbers, but not none.
_MAX_ROWS = 2**16


def row_parts(n_rows: int, n_columns: int) -> Iterator[slice]:
    """Yield slices of so many rows that their columns have no more numbers than a chunk.

    Examples
    --------
    >>> from multimodal_ensemble.linear._row_parts import row_parts
    >>> list(row_parts(100_000, 0))
    [slice(0, 65536, None), slice(65536, 100000, None)]
    """
    step = min(_MAX_ROWS, max(1, _NUMBERS_PER_CHUNK // max(1, n_columns)))
    return (slice(start, min(start + step, n_rows)) for start in range(0, n_rows, step))
