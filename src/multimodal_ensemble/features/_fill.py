"""Filling a store with what is missing of some requests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from multimodal_ensemble.features._engine import compute_on_engine, has_engine
from multimodal_ensemble.features._extraction import ROWS_A_SHARD, Rows, Target, compute_chunks
from multimodal_ensemble.features._folder import write_json
from multimodal_ensemble.features._progress import ExtractionProgress
from multimodal_ensemble.features._request import Request
from multimodal_ensemble.features._upkeep import DESCRIPTION, keep_within


def fill(
    requests: Sequence[Request],
    *,
    folder: Path,
    batch_size: int,
    max_bytes: int | None,
    verbose: int,
) -> int:
    """Compute what is missing; return how many rows went through a backbone.

    Requests that the same encoded rows serve are computed together: each value is encoded once.
    """
    count = 0
    waiting = list(requests)
    while waiting:
        first = waiting[0]
        together = [request for request in waiting if request.reads_like(first)]
        waiting = [request for request in waiting if request not in together]
        # Encoders with the same backbone share its pass.
        distinct: dict[Path, Request] = {}
        for request in together:
            distinct.setdefault(request.shards.folder, request)
        count += _fill_together(
            list(distinct.values()),
            folder=folder,
            batch_size=batch_size,
            max_bytes=max_bytes,
            verbose=verbose,
        )
    return count


def _fill_together(
    requests: Sequence[Request],
    *,
    folder: Path,
    batch_size: int,
    max_bytes: int | None,
    verbose: int,
) -> int:
    positions = sorted({position for request in requests for position in request.missing()})
    if not positions:
        return 0
    for request in requests:
        _describe(request)
    first = requests[0]
    on_engine = has_engine()
    rows = Rows(
        reader=first.encoder.without_backbone() if on_engine else first.encoder,
        values=first.values,
        digests=first.digests,
        variants=first.variants,
        views=first.views,
        numbers=np.arange(len(first.digests), dtype=np.intp),
    ).take(np.array(positions, dtype=np.intp))
    chunks = rows.chunks(ROWS_A_SHARD)

    def make_room() -> None:
        if max_bytes is not None:
            keep_within(folder, max_bytes)

    targets = [Target(request.backbone, request.shards, make_room) for request in requests]
    total = sum(
        digests[position] not in index
        for index in [request.shards.index() for request in requests]
        for digests in first.variants
        for position in positions
    )
    names = " and ".join(_network_name(request.backbone) for request in requests)
    with ExtractionProgress(first.encoder.name, names, total, verbose) as progress:
        if not on_engine:
            return compute_chunks(chunks, targets, batch_size, progress.add)
        return compute_on_engine(
            chunks,
            targets,
            batch_size,
            progress.add,
            root=folder.resolve(),
            max_bytes=max_bytes,
        )


def _describe(request: Request) -> None:
    """Say to a person who looks into the folder what its features are of."""
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
