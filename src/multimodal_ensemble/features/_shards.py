"""One backbone's features on disk: a folder of shards, each written once and never changed."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble.exceptions import FeatureStoreError
from multimodal_ensemble.features._folder import explaining_write_errors
from multimodal_ensemble.features._half_precision import from_half, to_half
from multimodal_ensemble.saving import ArrayReader, read_archive, write_archive

_SUFFIX = ".shard"
# File name and row.
Place = tuple[str, int]

_FORMAT_NAME = "multimodal_ensemble features"
_VERSION = 1
_ADVICE = (
    "Delete it, or call the store's verify(remove=True) to find and delete all such files: their "
    "features are then recomputed."
)


class ShardVanishedError(Exception):
    """A shard was pruned, by this or another process, before it was read."""


class DamagedShardError(FeatureStoreError):
    """A shard cannot be read, or holds no usable features."""


class ShardFolder:
    """Features by content digest, in archives of about 250 rows.

    A shard is written under a temporary name and then renamed, so that a reader sees it complete
    or not at all. Several writers, also on several machines, never change each other's files. The
    dtype is that of new shards; others are read also.
    """

    def __init__(self, folder: Path, dtype: str = "float32") -> None:
        self.folder = folder
        self.dtype = dtype
        self._places: dict[bytes, Place] = {}
        self._known: set[str] = set()

    def index(self) -> dict[bytes, Place]:
        """Return the shard and row of each digest; open only shards new since the last call."""
        found = set(list_shards(self.folder))
        if not self._known <= found:
            # Some shards were pruned, and which digests only they held is not known.
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
        """Add one shard and return its path; if it cannot be written, leave nothing behind."""
        keys = np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(len(digests), -1)
        arrays: dict[str, NDArray[Any]] = {"digests": keys, "features": features}
        if self.dtype == "float16":
            arrays["features"], arrays["exponents"] = to_half(features)
        path = self.folder / f"{uuid.uuid4().hex}{_SUFFIX}"
        document = {"format": _FORMAT_NAME, "format_version": _VERSION}
        with explaining_write_errors(path):
            write_archive(path, document, arrays)
        return path

    def read(self, places: Sequence[Place], features: NDArray[np.float32]) -> None:
        """Read the features at places into the rows of an array, one shard in memory at a time."""
        positions: dict[str, list[int]] = {}
        for position, (name, _) in enumerate(places):
            positions.setdefault(name, []).append(position)
        for name, here in positions.items():
            rows = [places[position][1] for position in here]
            features[here] = self.read_shard(name)[rows]

    def read_digests(self, name: str) -> NDArray[np.uint8]:
        """Return the digests of a shard, one per row."""
        with self._open(name) as arrays:
            return arrays["digests"]

    def read_shard(self, name: str) -> NDArray[np.float32]:
        """Return all features of a shard after a check of their CRC."""
        with self._open(name) as arrays:
            features = arrays["features"]
            with arrays.explaining("its features cannot be used"):
                if features.dtype not in (np.float16, np.float32) or features.ndim < 2:
                    msg = f"they have the dtype {features.dtype} and the shape {features.shape}"
                    raise ValueError(msg)
                if features.dtype == np.float32:
                    return features
                exponents = arrays["exponents"]
                if exponents.dtype != np.int16 or exponents.shape != features.shape[:1]:
                    # NumPy would repeat one row for each exponent.
                    msg = f"{len(features)} rows have exponents of the shape {exponents.shape}"
                    raise ValueError(msg)
                return from_half(features, exponents)

    def touch(self, names: Iterable[str]) -> None:
        """Mark shards as used, so that they are pruned last."""
        for name in names:
            try:
                os.utime(self.folder / name)
            except OSError:
                # A read-only store is never pruned, and a shard may just have been.
                continue

    def check(self, name: str) -> None:
        """Read a shard, and raise a DamagedShardError unless its features can be used."""
        features, digests = self.read_shard(name), self.read_digests(name)
        with self._open(name) as arrays, arrays.explaining("its features cannot be used"):
            if len(features) != len(digests):
                msg = f"it holds {len(digests)} digests and {len(features)} rows of features"
                raise ValueError(msg)
            if not np.isfinite(features).all():
                msg = "it holds features that are not finite"
                raise ValueError(msg)

    @contextmanager
    def _open(self, name: str) -> Iterator[ArrayReader]:
        path = self.folder / name
        try:
            _, arrays = read_archive(
                path,
                format_name=_FORMAT_NAME,
                max_version=_VERSION,
                error=DamagedShardError,
                advice=_ADVICE,
            )
            with arrays:
                yield arrays
        except FileNotFoundError as error:
            raise ShardVanishedError(str(path)) from error
        except OSError as error:
            msg = f"The file {str(path)!r} cannot be read: {error.strerror or error}. {_ADVICE}"
            raise DamagedShardError(msg) from error


def list_shards(folder: Path) -> list[str]:
    """Return the names of the finished shards in a folder, sorted."""
    try:
        return sorted(path.name for path in folder.iterdir() if is_shard(path.name))
    except FileNotFoundError:
        return []


def is_shard(name: str) -> bool:
    """Return whether a file name is that of a finished shard."""
    return name.endswith(_SUFFIX) and name[0] != "."
