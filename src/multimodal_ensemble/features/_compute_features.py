"""Computing the features that a store lacks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from multimodal_ensemble._joblib import has_worker_processes
from multimodal_ensemble._keras import has_lambda
from multimodal_ensemble._progress import make_progress_bar
from multimodal_ensemble._tables import counted
from multimodal_ensemble.encoders import join_backbones
from multimodal_ensemble.features._compute_dtype import in_bfloat16
from multimodal_ensemble.features._contents import DESCRIPTION
from multimodal_ensemble.features._extraction import ROWS_PER_SHARD, Target, compute_chunks
from multimodal_ensemble.features._files import write_json
from multimodal_ensemble.features._joblib_backend import choose_block_size, compute_in_workers
from multimodal_ensemble.features._leases import Lease
from multimodal_ensemble.features._request import Request
from multimodal_ensemble.features._size_limit import SizeLimit
from multimodal_ensemble.features._upkeep import remove_leftovers


def compute_features(
    requests: Sequence[Request],
    *,
    folder: Path,
    lease: Lease,
    batch_size: int,
    max_bytes: int | None,
    verbose: int,
) -> int:
    """Compute the features that a store lacks; return how many rows went through a backbone.

    Requests that need the same encoded rows are computed together, so that each value is encoded
    once; backbones that begin with the same layers run these once. The lease protects all features
    of the requests from being pruned.
    """
    count = 0
    limit = SizeLimit(folder, max_bytes)

    def on_write(path: Path) -> None:
        lease.protect([f"{path.parent.name}/{path.name}"])
        limit.add(path)

    waiting = list(requests)
    while waiting:
        together = [request for request in waiting if request.encodes_like(waiting[0])]
        waiting = [request for request in waiting if request not in together]
        # Encoders with the same backbone share its pass.
        distinct: dict[Path, Request] = {}
        for request in together:
            distinct.setdefault(request.shards.folder, request)
        same_rows = list(distinct.values())
        positions = sorted({position for each in same_rows for position in each.find_uncomputed()})
        if not positions:
            continue
        if not lease.is_held:
            remove_leftovers(folder)
            lease.protect(name for request in requests for name in request.stored_names())
        for request in same_rows:
            _describe(request)
        rows = same_rows[0].rows
        # A function in a model does not reach other processes.
        in_workers = has_worker_processes() and not any(
            has_lambda(request.backbone) for request in same_rows
        )
        size = ROWS_PER_SHARD
        if in_workers:
            rows = replace(rows, reader=rows.reader.without_backbone())
            size = choose_block_size(len(positions) * len(rows.views), size, batch_size)
        chunks = rows.take(np.array(positions, dtype=np.intp)).split(size)
        targets = _make_targets(same_rows, joined=len(positions) > batch_size)
        if not targets:
            # Another thread or process has computed the rest meanwhile.
            continue
        with _show_progress(same_rows, targets, positions, verbose) as report:
            if in_workers:
                count += compute_in_workers(
                    chunks, targets, batch_size, report,
                    lease=lease, root=folder, max_bytes=max_bytes,
                )  # fmt: skip
            else:
                count += compute_chunks(
                    chunks, targets, batch_size, report,
                    on_write=on_write, n_rows=len(positions),
                )  # fmt: skip
    return count


def _make_targets(requests: Sequence[Request], *, joined: bool) -> list[Target]:
    """Return the models that compute the requested features.

    Making a joined model takes a second or two, as long as a batch or less takes twice.
    """
    targets = []
    for dtype in ("float32", "bfloat16"):
        here = [r for r in requests if r.compute_dtype == dtype and r.find_uncomputed()]
        backbones = [request.backbone for request in here]
        models = (
            join_backbones(backbones)
            if joined
            else [(backbone, [number]) for number, backbone in enumerate(backbones)]
        )
        targets += [
            Target(
                in_bfloat16(model) if dtype == "bfloat16" else model,
                [here[number].shards for number in numbers],
            )
            for model, numbers in models
        ]
    return targets


@contextmanager
def _show_progress(
    requests: Sequence[Request], targets: Sequence[Target], positions: Sequence[int], verbose: int
) -> Iterator[Callable[[int], None]]:
    """Yield a function that adds finished rows to a progress bar with the rows per second."""
    if not verbose:
        yield lambda count: None
        return
    rows = requests[0].rows
    total = sum(
        int((~np.all([folder.index().has(wanted) for folder in target.folders], axis=0)).sum())
        for target in targets
        for wanted in [[digests[position] for position in positions] for digests in rows.variants]
    )
    networks = " and ".join(
        dict.fromkeys(
            each.network_name
            if each.compute_dtype == "float32"
            else f"{each.network_name} in {each.compute_dtype}"
            for each in requests
        )
    )
    # Several networks, and several views, make several features of a value.
    in_all = "" if total == len(positions) else f", {total} in all"
    unit = rows.reader.unit
    print(
        f"Computing the features of {counted(len(positions), unit)} of {rows.reader.name!r} "
        f"with {networks}{in_all}",
        flush=True,
    )
    rate = f"{unit}s/s"
    bar = make_progress_bar(total, unit=unit, rate=rate)
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
    if not path.exists():
        encoder = request.rows.reader
        description = {
            "modality": encoder.name,
            "network": request.network_name,
            "compute_dtype": request.compute_dtype,
            "input_shape": encoder.input_shape,
            "feature_shape": request.feature_shape,
            "dtype": request.shards.dtype,
            "encoding": encoder.encoding_config(),
        }
        write_json(path, description)
