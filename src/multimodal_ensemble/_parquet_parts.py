"""Parts of Parquet files: their size in memory, and their rows in batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

# Of each column of a file.
_BUFFER_BYTES = 2**20
# What a text takes in memory beyond its characters: a Python object and the place in its list.
_BYTES_PER_TEXT = 64
# Size, time of the last change and number of a file.
Stamp = tuple[int, int, int]


def read_part(part: Any, schema: Any, columns: Sequence[str], n_rows: int) -> Iterator[Any]:
    """Yield batches of a part of a Parquet file, with columns of the types of a schema.

    The methods of the part itself would hold all its rows in memory, twice.
    """
    import pyarrow as pa
    from pyarrow import dataset, parquet

    fields = [schema.field(name) for name in columns]
    in_file = set(part.physical_schema.names)
    # Folders such as "year=2020" name the values of further columns.
    of_folder = dataset.get_partition_keys(part.partition_expression)
    with part.open() as source:
        file = parquet.ParquetFile(source, buffer_size=_BUFFER_BYTES, pre_buffer=False)
        batches = file.iter_batches(
            n_rows,
            row_groups=[group.id for group in part.row_groups],
            columns=[name for name in columns if name in in_file],
        )
        for batch in batches:
            values = [
                batch.column(field.name)
                if field.name in in_file
                else pa.repeat(pa.scalar(of_folder.get(field.name)), batch.num_rows)
                for field in fields
            ]
            yield pa.RecordBatch.from_arrays(
                [each.cast(field.type) for each, field in zip(values, fields, strict=True)],
                schema=pa.schema(fields),
            )


def stamp_of(path: str) -> Stamp | None:
    """Return what changes when a file is written again, or None for a file that is gone."""
    try:
        state = Path(path).stat()
    except OSError:
        return None
    return state.st_size, state.st_mtime_ns, state.st_ino


def read_unchanged(path: str, batches: Iterator[Any], stamp: Stamp | None) -> Iterator[Any]:
    """Yield the batches of a file, or raise an OSError that names it."""
    try:
        _check_unchanged(path, stamp)
        yield from batches
    except (OSError, ValueError) as error:
        _check_unchanged(path, stamp)
        msg = f"The Parquet file {path!r} is damaged ({error}). Write it again."
        raise OSError(msg) from error
    _check_unchanged(path, stamp)


def _check_unchanged(path: str, stamp: Stamp | None) -> None:
    if stamp_of(path) != stamp:
        msg = (
            f"The Parquet file {path!r} was changed or removed while its rows were in use. Start "
            "again, and change it afterwards."
        )
        raise OSError(msg)


def size_of(part: Any) -> tuple[int, int]:
    """Return the number of rows of a part of a Parquet file, and their approximate size in memory.

    In the file, equal texts may be written once, so that its own sizes say little.
    """
    n_rows = n_bytes = 0
    for group in part.row_groups:
        described = part.metadata.row_group(group.id)
        n_rows += described.num_rows
        for number in range(described.num_columns):
            column = described.column(number)
            is_text = column.physical_type in ("BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY")
            n_each = _BYTES_PER_TEXT if is_text else 8
            n_bytes += column.total_uncompressed_size + n_each * column.num_values
    return n_rows, n_bytes
