"""The folder of a store, which must not be anybody else's."""

from __future__ import annotations

import json
from pathlib import Path

from multimodal_ensemble.exceptions import FeatureStoreError
from multimodal_ensemble.features._shards import write_atomically

_MARKER = "feature_store.json"
# 2: features in float16.
_FORMAT = 2


def open_folder(folder: Path) -> None:
    """Make a folder a store unless it is one.

    Raises
    ------
    FeatureStoreError
        If it holds something else, or a store of another format.
    """
    marker = folder / _MARKER
    if _is_something_else(folder):
        msg = (
            f"{str(folder)!r} is neither a feature store nor an empty folder. "
            "Use another folder; nothing was written to this one."
        )
        raise FeatureStoreError(msg)
    if not marker.is_file():
        text = json.dumps({"format": _FORMAT})
        write_atomically(marker, lambda file: file.write(text.encode()))
        return
    try:
        found = json.loads(marker.read_text(encoding="utf-8"))["format"]
    except (ValueError, KeyError, TypeError):
        found = "unknown"
    if found != _FORMAT:
        msg = (
            f"{str(folder)!r} is a feature store of format {found}, and this version "
            f"reads format {_FORMAT}. Use another folder."
        )
        raise FeatureStoreError(msg)


def _is_something_else(folder: Path) -> bool:
    if not folder.exists():
        return False
    if not folder.is_dir():
        return True
    found = {path.name for path in folder.iterdir()}
    # Another process may be writing the marker, or have died at it.
    return _MARKER not in found and any(_MARKER not in name for name in found)
