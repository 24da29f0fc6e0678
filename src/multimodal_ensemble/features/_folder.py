"""The folder of a store, which must not belong to anything else."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from multimodal_ensemble.exceptions import FeatureStoreError
from multimodal_ensemble.saving import replacing

_MARKER = "feature_store.json"
# Format 3 keeps features in archives of the `saving` module.
_FORMAT = 3


def open_folder(folder: Path) -> None:
    """Turn a folder into a store, or raise a FeatureStoreError if it holds something else."""
    marker = folder / _MARKER
    if _holds_something_else(folder):
        msg = (
            f"{str(folder)!r} is neither a feature store nor an empty folder. "
            "Use another folder; nothing was written to this one."
        )
        raise FeatureStoreError(msg)
    if not marker.is_file():
        write_json(marker, {"format": _FORMAT})
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


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file of a store completely or not at all."""
    with explaining_write_errors(path), replacing(path) as file:
        file.write(json.dumps(value, indent=2).encode())


@contextmanager
def explaining_write_errors(path: Path) -> Iterator[None]:
    """Create the folder of a file, and turn any OSError in the block into a FeatureStoreError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        msg = (
            f"The feature store cannot write {str(path)!r}: {reason}. The features in it are "
            "kept. Make room, or use a store in another folder."
        )
        raise FeatureStoreError(msg) from error


def _holds_something_else(folder: Path) -> bool:
    if not folder.exists():
        return False
    if not folder.is_dir():
        return True
    found = {path.name for path in folder.iterdir()}
    # Another process may be writing the marker, or may have been killed while writing it.
    return _MARKER not in found and any(_MARKER not in name for name in found)
