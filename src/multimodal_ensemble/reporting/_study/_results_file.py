"""The results of a study as one file, and back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields as fields_of
from os import PathLike
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multimodal_ensemble._version import __version__
from multimodal_ensemble.model_selection import ComparisonResult, ComparisonSplit
from multimodal_ensemble.reporting._study._gallery_row import GalleryRow
from multimodal_ensemble.saving import pack_state, read_archive, unpack_state, write_archive

FORMAT = "multimodal_ensemble study results"
VERSION = 1
_TABLES = ("importance", "learning_curve", "label_tokens")

_Results = TypeVar("_Results")


def write_results(path: str | PathLike[str], fields: Mapping[str, Any]) -> None:
    """Write the fields of `StudyResults` to one file."""
    comparison = _fields(fields["comparison"])
    comparison["splits"] = [_fields(split) for split in comparison["splits"]]
    state = {
        **fields,
        "comparison": comparison,
        "histories": {name: _columns(table) for name, table in fields["histories"].items()},
        **{name: None if fields[name] is None else _columns(fields[name]) for name in _TABLES},
        "gallery": [
            {**_fields(row), "picture": _to_array(row.picture)} for row in fields["gallery"]
        ],
    }
    arrays: dict[str, NDArray[Any]] = {}
    document = {
        "format": FORMAT,
        "format_version": VERSION,
        "library_version": __version__,
        "results": pack_state(state, arrays, "results"),
    }
    write_archive(path, document, arrays)


def read_results(path: str | PathLike[str], make: Callable[[dict[str, Any]], _Results]) -> _Results:
    """Return what `make` makes of the fields in a file."""
    document, arrays = read_archive(path, format_name=FORMAT, max_version=VERSION)
    with arrays, arrays.explaining("its parts do not fit together"):
        state = unpack_state(document["results"], arrays)
        comparison = state["comparison"]
        splits = [ComparisonSplit(**split) for split in comparison.pop("splits")]
        return make(
            {
                **state,
                "comparison": ComparisonResult.from_scores(
                    comparison.pop("y_true"), splits, **comparison
                ),
                "histories": {name: pd.DataFrame(t) for name, t in state["histories"].items()},
                **{
                    name: None if state[name] is None else pd.DataFrame(state[name])
                    for name in _TABLES
                },
                "gallery": [
                    GalleryRow(**{**row, "picture": _to_bytes(row["picture"])})
                    for row in state["gallery"]
                ],
            }
        )


def _fields(value: Any) -> dict[str, Any]:
    """Return the fields of a dataclass by name, without copies."""
    return {field.name: getattr(value, field.name) for field in fields_of(value)}


def _columns(table: pd.DataFrame) -> dict[str, Any]:
    """Return the columns of a table: arrays of numbers, and lists of strings."""
    return {
        str(name): column.tolist() if column.dtype.kind == "O" else column.to_numpy()
        for name, column in table.items()
    }


def _to_array(content: bytes | None) -> NDArray[np.uint8] | None:
    return None if content is None else np.frombuffer(content, np.uint8)


def _to_bytes(content: NDArray[np.uint8] | None) -> bytes | None:
    return None if content is None else content.tobytes()
