"""Which files in the folder of a store are its own, and how they are removed safely."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from multimodal_ensemble.saving import is_in_use

MARKER = "feature_store.json"
DESCRIPTION = "backbone.json"
FORMAT_NAME = "multimodal_ensemble features"

_KEY = re.compile(r"[0-9a-f]{64}")
_TOKEN = r"([0-9a-f]+)"  # noqa: S105 - see `make_token`
_IN_ROOT = {
    "marker": re.compile(re.escape(MARKER)),
    "lease": re.compile(rf"\.pass\.{_TOKEN}\.lease"),
    "temporary": re.compile(rf"\.{re.escape(MARKER)}\.{_TOKEN}\.tmp"),
}
_IN_KEY = {
    "shard": re.compile(r"[0-9a-f]{32}\.shard"),
    "description": re.compile(re.escape(DESCRIPTION)),
    "temporary": re.compile(rf"\.(?:[0-9a-f]+\.shard|{re.escape(DESCRIPTION)})\.{_TOKEN}\.tmp"),
    "backbone": re.compile(rf"\.backbone\.{_TOKEN}\.keras"),
}
_ZIP_START, _JSON_START = b"PK\x03\x04", b"{"
# A shard names its format within these first bytes.
_HEAD_BYTES = 512


@dataclass(frozen=True)
class StoreFile:
    """A file that a store has written, by its name and place."""

    path: Path
    kind: str
    # The token in the name of a temporary file, otherwise empty.
    token: str
    n_bytes: int
    last_used: float

    @property
    def name(self) -> str:
        """The path relative to the store, as in a lease."""
        return f"{self.path.parent.name}/{self.path.name}"


def list_files(root: Path) -> Iterator[StoreFile]:
    """Yield the regular files that a store has written, without those that vanish meanwhile.

    Files and folders with other names, and symbolic links, belong to somebody else.
    """
    yield from _list_folder(root, _IN_ROOT)
    for folder in entry_folders(root).values():
        yield from _list_folder(folder, _IN_KEY)


def list_leases(root: Path) -> Iterator[StoreFile]:
    """Yield the leases of a store."""
    return _list_folder(root, {"lease": _IN_ROOT["lease"]})


def entry_folders(root: Path) -> dict[str, Path]:
    """Return the folders of backbones by key."""
    try:
        with os.scandir(root) as entries:
            return {
                entry.name: Path(entry.path)
                for entry in entries
                if _KEY.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False)
            }
    except FileNotFoundError:
        # The store was deleted after it was opened.
        return {}


def list_shards(folder: Path) -> list[str]:
    """Return the names of the finished shards in a folder."""
    try:
        with os.scandir(folder) as entries:
            return [
                entry.name
                for entry in entries
                if _IN_KEY["shard"].fullmatch(entry.name) and entry.is_file(follow_symlinks=False)
            ]
    except FileNotFoundError:
        return []


def lease_path(root: Path, token: str) -> Path:
    """Return the path of the lease of a pass."""
    return root / f".pass.{token}.lease"


def backbone_path(folder: Path, token: str) -> Path:
    """Return the path of a backbone for the workers of a pass."""
    return folder / f".backbone.{token}.keras"


def is_needed(file: StoreFile, root: Path, now: float) -> bool | None:
    """Return whether a running process needs a temporary file; None if that is not known."""
    needed = is_in_use(file.path, file.token, now)
    if file.kind == "backbone" and not needed:
        # A pass does not change its backbone, but its lease.
        return is_in_use(lease_path(root, file.token), file.token, now) or needed
    return needed


def remove(file: StoreFile) -> int:
    """Remove a file if its content shows that a store wrote it; return the bytes removed."""
    try:
        if not _has_own_content(file):
            return 0
        file.path.unlink()
    except OSError:
        # Another process has removed it, or has it open on a system that then forbids removal.
        return 0
    return file.n_bytes


def _has_own_content(file: StoreFile) -> bool:
    """Return whether the first bytes of a file show that a store wrote it.

    The name of a temporary file is enough, because killed processes leave any bytes.
    """
    if file.token:
        return True
    with file.path.open("rb") as opened:
        head = opened.read(_HEAD_BYTES)
    if file.kind == "shard":
        return head.startswith(_ZIP_START) and FORMAT_NAME.encode() in head
    return head.startswith(_JSON_START)


def _list_folder(folder: Path, patterns: Mapping[str, re.Pattern[str]]) -> Iterator[StoreFile]:
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            for kind, pattern in patterns.items():
                match = pattern.fullmatch(entry.name)
                if match is None:
                    continue
                with suppress(FileNotFoundError):
                    if entry.is_file(follow_symlinks=False):
                        status = entry.stat(follow_symlinks=False)
                        token = match[1] if pattern.groups else ""
                        yield StoreFile(
                            Path(entry.path), kind, token, status.st_size, status.st_mtime
                        )
