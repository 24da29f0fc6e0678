"""The pass of values through frozen backbones."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._encoder_calls import checked_encode, checked_lengths
from multimodal_ensemble._tables import locating_errors
from multimodal_ensemble.encoders import Encoder
from multimodal_ensemble.exceptions import ModalityError
from multimodal_ensemble.features._frozen_pass import make_predictor
from multimodal_ensemble.features._shards import ShardFolder

# An interrupted pass loses at most this many rows per backbone, about 15 seconds of VGG16 on two
# cores. Before each shard, a pass looks up which rows other processes have finished.
ROWS_PER_SHARD = 256


@dataclass(frozen=True)
class Target:
    """A frozen model from encoded rows to features, and the folder of each of its outputs."""

    model: keras.Model
    folders: list[ShardFolder]


@dataclass(frozen=True, eq=False)
class Rows:
    """The n values of rows that have a modality, and the keys of their features in a store."""

    # Encodes and augments the values; its backbone is not used.
    reader: Encoder
    # The result of the encoder's `prepare`, and the digest of the content of each value.
    values: Any
    digests: list[bytes]
    # For each variant: the keys of the features, and the augmented view; None is the plain value.
    variants: list[list[bytes]]
    views: list[int | None]
    # Positions in the data that the caller passed, for messages.
    numbers: NDArray[np.intp]

    def __len__(self) -> int:
        """Return the number of values."""
        return len(self.digests)

    def take(self, positions: NDArray[np.intp]) -> Rows:
        """Return the rows at the given positions."""
        return replace(
            self,
            values=self.values[positions],
            digests=[self.digests[position] for position in positions],
            variants=[[digests[position] for position in positions] for digests in self.variants],
            numbers=self.numbers[positions],
        )

    def split(self, rows_per_shard: int) -> list[Rows]:
        """Return the rows in chunks of one shard each, in random order.

        A chunk has rows of similar length, so that short ones are not padded to long ones.
        Processes that begin with the same rows at the same time then work on different chunks,
        and each skips the rows that others have finished.
        """
        size = max(1, rows_per_shard // len(self.views))
        order = np.argsort(checked_lengths(self.reader, self.values), kind="stable")
        starts = list(range(0, len(self), size))
        random.SystemRandom().shuffle(starts)
        return [self.take(order[start : start + size]) for start in starts]


@dataclass(frozen=True)
class _Batch:
    """Encoded rows, and for each folder which of them it lacks."""

    encoded: NDArray[Any]
    digests: list[bytes]
    numbers: NDArray[np.intp]
    lacking: list[NDArray[np.bool_]]
    ends_chunk: bool


def compute_chunks(
    chunks: Sequence[Rows],
    targets: Sequence[Target],
    batch_size: int,
    report: Callable[[int], None] = lambda count: None,
    *,
    on_write: Callable[[Path], None],
    n_rows: int,
    predicting: AbstractContextManager[Any] = nullcontext(),  # noqa: B008 - it has no state
) -> int:
    """Compute the features that the targets lack, and write one shard per chunk and folder.

    Each value is encoded once for all targets, in another thread, while the models process the
    previous batch. Each new shard is passed to `on_write`. `n_rows` is the size of the whole pass,
    of which these chunks may be a part. The models are used inside `predicting`, a lock where
    threads share them. Returns the number of rows that went through a model.
    """
    folders = [folder for target in targets for folder in target.folders]
    waiting: list[list[tuple[list[bytes], NDArray[np.float32]]]] = [[] for _ in folders]

    def flush() -> None:
        for folder, parts in zip(folders, waiting, strict=True):
            if parts:
                digests = [digest for batch_digests, _ in parts for digest in batch_digests]
                features = np.concatenate([features for _, features in parts])
                parts.clear()
                on_write(folder.write(digests, features))

    count = 0
    with predicting:
        predictors = [make_predictor(target.model, n_rows) for target in targets]
    try:
        for batch in _read_ahead(_plan(chunks, folders, batch_size)):
            columns = iter(zip(batch.lacking, waiting, strict=True))
            for target, predict in zip(targets, predictors, strict=True):
                wanted = [next(columns) for _ in target.folders]
                needed = np.any([lacking for lacking, _ in wanted], axis=0)
                if not needed.any():
                    continue
                # A target usually lacks all rows of a batch, and a slice copies nothing.
                rows = slice(None) if needed.all() else needed
                with predicting:
                    outputs = predict(batch.encoded[rows])
                outputs = outputs if isinstance(outputs, list) else [outputs]
                for declared, output, (lacking, parts) in zip(
                    target.model.outputs, outputs, wanted, strict=True
                ):
                    if lacking.any():
                        _check_shape(declared.shape, output.shape, chunks[0].reader.name)
                        features = np.asarray(output, dtype=np.float32)[lacking[needed]]
                        _check_finite(features, batch.numbers[lacking], chunks[0].reader.name)
                        digests = [batch.digests[row] for row in np.flatnonzero(lacking)]
                        parts.append((digests, features))
                n_computed = int(needed.sum())
                count += n_computed
                report(n_computed)
            if batch.ends_chunk:
                flush()
    finally:
        # Keep what was computed before Ctrl-C or an unreadable image.
        flush()
    return count


def _plan(
    chunks: Sequence[Rows], folders: Sequence[ShardFolder], batch_size: int
) -> Iterator[Callable[[], _Batch]]:
    """Yield functions that make one batch each; features are looked up chunk by chunk."""
    for chunk in chunks:
        indices = [folder.recent_index() for folder in folders]
        # An array of shape (n_folders, n_variants, n_rows).
        lacking = ~np.array([[index.has(row) for row in chunk.variants] for index in indices])
        rows = np.flatnonzero(lacking.any(axis=(0, 1)))
        # A batch holds all variants of its rows, so that no row is encoded twice.
        step = max(1, batch_size // len(chunk.views))
        for start in range(0, len(rows), step):
            here, ends = rows[start : start + step], start + step >= len(rows)
            yield partial(_make_batch, chunk.take(here), lacking[:, :, here], ends_chunk=ends)


def _make_batch(rows: Rows, lacking: NDArray[np.bool_], *, ends_chunk: bool) -> _Batch:
    with locating_errors(rows.numbers):
        encoded = checked_encode(rows.reader, rows.values)
    # The rows of the first variant, then those of the next, without those that no folder lacks.
    wanted: NDArray[np.bool_] = np.any(lacking, axis=0)
    parts, digests = [], []
    for view, keys, is_here in zip(rows.views, rows.variants, wanted, strict=True):
        here = np.flatnonzero(is_here)
        if not here.size:
            continue
        digests += [keys[row] for row in here]
        part = encoded[here]
        if view is not None:
            contents = [rows.digests[row] for row in here]
            part = rows.reader.augmentation.apply(part, contents, np.full(here.size, view))
        parts.append(part)
    return _Batch(
        encoded=parts[0] if len(parts) == 1 else np.concatenate(parts),
        digests=digests,
        numbers=np.concatenate([rows.numbers[here] for here in wanted]),
        lacking=[lacks[wanted] for lacks in lacking],
        ends_chunk=ends_chunk,
    )


def _read_ahead(plan: Iterator[Callable[[], _Batch]]) -> Iterator[_Batch]:
    """Yield batches, and make the next one while the models process the current one.

    More than one batch ahead would take memory, and cores that the backbone uses.
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


def _check_shape(declared: tuple[int | None, ...], received: tuple[int, ...], name: str) -> None:
    sizes = zip(declared[1:], received[1:], strict=False)
    if len(declared) != len(received) or any(size not in (None, own) for size, own in sizes):
        msg = (
            f"A layer of the backbone of {name!r} declares the output shape {tuple(declared)} and "
            f"returns {tuple(received)}, so its output cannot be stored. Train no layers of this "
            "backbone, or all of them with trainable_layers='all'."
        )
        raise ModalityError(msg)


def _check_finite(features: NDArray[np.float32], numbers: NDArray[np.intp], name: str) -> None:
    finite = np.isfinite(features.reshape(len(features), -1)).all(axis=1)
    if not finite.all():
        number = int(numbers[~finite][0])
        msg = (
            f"The backbone of {name!r} returns features that are not finite, first in row {number} "
            "(from 0). Are its weights damaged, or its numbers too large for half precision?"
        )
        raise ModalityError(msg, row=number)
