"""One backbone's features on disk: a folder of shards, each written once and never changed."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble.exceptions import FeatureStoreError
from multimodal_ensemble.features._half_precision import from_half, to_half
from multimodal_ensemble.saving import replacing

SUFFIX = ".npz"
# File name and row.
Place = tuple[str, int]


class ShardVanishedError(Exception):
    """A shard was pruned, by this or another process, before it was read."""


class DamagedShardError(FeatureStoreError):
    """A shard cannot be read; `reason` is why."""

    reason = ""


class ShardFolder:
    """Features by content digest, in ``.npz`` files of some hundred rows.

    A shard is written under a temporary name and then renamed, so that a reader sees it whole
    or not at all, and several writers, on several machines, never touch each other's files. The
    zip container checks each array against its CRC when it is read.

    Parameters
    ----------
    folder : Path
        Made when the first shard is written.
    dtype : {"float16", "float32"}
        How features are written; either is read.
    """

    def __init__(self, folder: Path, dtype: str = "float32") -> None:
        self.folder = folder
        self.dtype = dtype
        self._places: dict[bytes, Place] = {}
        self._known: set[str] = set()

    def index(self) -> dict[bytes, Place]:
        """Return the shard and row of each digest; reads no features.

        Only shards that are new since the last call are opened.
        """
        found = set(shard_names(self.folder))
        if not self._known <= found:
            # Some were pruned. Which digests stood in them alone is not known.
            self._known, self._places = set(), {}
        for name in sorted(found - self._known):
            try:
                digests = self.read_digests(name)
            except ShardVanishedError:
                continue
            self._places.update(
                (digest.tobytes(), (name, row)) for row, digest in enumerate(digests)
            )
            self._known.add(name)
        return self._places

    def write(self, digests: Sequence[bytes], features: NDArray[np.float32]) -> Path:
        """Add one shard."""
        keys = np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(len(digests), -1)
        path = self.folder / f"{uuid.uuid4().hex}{SUFFIX}"
        if self.dtype == "float16":
            half, exponents = to_half(features)
            write_atomically(
                path,
                lambda file: np.savez(file, digests=keys, features=half, exponents=exponents),
            )
        else:
            write_atomically(path, lambda file: np.savez(file, digests=keys, features=features))
        return path

    def read(self, places: Sequence[Place], features: NDArray[np.float32]) -> None:
        """Read the features at places into the rows of an array, one shard in memory at a time.

        Raises
        ------
        ShardVanishedError
            If a shard was pruned meanwhile.
        """
        positions: dict[str, list[int]] = {}
        for position, (name, _) in enumerate(places):
            positions.setdefault(name, []).append(position)
        for name, here in positions.items():
            rows = [places[position][1] for position in here]
            features[here] = self.read_shard(name)[rows]

    def read_digests(self, name: str) -> NDArray[np.uint8]:
        """Return the digests of a shard, one a row."""
        return self._load(name, "digests")

    def read_shard(self, name: str) -> NDArray[np.float32]:
        """Return all features of a shard, checked against their CRC."""
        features = self._load(name, "features")
        if features.dtype != np.float16:
            return features
        return from_half(features, self._load(name, "exponents"))

    def touch(self, names: Iterable[str]) -> None:
        """Note that shards are in use, so that they are pruned last."""
        for name in names:
            try:
                os.utime(self.folder / name)
            except OSError:
                # A store that may only be read is never pruned, and a shard may just have been.
                continue

    def _load(self, name: str, array_name: str) -> NDArray[Any]:
        path = self.folder / name
        try:
            # By a file of our own: numpy leaves its open when it is not what it expects.
            with path.open("rb") as file, np.load(file, allow_pickle=False) as shard:
                array: NDArray[Any] = shard[array_name]
                return array
        except MemoryError:
            raise
        except FileNotFoundError as error:
            raise ShardVanishedError(str(path)) from error
        except Exception as error:
            # Bytes that are not a shard's make the zip and the array reader raise almost anything.
            reason = str(error) or type(error).__name__
            msg = (
                f"The feature store's file {str(path)!r} is damaged ({reason}). Delete it, or call "
                "the store's verify(remove=True) to find and delete all such files: their features "
                "are then computed again."
            )
            damaged = DamagedShardError(msg)
            damaged.reason = reason
            raise damaged from error


def shard_names(folder: Path) -> list[str]:
    """Return the names of the finished shards in a folder, sorted."""
    try:
        names = [path.name for path in folder.iterdir()]
    except FileNotFoundError:
        return []
    return sorted(name for name in names if name.endswith(SUFFIX) and name[0] != ".")


def write_atomically(path: Path, write: Callable[[Any], object]) -> None:
    """Write a file under another name, then rename it, so that it is never seen in part.

    Raises
    ------
    FeatureStoreError
        If it cannot be written; nothing is left of it.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            write(file)
    except OSError as error:
        msg = (
            f"The feature store cannot write {str(path)!r}: {error.strerror or error}. What it "
            "holds is kept. Make room, or use a store in another folder."
        )
        raise FeatureStoreError(msg) from error
