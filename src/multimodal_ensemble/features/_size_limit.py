"""Keeping a store within its maximum size while shards are written to it."""

from __future__ import annotations

import heapq
from contextlib import suppress
from pathlib import Path

from multimodal_ensemble.features._contents import StoreFile, is_needed, list_files, remove
from multimodal_ensemble.features._leases import Leases
from multimodal_ensemble.features._throttle import Throttle
from multimodal_ensemble.saving import file_system_time


class SizeLimit:
    """An account of the files of a store, which removes the least recently used shards.

    It lists the store once, follows the shards that this process writes, and lists the store again
    from time to time, because other processes also write.
    """

    def __init__(self, root: Path, max_bytes: int | None) -> None:
        self._root = root
        self._max_bytes = max_bytes
        self._throttle = Throttle()
        self._leases = Leases(root)
        self._total = 0
        # A heap of shards by the time of their last use.
        self._shards: list[tuple[float, str, StoreFile]] = []

    def add(self, path: Path) -> None:
        """Count a new shard, and remove others until the store fits."""
        if self._max_bytes is None:
            return
        if self._throttle.is_due:
            self.enforce()
        else:
            # A pass needs the shards that it writes, so they are no candidates for removal.
            with suppress(FileNotFoundError):
                self._total += path.stat().st_size
            self._remove_excess()

    def enforce(self) -> int:
        """List the store, and remove shards until it fits; return the bytes removed."""
        if self._max_bytes is None:
            return 0
        with self._throttle.timing():
            self._list()
        return self._remove_excess()

    def _list(self) -> None:
        now = file_system_time(self._root)
        self._total, self._shards = 0, []
        for file in list_files(self._root):
            # Temporary files of running processes will be gone at the end.
            if not file.token or is_needed(file, self._root, now) is not True:
                self._total += file.n_bytes
            if file.kind == "shard":
                self._shards.append((file.last_used, file.name, file))
        heapq.heapify(self._shards)

    def _remove_excess(self) -> int:
        removed, limit = 0, self._max_bytes
        if limit is None or self._total <= limit:
            return 0
        self._leases.refresh()
        while self._total > limit and self._shards:
            last_used, name, file = heapq.heappop(self._shards)
            try:
                used_since = file.path.lstat().st_mtime
            except FileNotFoundError:
                self._total -= file.n_bytes
                continue
            if used_since != last_used:
                heapq.heappush(self._shards, (used_since, name, file))
            elif name not in self._leases:
                n_bytes = remove(file)
                removed += n_bytes
                self._total -= n_bytes
        return removed
