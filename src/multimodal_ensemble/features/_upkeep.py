"""List a store's content, find damaged files, and make a store smaller."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from multimodal_ensemble.features._entry import StoreEntry
from multimodal_ensemble.features._shards import (
    DamagedShardError,
    ShardFolder,
    ShardVanishedError,
    is_shard,
)

DESCRIPTION = "backbone.json"

# Files of killed processes stay until they are pruned. Younger ones may still be written.
_LEFTOVER_SECONDS = 24 * 3600


@dataclass(frozen=True)
class _File:
    path: Path
    n_bytes: int
    last_used: float

    @property
    def is_shard(self) -> bool:
        return is_shard(self.path.name)

    @property
    def is_leftover(self) -> bool:
        return self.path.name[0] == "." and time.time() - self.last_used > _LEFTOVER_SECONDS


def _list_files(root: Path) -> Iterator[_File]:
    """Yield the files of a store, without files that vanish in the meantime."""
    for folder in (root, *(path for path in root.iterdir() if path.is_dir())):
        with suppress(FileNotFoundError), os.scandir(folder) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    if entry.is_file():
                        status = entry.stat()
                        yield _File(Path(entry.path), status.st_size, status.st_mtime)


def count_bytes(root: Path) -> int:
    """Return the size of all files of a store."""
    return sum(file.n_bytes for file in _list_files(root))


def keep_within(root: Path, max_bytes: int | None) -> int:
    """Remove the least recently used shards until a store fits; return the bytes removed.

    A process that has such a shard open can still read it; any other recomputes its features.
    """
    if max_bytes is None:
        return 0
    files = list(_list_files(root))
    # Unfinished files, and backbones for workers, are temporary and do not count.
    excess = sum(file.n_bytes for file in files if file.path.name[0] != ".") - max_bytes
    shards = sorted((file for file in files if file.is_shard), key=lambda file: file.last_used)
    removed = 0
    for file in shards:
        if removed >= excess:
            break
        removed += _remove(file)
    return removed


def prune(
    root: Path, *, max_bytes: int | None, unused_for: timedelta | None, keys: Sequence[str]
) -> int:
    """Implement `FeatureStore.prune` for valid options."""
    oldest = -math.inf if unused_for is None else time.time() - unused_for.total_seconds()
    removed = sum(
        _remove(file)
        for file in _list_files(root)
        if file.is_leftover
        or (file.is_shard and (file.last_used < oldest or file.path.parent.name in keys))
    )
    removed += keep_within(root, max_bytes)
    for folder in entry_folders(root).values():
        # Another process that is about to write into the folder creates it again.
        with suppress(OSError):
            if {path.name for path in folder.iterdir()} <= {DESCRIPTION}:
                if (folder / DESCRIPTION).exists():
                    removed += (folder / DESCRIPTION).stat().st_size
                    (folder / DESCRIPTION).unlink()
                folder.rmdir()
    return removed


def entry_folders(root: Path) -> dict[str, Path]:
    """Return the folders of backbones by key."""
    return {path.name: path for path in root.iterdir() if path.is_dir()}


def list_entries(root: Path) -> list[StoreEntry]:
    """Implement `FeatureStore.entries`."""
    files: dict[str, list[_File]] = {}
    for file in _list_files(root):
        if file.is_shard:
            files.setdefault(file.path.parent.name, []).append(file)
    entries = []
    for key, shards in files.items():
        described = _describe(root / key)
        last_used = max(file.last_used for file in shards)
        entries.append(
            StoreEntry(
                key=key,
                modality=described.get("modality", "unknown"),
                network=described.get("network", "unknown"),
                input_shape=tuple(described.get("input_shape", ())),
                feature_shape=tuple(described.get("feature_shape", ())),
                dtype=described.get("dtype", "unknown"),
                n_rows=len(ShardFolder(root / key).index()),
                n_files=len(shards),
                n_bytes=sum(file.n_bytes for file in shards),
                last_used=datetime.fromtimestamp(last_used, tz=UTC),
                encoding=described.get("encoding", {}),
            )
        )
    return sorted(entries, key=lambda entry: entry.last_used, reverse=True)


def find_damaged(root: Path) -> dict[Path, str]:
    """Implement the search of `FeatureStore.verify`."""
    damaged = {}
    for path in sorted(file.path for file in _list_files(root) if file.is_shard):
        try:
            ShardFolder(path.parent).check(path.name)
        except ShardVanishedError:
            continue
        except DamagedShardError as error:
            damaged[path] = str(error)
    return damaged


def _describe(folder: Path) -> dict[str, Any]:
    try:
        described = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        # The description is for people; features are found without it.
        return {}
    return described if isinstance(described, dict) else {}


def _remove(file: _File) -> int:
    try:
        file.path.unlink()
    except OSError:
        # Another process has removed it, or has it open on a system that then forbids removal.
        return 0
    return file.n_bytes
