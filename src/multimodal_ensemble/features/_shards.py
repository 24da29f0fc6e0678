"""One backbone's features on disk: a folder of shards, each written once and never changed."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble.exceptions import FeatureStoreError

Place = tuple[Path, int]


class ShardFolder:
    """Features by content digest, in ``.npz`` files of some hundred rows.

    A shard is written under a temporary name and then renamed, so that a reader sees it whole
    or not at all, and several writers never touch each other's files. The zip container
    checks each array against its CRC when it is read.

    Parameters
    ----------
    folder : Path
        Made when the first shard is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def index(self) -> dict[bytes, Place]:
        """Return the shard and row of each digest; reads no features."""
        places: dict[bytes, Place] = {}
        for path in sorted(self.folder.glob("*.npz")):
            for row, digest in enumerate(_load(path, "digests")):
                places[digest.tobytes()] = (path, row)
        return places

    def write(self, digests: Sequence[bytes], features: NDArray[np.float32]) -> None:
        """Add one shard."""
        self.folder.mkdir(parents=True, exist_ok=True)
        keys = np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(len(digests), -1)
        name = uuid.uuid4().hex
        write_atomically(
            self.folder / f"{name}.npz",
            lambda file: np.savez(file, digests=keys, features=features),
        )

    def read(self, places: Sequence[Place], shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Return the features at places, in their order, with one shard in memory at a time."""
        features = np.empty((len(places), *shape), dtype=np.float32)
        positions: dict[Path, list[int]] = {}
        for position, (path, _) in enumerate(places):
            positions.setdefault(path, []).append(position)
        for path, here in positions.items():
            rows = [places[position][1] for position in here]
            features[here] = _load(path, "features")[rows]
        return features


def write_atomically(path: Path, write: Callable[[Any], object]) -> None:
    """Write a file under another name, then rename it, so that it is never seen in part."""
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        with temporary.open("wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _load(path: Path, name: str) -> NDArray[Any]:
    try:
        # By a file of our own: numpy leaves its open when it is not what it expects.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as shard:
            array: NDArray[Any] = shard[name]
            return array
    except MemoryError:
        raise
    except Exception as error:
        # Bytes that are not a shard's make the zip and the array reader raise almost anything.
        msg = (
            f"The feature store's file {str(path)!r} is damaged ({error}). Delete it: "
            "its features are then computed again."
        )
        raise FeatureStoreError(msg) from error
