"""Scores of rows, of which some cannot be predicted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from multimodal_ensemble.cli._encoders import list_columns
from multimodal_ensemble.cli._errors import CommandError
from multimodal_ensemble.cli._file_strings import read_file_strings
from multimodal_ensemble.cli._text_rows import BadRow
from multimodal_ensemble.exceptions import ImageReadError, ModalityError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from multimodal_ensemble.cli._console import Console

Result = TypeVar("Result")

# If so many rows fail and none before them can be predicted, the others are of the same kind.
_MAX_FIRST_FAILURES = 20
# How the message about a string among numbers goes on, for those who write Python.
_PYTHON_ADVICE = " Use BagOfWordsEncoder for tokens"


@dataclass
class ScoredRows:
    """Scores of the rows at some positions of a table, and the other rows with the reasons."""

    positions: list[int] = field(default_factory=list)
    parts: list[NDArray[np.float32]] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)


def score_rows(model: Any, table: pd.DataFrame) -> ScoredRows:
    """Return the scores of all rows that can be predicted.

    The index of the table has the numbers of the rows.
    """
    scored = ScoredRows()
    # Parts of the table that are still to be predicted, the first one last.
    waiting = [(0, len(table))]
    while waiting:
        start, stop = waiting.pop()
        if start == stop:
            continue
        part = table.iloc[start:stop]
        try:
            with _noting_rows(part):
                scored.parts.append(model.predict_proba(part))
        except (ImageReadError, ModalityError) as error:
            if error.row is None:
                raise
            place = start + error.row
            scored.bad.append(_bad_row(error, table.index[place]))
            if not scored.parts and len(scored.bad) == _MAX_FIRST_FAILURES:
                msg = f"{len(scored.bad)} rows in succession cannot be read. {scored.bad[0].reason}"
                raise CommandError(msg) from error
            waiting += [(place + 1, stop), (start, place)]
        else:
            scored.positions += range(start, stop)
    return scored


def without_bad_rows(
    call: Callable[[pd.DataFrame], Result], table: pd.DataFrame
) -> tuple[Result | None, pd.DataFrame, list[BadRow]]:
    """Return the result for the rows that a function accepts, these rows, and the others.

    The result is None if no row is left.
    """
    bad: list[BadRow] = []
    while len(table):
        try:
            with _noting_rows(table):
                return call(table), table, bad
        except (ImageReadError, ModalityError) as error:
            if error.row is None:
                raise
            bad.append(_bad_row(error, table.index[error.row]))
            table = table.drop(index=table.index[error.row])
    return None, table, bad


@contextmanager
def _noting_rows(table: pd.DataFrame) -> Iterator[None]:
    """Add the numbers of the rows of a table to an error that is not about a single row."""
    try:
        yield
    except Exception as error:
        if getattr(error, "row", None) is None:
            first, last = table.index[0], table.index[-1]
            rows = f"row {first:,}" if len(table) == 1 else f"rows {first:,} to {last:,}"
            error.add_note(f"It was raised for {rows} of the file.")
        raise


@contextmanager
def naming_rows(table: pd.DataFrame) -> Iterator[None]:
    """Raise errors about rows of a table with the numbers that these have in the file."""
    try:
        yield
    except (ImageReadError, ModalityError) as error:
        if error.row is None or error.row >= len(table):
            raise
        raise CommandError(_bad_row(error, table.index[error.row]).reason) from error


def _bad_row(error: Any, number: Any) -> BadRow:
    """Return what is wrong with a row, under its number in the file."""
    before, found, after = str(error).rpartition(f"in row {error.row}")
    text = f"{before}in row {number}{after}" if found else str(error)
    return BadRow(int(number), text.partition(_PYTHON_ADVICE)[0])


def prepare_rows(model: Any, table: pd.DataFrame, root: str) -> None:
    """Let a model read the rows of a file; relative paths of images start from `root`."""
    from multimodal_ensemble.encoders import ImageEncoder

    read_file_strings(model, table)
    for encoder in model.encoders_:
        if isinstance(encoder, ImageEncoder):
            encoder.root = root


def check_model_columns(model: Any, columns: list[str], console: Console) -> None:
    """Warn of columns that the file lacks, or raise a CommandError if the model needs one."""
    absent = [
        (column, encoder.optional)
        for encoder in model.encoders_
        for column in encoder.columns
        if column not in columns
    ]
    if needed := [*dict.fromkeys(column for column, is_optional in absent if not is_optional)]:
        msg = (
            f"The model reads {needed}, which the data lacks. It has {list_columns(columns)}. Name "
            "the columns as in the training rows."
        )
        raise CommandError(msg)
    if names := [*dict.fromkeys(column for column, _ in absent)]:
        console.warn(
            f"the file lacks {', '.join(names)}, which the model reads; rows are predicted without."
        )
