"""The folder of a store, which must not belong to anything else."""

from __future__ import annotations

import json
import reprlib
from contextlib import suppress
from pathlib import Path

from multimodal_ensemble._warnings import warn
from multimodal_ensemble.exceptions import FeatureStoreError
from multimodal_ensemble.features._contents import MARKER, entry_folders, list_shards
from multimodal_ensemble.features._files import write_json
from multimodal_ensemble.features._shards import DamagedShardError, ShardFolder, ShardVanishedError

# Format 3 keeps features in archives of the `saving` module.
_FORMAT = 3
_MAX_MARKER_BYTES = 4096


def open_folder(folder: Path) -> None:
    """Turn a folder into a store, or raise a FeatureStoreError if it holds something else.

    A marker that was damaged or lost is written again if the shards in the folder have the format
    of this version.
    """
    marker = folder / MARKER
    if _is_new(folder):
        write_json(marker, {"format": _FORMAT})
        return
    found = _read_format(marker)
    if found == _FORMAT:
        return
    if _has_readable_shard(folder):
        warn(
            f"The file {str(marker)!r} was damaged or lost. The features in the folder are intact, "
            "and the file is written again."
        )
        # A store that cannot be written to can still be read.
        with suppress(FeatureStoreError):
            write_json(marker, {"format": _FORMAT})
        return
    if found is None:
        msg = (
            f"{str(folder)!r} is neither a feature store nor an empty folder. "
            "Use another folder; nothing was written to this one."
        )
        raise FeatureStoreError(msg)
    msg = (
        f"{str(folder)!r} is a feature store of format {found}, and this version reads format "
        f"{_FORMAT}. Use another folder. If the store was made by this version, its file "
        f"{MARKER!r} is damaged, and no file of features in it can be read: delete the folder, and "
        "the features are recomputed when needed."
    )
    raise FeatureStoreError(msg)


def _is_new(folder: Path) -> bool:
    """Return whether a folder does not exist or is empty."""
    if not folder.exists():
        return True
    # Another process may be writing the marker, or may have been killed while writing it.
    return folder.is_dir() and all(
        path.name != MARKER and MARKER in path.name for path in folder.iterdir()
    )


def _read_format(marker: Path) -> int | str | None:
    """Return the format in a marker, "unknown" if it is damaged, and None if there is none."""
    if not marker.is_file():
        return None
    try:
        with marker.open("rb") as file:
            found = json.loads(file.read(_MAX_MARKER_BYTES))["format"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return "unknown"
    return found if type(found) is int else reprlib.repr(found)


def _has_readable_shard(folder: Path) -> bool:
    """Return whether the features in a folder are those of a store of this version."""
    if not folder.is_dir():
        return False
    for shards in map(ShardFolder, entry_folders(folder).values()):
        for name in list_shards(shards.folder):
            with suppress(DamagedShardError, ShardVanishedError):
                shards.check(name)
                return True
    return False
