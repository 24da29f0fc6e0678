"""The rows of a table as a data set has them: in memory or, if they are too large, in files."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multimodal_ensemble._freed_memory import return_freed_memory
from multimodal_ensemble._progress import make_progress_bar
from multimodal_ensemble._table_files import TableFile, blocks_of, rows_per_part
from multimodal_ensemble._tables import locating_errors
from multimodal_ensemble.encoders import Encoder, present_values
from multimodal_ensemble.features import FeatureStore
from multimodal_ensemble.generators._row_files import ROWS_PER_BLOCK
from multimodal_ensemble.generators._row_sources import (
    EncodedRows,
    FileRows,
    StoredRows,
    make_source,
)
from multimodal_ensemble.generators._row_writer import RowWriter, is_stored

# Rows are kept in memory if their stored features, and for a table in files also their raw values
# and vectors, take no more than this: 65,000 rows of VGG16.
_KEPT_BYTES = 2**27
# The upper estimate of a vector in a file: a sparse one is smaller.
_BYTES_PER_VECTOR = 256
# Of the rows that are read, encoded and written to files at once.
_BYTES_PER_PART = 2**25
# Blocks of files that are kept in memory, whose rows are mixed.
_CACHED_BYTES = 2**26
_MIN_CACHED, _MAX_CACHED = 8, 256


@dataclass(frozen=True, eq=False)
class UsableRows:
    """The rows of a table that all encoders can use.

    `raw` are their raw columns, `kept` their positions in the table, and `dropped` the other rows
    with the reason of each. If `blocks_per_group` is not None, rows are in files, and should be
    read in an order that mixes so many blocks.
    """

    raw: pd.DataFrame | TableFile
    kept: NDArray[np.intp]
    dropped: pd.DataFrame
    sources: dict[str, EncodedRows | StoredRows | FileRows]
    present: dict[str, NDArray[np.bool_]]
    blocks_per_group: int | None = None


def read_rows(
    table: pd.DataFrame | TableFile,
    encoders: Sequence[Encoder],
    store: FeatureStore | None,
    *,
    augment: bool,
    verbose: int,
) -> UsableRows:
    """Read the rows of a table, or raise a ValueError if none can be used."""
    in_files = isinstance(table, TableFile)
    n_each = sum(_bytes_per_row(each, store, augment, in_files=in_files) for each in encoders)
    n_raw = table.n_bytes if isinstance(table, TableFile) else 0
    if len(table) * n_each + n_raw <= _KEPT_BYTES:
        frame = table.frame() if isinstance(table, TableFile) else table
        rows = _read_frame(frame, encoders, store, augment=augment, verbose=verbose)
    else:
        n_rows = min(rows_per_part(table), _BYTES_PER_PART // max(1, n_each))
        n_rows = max(ROWS_PER_BLOCK, n_rows)
        rows = _read_to_files(table, encoders, store, n_rows, augment=augment, verbose=verbose)
    if not rows.kept.size:
        msg = (
            f"None of the {len(table)} rows can be used. Reason for the first row: "
            f"{rows.dropped['reason'].iloc[0]}"
        )
        raise ValueError(msg)
    return rows


def _read_frame(
    table: pd.DataFrame,
    encoders: Sequence[Encoder],
    store: FeatureStore | None,
    *,
    augment: bool,
    verbose: int,
) -> UsableRows:
    """Read rows into memory."""
    columns = {encoder.name: encoder.select(table) for encoder in encoders}
    reasons = _find_unusable(encoders, columns)
    unusable = sorted(reasons)
    dropped = pd.DataFrame(
        {"row": unusable, "reason": [reasons[row] for row in unusable]}, index=table.index[unusable]
    )
    kept = np.setdiff1d(np.arange(len(table)), unusable)
    if not kept.size:
        return UsableRows(table.iloc[:0], kept, dropped, {}, {})
    if unusable:
        table = table.iloc[kept]
        columns = {encoder.name: encoder.select(table) for encoder in encoders}
    stored: dict[str, NDArray[np.float32]] = {}
    if store is not None:
        with locating_errors(kept):
            stored = store.load_features(encoders, table, augment=augment, verbose=verbose)
    sources: dict[str, EncodedRows | StoredRows | FileRows] = {}
    presence = {}
    for encoder in encoders:
        name = encoder.name
        values, present = present_values(encoder, columns[name])
        presence[name] = present
        sources[name] = (
            StoredRows(encoder, stored[name])
            if name in stored
            else make_source(encoder, values, present, kept, augment=augment)
        )
    return UsableRows(table, kept, dropped, sources, presence)


def _find_unusable(encoders: Sequence[Encoder], columns: dict[str, Any]) -> dict[int, str]:
    """Return the reason for each row that an encoder cannot use."""
    reasons: dict[int, str] = {}
    for encoder in encoders:
        values, present = present_values(encoder, columns[encoder.name])
        rows_of_values = np.flatnonzero(present)
        for position, reason in encoder.find_unusable(values).items():
            reasons[int(rows_of_values[position])] = reason
    return reasons


def _read_to_files(
    table: pd.DataFrame | TableFile,
    encoders: Sequence[Encoder],
    store: FeatureStore | None,
    n_rows: int,
    *,
    augment: bool,
    verbose: int,
) -> UsableRows:
    """Read rows part by part, and write stored features and vectors to files.

    What has no fixed length, and images whose features are not stored, are encoded batch by batch.
    """
    written = [each for each in encoders if _can_be_written(each, store, augment=augment)]
    others = [each for each in encoders if each not in written]
    writers = {each.name: RowWriter(each, store) for each in written}
    present: dict[str, list[NDArray[np.bool_]]] = {each.name: [] for each in encoders}
    kept, dropped = [], [pd.DataFrame({"row": [], "reason": []})]
    for start, part in _parts(table, n_rows, verbose):
        with locating_errors(np.arange(start, start + len(part))):
            # What was chosen, such as the dtype of a backbone, is printed once.
            rows = _read_frame(
                part, encoders, store, augment=augment, verbose=verbose if start == 0 else 0
            )
        kept.append(start + rows.kept)
        if len(rows.dropped):
            dropped.append(rows.dropped.assign(row=start + rows.dropped["row"]))
        for encoder in encoders if rows.kept.size else ():
            name = encoder.name
            present[name].append(rows.present[name])
            if encoder in written:
                writers[name].append(rows.sources[name], has_any=bool(rows.present[name].any()))
        # The features of two parts need not be in memory at once.
        del rows
    all_kept = np.concatenate(kept)
    raw = table if len(all_kept) == len(table) else table.take(all_kept)
    presence = {name: np.concatenate(parts) for name, parts in present.items() if parts}
    files = {name: writer.finish() for name, writer in writers.items()}
    n_bytes = 1 + sum(file.n_bytes for file in files.values()) // max(1, len(all_kept))
    n_cached = min(_MAX_CACHED, max(_MIN_CACHED, _CACHED_BYTES // (ROWS_PER_BLOCK * n_bytes)))
    sources: dict[str, EncodedRows | StoredRows | FileRows] = {}
    columns = [column for encoder in others for column in encoder.columns if column in raw.columns]
    values = raw.select(columns).frame() if isinstance(raw, TableFile) and others else raw
    for encoder in encoders if len(all_kept) else ():
        name = encoder.name
        if name in files:
            stored = is_stored(encoder, store)
            sources[name] = FileRows(encoder, files[name], is_stored=stored, n_cached=n_cached)
        else:
            held, here = present_values(encoder, encoder.select(values))
            sources[name] = make_source(encoder, held, here, all_kept, augment=augment)
    return_freed_memory()
    return UsableRows(raw, all_kept, pd.concat(dropped[1:] or dropped), sources, presence, n_cached)


def _parts(
    table: pd.DataFrame | TableFile, n_rows: int, verbose: int
) -> Iterator[tuple[int, pd.DataFrame]]:
    """Yield parts of a table with the position of the first row of each."""
    start = 0
    bar = None
    for part in blocks_of(table, n_rows):
        yield start, part
        start += len(part)
        if verbose:
            # The first part shows the progress of its own.
            bar = make_progress_bar(len(table), unit="row") if bar is None else bar
            bar.update(start)


def _can_be_written(encoder: Encoder, store: FeatureStore | None, *, augment: bool) -> bool:
    if is_stored(encoder, store):
        return True
    shape = encoder.input_shape
    has_views = augment and encoder.augmentation is not None
    return len(shape) == 1 and shape[0] is not None and not has_views


def _bytes_per_row(
    encoder: Encoder, store: FeatureStore | None, augment: bool, *, in_files: bool
) -> int:
    """Return what a row takes in memory beyond the table itself."""
    if store is not None and (frozen := encoder.frozen_part()) is not None:
        views = encoder.augmentation.views if augment and encoder.augmentation is not None else 0
        return 4 * (1 + int(views)) * math.prod(int(size or 1) for size in frozen.output_shape[1:])
    if in_files and _can_be_written(encoder, store, augment=augment):
        return min(4 * int(encoder.input_shape[0] or 1), _BYTES_PER_VECTOR)
    return 0
