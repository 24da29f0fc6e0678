"""Leases: which shards running passes still need, so that no process removes them."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import BinaryIO

from multimodal_ensemble.features._contents import (
    FORMAT_NAME,
    is_needed,
    lease_path,
    list_leases,
)
from multimodal_ensemble.saving import file_system_time, lock, make_token


class Lease(AbstractContextManager["Lease"]):
    """A locked file that names the shards that a pass needs, until the pass ends.

    It is created with the first name. Each further shard changes the file, which shows processes
    on other machines that the pass is running.
    """

    def __init__(self, root: Path) -> None:
        self.token = make_token()
        self._path = lease_path(root, self.token)
        self._names: set[str] = set()
        self._file: BinaryIO | None = None

    @property
    def is_held(self) -> bool:
        """Whether the pass has needed any shard."""
        return self._file is not None

    def protect(self, names: Iterable[str]) -> None:
        """Add names of shards, or of folders with a slash at the end."""
        added = set(names) - self._names
        self._names |= added
        # A folder that cannot be written to cannot be pruned either; writing a shard explains it.
        with suppress(OSError):
            if self._file is None:
                self._file = self._path.open("xb")
                lock(self._file)
                self._file.write(f"{FORMAT_NAME}\n".encode())
            self._file.write("".join(f"{name}\n" for name in sorted(added)).encode())
            self._file.flush()

    def __exit__(self, *error: object) -> None:
        """End the lease."""
        if self._file is not None:
            self._file.close()
            self._file = None
            with suppress(OSError):
                self._path.unlink()


class Leases:
    """The leases of all processes that use a store."""

    def __init__(self, root: Path) -> None:
        self._root = root
        # For each lease, how much of it was read, and the names in it.
        self._read: dict[Path, tuple[int, set[str]]] = {}

    def refresh(self) -> None:
        """Read what was added to the leases since the last call."""
        files = list(list_leases(self._root))
        now = file_system_time(self._root) if files else 0
        needed = [file.path for file in files if is_needed(file, self._root, now) is not False]
        self._read = {path: self._read_on(path) for path in needed}

    def __contains__(self, name: str) -> bool:
        """Return whether a running pass needs the shard or folder of this name."""
        return any(name in names for _, names in self._read.values())

    def _read_on(self, path: Path) -> tuple[int, set[str]]:
        start, names = self._read.get(path, (0, set()))
        with suppress(OSError), path.open("rb") as file:
            file.seek(start)
            # The owner may be writing the last line.
            added = file.read().rpartition(b"\n")[0]
            if added:
                names.update(added.decode(errors="replace").split("\n"))
                start += len(added) + 1
        return start, names
