"""List a store's content, find damaged files, and make a store smaller."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from multimodal_ensemble._regular_files import open_regular
from multimodal_ensemble._validation import check_at_least
from multimodal_ensemble.exceptions import FeatureStoreError
from multimodal_ensemble.features._contents import (
    DESCRIPTION,
    StoreFile,
    entry_folders,
    is_needed,
    list_files,
    remove,
)
from multimodal_ensemble.features._entry import StoreEntry
from multimodal_ensemble.features._leases import Leases
from multimodal_ensemble.features._shards import DamagedShardError, ShardFolder, ShardVanishedError
from multimodal_ensemble.features._size_limit import SizeLimit
from multimodal_ensemble.saving import file_system_time

# An encoder of one's own may have long options.
_MAX_DESCRIPTION_BYTES = 2**20
# What an entry takes from a description as it is.
_TEXTS = ("modality", "network", "compute_dtype", "dtype")
_LATEST = datetime.max.replace(tzinfo=UTC).timestamp() - 1


def count_bytes(root: Path) -> int:
    """Return the size of all files of a store."""
    return sum(file.n_bytes for file in list_files(root))


def keep_within(root: Path, max_bytes: int | None) -> int:
    """Remove the least recently used shards until a store fits; return the bytes removed.

    A process that has such a shard open can still read it; any other recomputes its features.
    """
    return SizeLimit(root, max_bytes).enforce()


def remove_leftovers(root: Path) -> int:
    """Remove the temporary files that no process needs; return the bytes removed."""
    return sum(remove(file) for file in _find_leftovers(root))


def prune(
    root: Path, *, max_bytes: int | None, unused_for: timedelta | None, keys: Iterable[str]
) -> int:
    """Implement `FeatureStore.prune`."""
    if max_bytes is not None:
        check_at_least(max_bytes, 0, name="max_bytes")
    is_duration = isinstance(unused_for, timedelta) and unused_for >= timedelta(0)
    if unused_for is not None and not is_duration:
        msg = (
            "unused_for must be a datetime.timedelta of at least 0. "
            f"Received unused_for={unused_for!r}; try datetime.timedelta(days=30)."
        )
        raise ValueError(msg)
    keys = [keys] if isinstance(keys, str) else list(keys)
    known = entry_folders(root)
    if unknown := sorted(set(keys) - set(known)):
        msg = f"The store has no entries {unknown}. It has {sorted(known)}."
        raise FeatureStoreError(msg)
    removed = remove_leftovers(root)
    # All times are those of the file system, because the clocks of machines differ.
    now = file_system_time(root)
    oldest = -math.inf if unused_for is None else now - unused_for.total_seconds()
    leases = Leases(root)
    leases.refresh()
    removed += sum(
        remove(file)
        for file in list_files(root)
        if file.kind == "shard"
        and file.name not in leases
        and (file.last_used < oldest or file.path.parent.name in keys)
    )
    removed += keep_within(root, max_bytes)
    descriptions = [file for file in list_files(root) if file.kind == "description"]
    for key, folder in entry_folders(root).items():
        if f"{key}/" in leases:
            continue
        # Another process that is about to write into the folder creates it again.
        with suppress(OSError):
            if {path.name for path in folder.iterdir()} == {DESCRIPTION}:
                removed += sum(remove(file) for file in descriptions if file.path.parent == folder)
            folder.rmdir()
    return removed


def list_entries(root: Path) -> list[StoreEntry]:
    """Implement `FeatureStore.entries`."""
    files: dict[str, list[StoreFile]] = {}
    for file in list_files(root):
        if file.kind == "shard":
            files.setdefault(file.path.parent.name, []).append(file)
    entries = []
    for key, shards in files.items():
        # A file system may return times that no calendar has.
        last_used = min(max(file.last_used for file in shards), _LATEST)
        entries.append(
            StoreEntry(
                key=key,
                **_describe(root / key),
                n_rows=len(ShardFolder(root / key).index()),
                n_files=len(shards),
                n_bytes=sum(file.n_bytes for file in shards),
                last_used=datetime.fromtimestamp(last_used, tz=UTC),
            )
        )
    return sorted(entries, key=lambda entry: entry.last_used, reverse=True)


def verify(root: Path, *, remove: bool) -> dict[Path, str]:
    """Implement `FeatureStore.verify`."""
    found = {}
    for file in list_files(root):
        if file.kind == "shard":
            try:
                ShardFolder(file.path.parent).check(file.path.name)
            except ShardVanishedError:
                continue
            except DamagedShardError as error:
                found[file.path] = str(error)
    for file in _find_leftovers(root):
        found[file.path] = "It is the unfinished file of a process that does not run any more."
    if remove:
        for path in found:
            path.unlink(missing_ok=True)
    return dict(sorted(found.items()))


def _find_leftovers(root: Path) -> list[StoreFile]:
    files = [file for file in list_files(root) if file.token]
    now = file_system_time(root) if files else 0
    # Leases come last: backbones are needed as long as their lease.
    files.sort(key=lambda file: file.kind == "lease")
    return [file for file in files if is_needed(file, root, now) is False]


def _describe(folder: Path) -> dict[str, Any]:
    """Return what an entry takes from a description."""
    try:
        with open_regular(folder / DESCRIPTION) as file:
            described = json.loads(file.read(_MAX_DESCRIPTION_BYTES))
        return {
            **{name: str(described[name]) for name in _TEXTS},
            **{name: tuple(described[name]) for name in ("input_shape", "feature_shape")},
            "encoding": dict(described["encoding"]),
        }
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        # The description is for people; features are found without it.
        return {
            **dict.fromkeys(_TEXTS, "unknown"),
            **dict.fromkeys(("input_shape", "feature_shape"), ()),
            "encoding": {},
        }
