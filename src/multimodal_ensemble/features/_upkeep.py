"""What a store holds, whether it is whole, and making it smaller."""

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

import numpy as np

from multimodal_ensemble.features._entry import StoreEntry
from multimodal_ensemble.features._shards import (
    SUFFIX,
    DamagedShardError,
    ShardFolder,
    ShardVanishedError,
)

DESCRIPTION = "backbone.json"

# What a killed process leaves lies there for good; what a living one is writing must not go.
_LEFTOVER_SECONDS = 24 * 3600


@dataclass(frozen=True)
class _File:
    path: Path
    n_bytes: int
    last_used: float

    @property
    def is_shard(self) -> bool:
        return self.path.name.endswith(SUFFIX) and self.path.name[0] != "."

    @property
    def is_leftover(self) -> bool:
        return self.path.name[0] == "." and time.time() - self.last_used > _LEFTOVER_SECONDS


def _list_files(root: Path) -> Iterator[_File]:
    """Yield the files of a store; those that vanish meanwhile are left out."""
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


def keep_within(root: Path, max_bytes: int) -> int:
    """Remove the shards that were not used for longest until a store is no larger; tell the bytes.

    A reader that has such a shard open reads on, and one that is about to open it computes its
    features again.
    """
    files = list(_list_files(root))
    # Files in the making, and backbones that lie there for workers, are gone in a moment.
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
    """Do what `FeatureStore.prune` does; the options are checked."""
    oldest = -math.inf if unused_for is None else time.time() - unused_for.total_seconds()
    removed = sum(
        _remove(file)
        for file in _list_files(root)
        if file.is_leftover
        or (file.is_shard and (file.last_used < oldest or file.path.parent.name in keys))
    )
    if max_bytes is not None:
        removed += keep_within(root, max_bytes)
    for folder in entry_folders(root).values():
        # Another process may be about to write into it, which makes it again.
        with suppress(OSError):
            if {path.name for path in folder.iterdir()} <= {DESCRIPTION}:
                if (folder / DESCRIPTION).exists():
                    removed += (folder / DESCRIPTION).stat().st_size
                    (folder / DESCRIPTION).unlink()
                folder.rmdir()
    return removed


def entry_folders(root: Path) -> dict[str, Path]:
    """Return the folders of backbones by their key."""
    return {path.name: path for path in root.iterdir() if path.is_dir()}


def list_entries(root: Path) -> list[StoreEntry]:
    """Do what `FeatureStore.entries` does."""
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
    """Do what `FeatureStore.verify` does."""
    found = {file.path: _find_damage(file.path) for file in _list_files(root) if file.is_shard}
    return {path: reason for path, reason in sorted(found.items()) if reason}


def _find_damage(path: Path) -> str:
    shards = ShardFolder(path.parent)
    try:
        features = shards.read_shard(path.name)
        n_digests = len(shards.read_digests(path.name))
    except ShardVanishedError:
        return ""
    except DamagedShardError as error:
        return error.reason
    if len(features) != n_digests:
        return f"it holds {n_digests} digests and {len(features)} rows of features"
    return "" if np.isfinite(features).all() else "it holds features that are not finite"


def _describe(folder: Path) -> dict[str, Any]:
    try:
        described = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        # It is for people; features are found without it.
        return {}
    return described if isinstance(described, dict) else {}


def _remove(file: _File) -> int:
    try:
        file.path.unlink()
    except OSError:
        # Another process was faster, or has it open on a system that then forbids it.
        return 0
    return file.n_bytes
