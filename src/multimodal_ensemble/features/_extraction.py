"""The pass of images through frozen backbones, in this process or on an engine's workers."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble.encoders import Encoder
from multimodal_ensemble.exceptions import ModalityError
from multimodal_ensemble.features._shards import ShardFolder

# How many rows an interrupted pass loses at most: some 15 seconds of VGG16 on two cores. Between
# two shards of each backbone a pass looks at what other processes have finished meanwhile.
ROWS_A_SHARD = 256


@dataclass(frozen=True)
class Target:
    """A frozen backbone and where its features are kept.

    Parameters
    ----------
    backbone : keras.Model
        From encoded rows to features.
    shards : ShardFolder
        Where they are kept.
    room : callable
        Called after each shard that is written, to keep the store within its limit.
    """

    backbone: keras.Model
    shards: ShardFolder
    room: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Rows:
    """Distinct values whose features are missing.

    Parameters
    ----------
    reader : Encoder
        Encodes and augments them; its backbone is not used.
    values : array-like of length n
        What the encoder's `prepare` returned.
    digests : list of n bytes
        Digests of their content.
    variants : list of list of n bytes
        For each variant that is wanted, what its features are looked up by.
    views : list of int or None
        Which augmented view each variant is; None is the plain value.
    numbers : ndarray of shape (n,)
        Their numbers among the values that the caller gave, for messages.
    """

    reader: Encoder
    values: Any
    digests: list[bytes]
    variants: list[list[bytes]]
    views: list[int | None]
    numbers: NDArray[np.intp]

    def __len__(self) -> int:
        """Return the number of values."""
        return len(self.digests)

    def take(self, positions: NDArray[np.intp]) -> Rows:
        """Return some of the rows."""
        return Rows(
            self.reader,
            self.values[positions],
            [self.digests[position] for position in positions],
            [[digests[position] for position in positions] for digests in self.variants],
            self.views,
            self.numbers[positions],
        )

    def chunks(self, rows_a_shard: int) -> list[Rows]:
        """Return the rows in pieces of one shard each, in an order drawn by chance.

        Several processes that begin with the same rows at the same time then work on different
        pieces, and each leaves out what it finds finished when it comes to it. The features of
        a row do not depend on the order.
        """
        size = max(1, rows_a_shard // len(self.views))
        starts = list(range(0, len(self), size))
        random.SystemRandom().shuffle(starts)
        return [
            self.take(np.arange(start, min(start + size, len(self)), dtype=np.intp))
            for start in starts
        ]


@dataclass(frozen=True)
class _Batch:
    """Encoded rows on their way to the backbones.

    `missing` says for each target which of them it lacks.
    """

    encoded: NDArray[Any]
    digests: list[bytes]
    numbers: NDArray[np.intp]
    missing: list[NDArray[np.bool_]]
    ends_chunk: bool


def compute_chunks(
    chunks: Sequence[Rows],
    targets: Sequence[Target],
    batch_size: int,
    report: Callable[[int], None] = lambda count: None,
) -> int:
    """Compute what is missing of chunks and write one shard a chunk and target.

    Each value is encoded once for all targets, in another thread, while the backbones work on the
    batch before it. Returns how many rows went through a backbone.
    """
    waiting: list[list[tuple[list[bytes], NDArray[np.float32]]]] = [[] for _ in targets]

    def flush() -> None:
        for target, parts in zip(targets, waiting, strict=True):
            if parts:
                digests = [digest for some, _ in parts for digest in some]
                target.shards.write(digests, np.concatenate([features for _, features in parts]))
                parts.clear()
                target.room()

    count = 0
    try:
        for batch in _read_ahead(_plan(chunks, targets, batch_size)):
            for target, missing, parts in zip(targets, batch.missing, waiting, strict=True):
                if not missing.any():
                    continue
                # Mostly all rows, and then there is nothing to copy.
                rows = slice(None) if missing.all() else missing
                features = np.asarray(
                    target.backbone.predict_on_batch(batch.encoded[rows]), dtype=np.float32
                )
                _check_finite(features, batch, missing, chunks[0].reader.name)
                digests = [batch.digests[row] for row in np.flatnonzero(missing)]
                parts.append((digests, features))
                count += len(digests)
                report(len(digests))
            if batch.ends_chunk:
                flush()
    finally:
        # Also on Ctrl-C and on an unreadable image: what was computed is kept.
        flush()
    return count


def _plan(
    chunks: Sequence[Rows], targets: Sequence[Target], batch_size: int
) -> Iterator[Callable[[], _Batch]]:
    """Yield for each batch how to make it; what is missing is looked up chunk by chunk."""
    for chunk in chunks:
        indices = [target.shards.index() for target in targets]
        # By target, variant and row.
        missing = np.array(
            [[[digest not in index for digest in row] for row in chunk.variants]
             for index in indices]
        )  # fmt: skip
        rows = np.flatnonzero(missing.any(axis=(0, 1)))
        # A batch holds all variants of a few rows, so that none is encoded twice.
        step = max(1, batch_size // len(chunk.views))
        for start in range(0, len(rows), step):
            some = rows[start : start + step]
            ends = start + step >= len(rows)

            def make(
                chunk: Rows = chunk,
                some: NDArray[np.intp] = some,
                missing: NDArray[np.bool_] = missing,
                ends: bool = ends,
            ) -> _Batch:
                return _make_batch(chunk.take(some), missing[:, :, some], ends_chunk=ends)

            yield make


def _make_batch(rows: Rows, missing: NDArray[np.bool_], *, ends_chunk: bool) -> _Batch:
    encoded = rows.reader.encode(rows.values)
    # One line of variants after the other, without those that no target lacks.
    wanted: NDArray[np.bool_] = np.any(missing, axis=0)
    parts = [
        encoded[here]
        if view is None
        else rows.reader.augmentation.apply(
            encoded[here],
            [rows.digests[row] for row in np.flatnonzero(here)],
            np.full(here.sum(), view),
        )
        for view, here in zip(rows.views, wanted, strict=True)
        if here.any()
    ]
    return _Batch(
        encoded=parts[0] if len(parts) == 1 else np.concatenate(parts),
        digests=[
            digests[row]
            for digests, here in zip(rows.variants, wanted, strict=True)
            for row in np.flatnonzero(here)
        ],
        numbers=np.concatenate([rows.numbers[here] for here in wanted]),
        missing=[lacks[wanted] for lacks in missing],
        ends_chunk=ends_chunk,
    )


def _read_ahead(plan: Iterator[Callable[[], _Batch]]) -> Iterator[_Batch]:
    """Yield batches; the next one is made while the backbones work on the last.

    One is enough: it is made in a fraction of the time that a backbone takes, and each one more
    would take memory and cores that the backbone uses.
    """
    with ThreadPoolExecutor(max_workers=1) as pool:
        ahead = None
        for make in plan:
            following = pool.submit(make)
            if ahead is not None:
                yield ahead.result()
            ahead = following
        if ahead is not None:
            yield ahead.result()


def _check_finite(
    features: NDArray[np.float32], batch: _Batch, missing: NDArray[np.bool_], name: str
) -> None:
    finite = np.isfinite(features.reshape(len(features), -1)).all(axis=1)
    if not finite.all():
        number = batch.numbers[missing][~finite][0]
        msg = (
            f"The backbone of {name!r} gives features that are not finite, first for value "
            f"number {number} (from 0). Are its weights damaged, or its numbers too "
            "large for half precision?"
        )
        raise ModalityError(msg)
