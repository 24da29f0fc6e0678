"""One backbone's features on disk: a folder of shards, each written once and never changed."""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._half_precision import from_half, to_half
from multimodal_ensemble.exceptions import FeatureStoreError
from multimodal_ensemble.features._contents import FORMAT_NAME, list_shards
from multimodal_ensemble.features._digest_index import DigestIndex
from multimodal_ensemble.features._files import explaining_write_errors
from multimodal_ensemble.features._throttle import Throttle
from multimodal_ensemble.saving import ArrayReader, read_archive, write_archive

_VERSION = 1
_ADVICE = (
    "Delete it, or call the store's verify(remove=True) to find and delete all such files: their "
    "features are then recomputed."
)
# Threads may share a store. A lock of each folder would keep a store from being copied.
_INDEXING = threading.RLock()


class ShardVanishedError(Exception):
    """A shard was pruned or replaced, by this or another process, before it was read."""


class DamagedShardError(FeatureStoreError):
    """A shard cannot be read, or holds no usable features."""


class ShardFolder:
    """Features by content digest, in archives of about 250 rows.

    A shard is written under a temporary name and then renamed, so that a reader sees it complete
    or not at all. Several writers, also on several machines, never change each other's files. The
    dtype is that of new shards; others are read also.

    A shard names the key of its backbone, the name of its folder. Features of another backbone,
    from a file in the wrong folder or with features of another shape, are not used.
    """

    def __init__(self, folder: Path, dtype: str = "float32") -> None:
        self.folder = folder
        self.dtype = dtype
        self._index = DigestIndex()
        self._throttle = Throttle()

    def index(self) -> DigestIndex:
        """Return the shard and row of each digest; open only shards new since the last call."""
        with _INDEXING:
            with self._throttle.timing():
                found = set(list_shards(self.folder))
            for name in self._index.names - found:
                self._index.remove(name)
            for name in sorted(found - self._index.names):
                try:
                    self._index.add(name, self._read_digests(name))
                except ShardVanishedError:
                    continue
            return self._index

    def recent_index(self) -> DigestIndex:
        """Return the index, which may lack the latest changes by other processes.

        Listing a large folder for each new shard would take longer than computing the features.
        """
        return self.index() if self._throttle.is_due else self._index

    def write(self, digests: Sequence[bytes], features: NDArray[np.float32]) -> Path:
        """Add one shard and return its path; if it cannot be written, leave nothing behind."""
        keys = np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(len(digests), -1)
        arrays: dict[str, NDArray[Any]] = {"digests": keys, "features": features}
        if self.dtype == "float16":
            arrays["features"], arrays["exponents"] = to_half(features)
        path = self.folder / f"{uuid.uuid4().hex}.shard"
        document = {
            "format": FORMAT_NAME,
            "format_version": _VERSION,
            "key": self.folder.name,
            "feature_shape": features.shape[1:],
        }
        with explaining_write_errors(path):
            write_archive(path, document, arrays, tidy=False)
        with _INDEXING:
            self._index.add(path.name, digests)
        return path

    def read(self, digests: Sequence[bytes], features: NDArray[np.float32]) -> set[str]:
        """Read the features of digests into the rows of an array, one shard in memory at a time.

        Returns the names of the shards.

        A ShardVanishedError says that some are not there any more, or are not those of the indexed
        values and of this shape. The index then no longer has them.
        """
        with _INDEXING:
            try:
                places = self._index.find(digests)
            except KeyError as error:
                raise ShardVanishedError from error
        positions: dict[str, list[int]] = {}
        for position, (name, _) in enumerate(places):
            positions.setdefault(name, []).append(position)
        unusable = []
        for name, here in positions.items():
            in_shard, shard = self._read_shard(name)
            rows = [places[position][1] for position in here]
            wanted = [digests[position] for position in here]
            are_wanted = max(rows) < len(in_shard) and [in_shard[row] for row in rows] == wanted
            if shard.shape[1:] == features.shape[1:] and are_wanted:
                features[here] = shard[rows]
            else:
                unusable.append(name)
        if unusable:
            with _INDEXING:
                for name in unusable:
                    self._index.remove(name)
                    # It is not read again.
                    self._index.add(name, [])
            raise ShardVanishedError(", ".join(unusable))
        return set(positions)

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
        self._read_shard(name)
        with self._open(name) as (document, arrays), arrays.explaining("it is in the wrong place"):
            if not self._is_ours(document):
                msg = f"its features are those of the backbone {document['key']!r}"
                raise ValueError(msg)

    def _is_ours(self, document: dict[str, Any]) -> bool:
        return bool(document.get("key", self.folder.name) == self.folder.name)

    def _read_digests(self, name: str) -> list[bytes]:
        """Return the digests of a shard, one per row; none if it belongs to another backbone."""
        with self._open(name) as (document, arrays):
            if not self._is_ours(document):
                return []
            with arrays.explaining("its digests cannot be used"):
                return [row.tobytes() for row in arrays["digests"]]

    def _read_shard(self, name: str) -> tuple[list[bytes], NDArray[np.float32]]:
        """Return all digests and features of a shard after a check of their CRC and shapes.

        A shard of another backbone has no digests.
        """
        with self._open(name) as (document, arrays):
            digests, features = arrays["digests"], arrays["features"]
            is_half = features.dtype == np.float16
            exponents = arrays["exponents"] if is_half else None
            with arrays.explaining("its features cannot be used"):
                problem = _find_problem(digests, features, exponents, document)
                if problem is not None:
                    raise ValueError(problem)
        rows = [row.tobytes() for row in digests] if self._is_ours(document) else []
        return rows, features if exponents is None else from_half(features, exponents)

    @contextmanager
    def _open(self, name: str) -> Iterator[tuple[dict[str, Any], ArrayReader]]:
        path = self.folder / name
        try:
            document, arrays = read_archive(
                path,
                format_name=FORMAT_NAME,
                max_version=_VERSION,
                error=DamagedShardError,
                advice=_ADVICE,
            )
            with arrays:
                yield document, arrays
        except FileNotFoundError as error:
            raise ShardVanishedError(str(path)) from error
        except OSError as error:
            msg = f"The file {str(path)!r} cannot be read: {error.strerror or error}. {_ADVICE}"
            raise DamagedShardError(msg) from error


def _find_problem(
    digests: NDArray[Any],
    features: NDArray[Any],
    exponents: NDArray[Any] | None,
    document: dict[str, Any],
) -> str | None:
    """Return why arrays with the right CRC are not those of a shard, or None."""
    shape = list(features.shape[1:])
    described = document.get("feature_shape", shape)
    if features.ndim == 0 or features.dtype not in (np.float16, np.float32):
        return f"they are an array of {features.dtype} of the shape {features.shape}"
    if shape != described:
        return f"their shape is {shape}, and {described} was expected"
    if digests.dtype != np.uint8 or digests.ndim != 2:
        return f"its digests are an array of {digests.dtype} of the shape {digests.shape}"
    if len(features) != len(digests):
        return f"it holds {len(digests)} digests and {len(features)} rows of features"
    if exponents is not None and (
        exponents.dtype != np.int16 or exponents.shape != (len(digests),)
    ):
        return f"its exponents are an array of {exponents.dtype} of the shape {exponents.shape}"
    if not np.isfinite(features).all():
        return "it holds features that are not finite"
    return None
