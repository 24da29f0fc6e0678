"""Labels of rows, also those in a column of a table in files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multimodal_ensemble._label_format import LabelFormat
from multimodal_ensemble._label_lists import label_array
from multimodal_ensemble._labels import find_rare, label_format, read_labels
from multimodal_ensemble._open_table import as_list
from multimodal_ensemble._table_files import TableFile, blocks_of
from multimodal_ensemble._tables import is_missing
from multimodal_ensemble._warnings import warn

# Distinct strings of labels that show how they are split.
_MAX_DISTINCT = 10_000


def column_format(
    y: TableFile,
    classes: NDArray[Any] | None,
    *,
    name: str,
    delimiter: str | None,
    report: Callable[[str], object],
) -> LabelFormat | None:
    """Return how the strings of a column hold labels; None if they do not hold several."""
    return label_format(_distinct_strings(y), delimiter, classes, name, report)


def read_label_column(
    y: TableFile,
    classes: NDArray[Any] | None,
    *,
    name: str = "y",
    strings: LabelFormat | None = None,
    min_count: int = 1,
    report: Callable[[str], object] = lambda line: None,
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return labels of a table in files part by part, as `read_labels` does.

    They are float32 with NaN where some are unknown. `strings` is how strings hold labels.
    """

    def parts() -> Iterator[pd.Series]:
        for rows in label_parts(y):
            # A part may have no strings but missing ones.
            yield rows if strings is None else pd.Series(strings.split([*rows]), rows.index, object)

    rare: set[Any] = set()
    if classes is None:
        counts: Counter[Any] = Counter()
        for rows in parts():
            # A part in which no row has a label is no reason to refuse the others.
            if any(np.size(row) for row in rows if row is not None):
                matrix, columns = _read_part(rows, None, name)
                counts.update(dict(zip(columns.tolist(), matrix.sum(axis=0).tolist(), strict=True)))
        if not counts:
            msg = f"{name} has no labels: all of its {len(y)} lists are empty."
            raise ValueError(msg)
        rare = find_rare(counts, min_count, name, report)
        classes = label_array(sorted(counts.keys() - rare))
    matrices = []
    for rows in parts():
        # A row without a list is refused below.
        kept = (
            [row if row is None else [each for each in row if each not in rare] for row in rows]
            if rare
            else rows
        )
        kept = pd.Series(kept, rows.index, object)
        matrices.append(_read_part(kept, classes, name)[0])
    return np.concatenate(matrices), classes


def warn_of_absent_labels(y: NDArray[np.bool_], classes: NDArray[Any]) -> None:
    """Warn of labels that no training row has."""
    if not (has_label := y.any(axis=0)).all():
        warn(
            f"No training row has the label(s) {classes[~has_label].tolist()}, so they cannot be "
            "learned."
        )


def _distinct_strings(y: TableFile) -> list[str]:
    """Return many distinct strings of a column, or none if it holds anything else."""
    distinct: set[str] = set()
    for rows in label_parts(y):
        if not all(isinstance(row, str) or is_missing(row) for row in rows):
            return []
        distinct.update(row for row in rows if isinstance(row, str))
        if len(distinct) > _MAX_DISTINCT:
            break
    return sorted(distinct)


def label_parts(y: TableFile) -> Iterator[pd.Series]:
    """Yield the column of a table part by part."""
    for part in blocks_of(y):
        yield part.iloc[:, 0].map(as_list)


def _read_part(
    rows: pd.Series, classes: NDArray[Any] | None, name: str
) -> tuple[NDArray[Any], NDArray[Any]]:
    try:
        return read_labels(rows, classes, name=name)
    except ValueError as error:
        error.add_note(f"Rows of {name} are counted from row {rows.index[0]} of the file here.")
        raise
