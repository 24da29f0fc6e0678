"""Computing the features that a store lacks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import keras
import numpy as np

from multimodal_ensemble._progress import make_progress_bar
from multimodal_ensemble.features._extraction import ROWS_PER_SHARD, Rows, Target, compute_chunks
from multimodal_ensemble.features._folder import write_json
from multimodal_ensemble.features._joblib_backend import compute_in_workers, has_worker_processes
from multimodal_ensemble.features._request import Request
from multimodal_ensemble.features._upkeep import DESCRIPTION, keep_within


def compute_missing(
    requests: Sequence[Request],
    *,
    folder: Path,
    batch_size: int,
    max_bytes: int | None,
    verbose: int,
) -> int:
    """Compute the features that a store lacks; return how many rows went through a backbone.

    Requests that need the same encoded rows are computed together, so that each value is encoded
    once.
    """
    count = 0
    waiting = list(requests)
    while waiting:
        together = [request for request in waiting if request.encodes_like(waiting[0])]
        waiting = [request for request in waiting if request not in together]
        # Encoders with the same backbone share its pass.
        distinct: dict[Path, Request] = {}
        for request in together:
            distinct.setdefault(request.shards.folder, request)
        count += _compute_together(
            list(distinct.values()),
            folder=folder,
            batch_size=batch_size,
            max_bytes=max_bytes,
            verbose=verbose,
        )
    return count


def _compute_together(
    requests: Sequence[Request],
    *,
    folder: Path,
    batch_size: int,
    max_bytes: int | None,
    verbose: int,
) -> int:
    positions = sorted({position for request in requests for position in request.find_uncomputed()})
    if not positions:
        return 0
    for request in requests:
        _describe(request)
    first = requests[0]
    in_workers = has_worker_processes()
    rows = Rows(
        reader=first.encoder.without_backbone() if in_workers else first.encoder,
        values=first.values,
        digests=first.digests,
        variants=first.variants,
        views=first.views,
        numbers=np.arange(len(first.digests), dtype=np.intp),
    ).take(np.array(positions, dtype=np.intp))
    chunks = rows.split(ROWS_PER_SHARD)

    def make_room() -> None:
        if max_bytes is not None:
            keep_within(folder, max_bytes)

    targets = [Target(request.backbone, request.shards, make_room) for request in requests]
    with _show_progress(requests, positions, verbose) as report:
        if not in_workers:
            return compute_chunks(chunks, targets, batch_size, report)
        return compute_in_workers(
            chunks, targets, batch_size, report, root=folder.resolve(), max_bytes=max_bytes
        )


@contextmanager
def _show_progress(
    requests: Sequence[Request], positions: Sequence[int], verbose: int
) -> Iterator[Callable[[int], None]]:
    """Yield a function that adds finished rows to a progress bar with the rows per second."""
    if not verbose:
        yield lambda count: None
        return
    first = requests[0]
    total = sum(
        digests[position] not in index
        for index in [request.shards.index() for request in requests]
        for digests in first.variants
        for position in positions
    )
    networks = " and ".join(_network_name(request.backbone) for request in requests)
    print(
        f"Computing the features of {total} values of {first.encoder.name!r} with {networks}",
        flush=True,
    )
    rate = "images/s"
    bar = make_progress_bar(total, unit="image", rate=rate)
    start, done = time.perf_counter(), 0

    def report(count: int) -> None:
        nonlocal done
        done += count
        seconds = max(time.perf_counter() - start, 1e-9)
        bar.update(done, [(rate, done / seconds)])

    try:
        yield report
    except BaseException:
        print(f"\nStopped: {done} of {total} are kept in the store.", flush=True)
        raise


def _describe(request: Request) -> None:
    """Write a description of the features for people who look into the folder."""
    path = request.shards.folder / DESCRIPTION
    if path.exists():
        return
    encoder = request.encoder
    description = {
        "modality": encoder.name,
        "network": _network_name(request.backbone),
        "input_shape": encoder.input_shape,
        "feature_shape": request.feature_shape,
        "dtype": request.shards.dtype,
        "encoding": encoder.encoding_config(),
    }
    write_json(path, description)


def _network_name(backbone: keras.Model) -> str:
    inner = [layer.name for layer in backbone.layers if isinstance(layer, keras.Model)]
    return inner[0] if inner else str(backbone.name)
