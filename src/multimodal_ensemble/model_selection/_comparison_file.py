"""A comparison of models as one file, and back."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any

from numpy.typing import NDArray

from multimodal_ensemble._version import __version__
from multimodal_ensemble.model_selection._comparison_inputs import read_comparison_inputs
from multimodal_ensemble.model_selection._comparison_split import ComparisonSplit
from multimodal_ensemble.saving import pack_state, read_archive, unpack_state, write_archive

FORMAT = "multimodal_ensemble comparison"
VERSION = 1


def write_comparison(path: str | PathLike[str], fields: Mapping[str, Any]) -> None:
    """Write the fields of a `ComparisonResult` to one file."""
    arrays: dict[str, NDArray[Any]] = {}
    splits = [
        {
            **vars(split),
            "y_scores": dict(split.y_scores),
            "thresholds": dict(split.thresholds),
            "y_preds": None if split.y_preds is None else dict(split.y_preds),
        }
        for split in fields["splits"]
    ]
    document = {
        "format": FORMAT,
        "format_version": VERSION,
        "library_version": __version__,
        "comparison": pack_state({**fields, "splits": splits}, arrays, "comparison"),
    }
    write_archive(path, document, arrays)


def read_comparison(path: str | PathLike[str]) -> dict[str, Any]:
    """Return the fields of the `ComparisonResult` in a file."""
    document, arrays = read_archive(path, format_name=FORMAT, max_version=VERSION)
    with arrays, arrays.explaining("its parts do not fit together"):
        fields = unpack_state(document["comparison"], arrays)
        splits = [ComparisonSplit(**split) for split in fields.pop("splits")]
        return read_comparison_inputs(fields.pop("y_true"), splits, **fields)
