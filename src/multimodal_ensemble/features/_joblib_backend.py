"""Feature extraction in the worker processes of a joblib backend, such as loky, Dask or Ray."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import joblib
import keras

from multimodal_ensemble._joblib import call_in_workers
from multimodal_ensemble.features._contents import backbone_path
from multimodal_ensemble.features._extraction import (
    Rows,
    Target,
    compute_chunks,
)
from multimodal_ensemble.features._fingerprint import model_fingerprint
from multimodal_ensemble.features._leases import Lease
from multimodal_ensemble.features._shards import ShardFolder
from multimodal_ensemble.features._size_limit import SizeLimit

# A backend may run several tasks in threads of one process. Two of them overlap: one reads while
# the backbone, which uses all cores anyway, computes the other. More would only take memory.
_TWO_AT_A_TIME = threading.BoundedSemaphore(2)
_ONE_AT_A_TIME = threading.Lock()
# The end of a pass waits for at most the last block of each worker.
_BLOCKS_PER_WORKER = 4


@dataclass(frozen=True)
class _ModelFile:
    """A saved model; files of equal models are equal."""

    fingerprint: str
    path: Path = field(compare=False)


def choose_block_size(n_rows: int, at_most: int, batch_size: int) -> int:
    """Return how many rows a task has: whole batches, and some blocks for each worker.

    Workers take a block whenever they are free, and a pass waits for the last one.
    """
    n_workers = int(joblib.effective_n_jobs(None))
    if n_workers == 1:
        return at_most
    n_batches = math.ceil(n_rows / (_BLOCKS_PER_WORKER * n_workers * batch_size))
    return min(at_most, n_batches * batch_size)


def compute_in_workers(
    chunks: Sequence[Rows],
    targets: Sequence[Target],
    batch_size: int,
    report: Callable[[int], None],
    *,
    lease: Lease,
    root: Path,
    max_bytes: int | None,
) -> int:
    """Compute chunks like `compute_chunks`, in the workers that the caller chose.

    The workers write to the store themselves. Finished chunks are therefore kept whatever happens
    to a worker or to this process, and the backend repeats the task of a lost worker in another.
    """
    # The working directory of a worker may be another one.
    root = root.absolute()
    with _model_files(targets, lease) as files:
        # Models are too large to be sent with each task.
        folders = [
            [(folder.folder.absolute(), folder.dtype) for folder in target.folders]
            for target in targets
        ]
        sent = list(zip(files, folders, strict=True))
        count = 0
        n_rows = sum(len(rows) for rows in chunks)
        tasks = ((rows, sent, batch_size, root, max_bytes, n_rows) for rows in chunks)
        for done, names in call_in_workers(_run_task, tasks):
            count += done
            lease.protect(names)
            report(done)
    return count


@contextmanager
def _model_files(targets: Sequence[Target], lease: Lease) -> Iterator[list[_ModelFile]]:
    """Save the models in folders of their features for the duration of a pass.

    The lease of the pass, whose token is in their names, keeps them from being pruned.
    """
    files: list[_ModelFile] = []
    try:
        for target in targets:
            folder = target.folders[0].folder.absolute()
            folder.mkdir(parents=True, exist_ok=True)
            path = backbone_path(folder, lease.token)
            files.append(_ModelFile(model_fingerprint(target.model), path))
            target.model.save(path)
        yield files
    finally:
        for file in files:
            with suppress(OSError):
                file.path.unlink()


def _run_task(
    rows: Rows,
    sent: Sequence[tuple[_ModelFile, list[tuple[Path, str]]]],
    batch_size: int,
    root: Path,
    max_bytes: int | None,
    n_rows: int,
) -> tuple[int, list[str]]:
    """Compute one chunk of a pass of `n_rows`, without the rows that another worker has finished.

    Return the number of rows and the names of the new shards, for the lease.
    """
    names = []

    def on_write(path: Path) -> None:
        names.append(f"{path.parent.name}/{path.name}")
        with _ONE_AT_A_TIME:
            limit.add(path)

    with _TWO_AT_A_TIME:
        with _ONE_AT_A_TIME:
            limit = _open_limit(root, max_bytes)
            targets = [
                Target(_load_model(file), [_open_shards(*folder) for folder in folders])
                for file, folders in sent
            ]
        count = compute_chunks(
            [rows],
            targets,
            batch_size,
            on_write=on_write,
            n_rows=n_rows,
            predicting=_ONE_AT_A_TIME,
        )
    return count, names


@lru_cache(maxsize=16)
def _load_model(file: _ModelFile) -> keras.Model:
    """Load a model once per process, also if several passes use it."""
    import multimodal_ensemble.encoders  # noqa: F401 - registers the package's layers with Keras

    return keras.models.load_model(file.path, safe_mode=True)


@lru_cache(maxsize=16)
def _open_shards(folder: Path, dtype: str) -> ShardFolder:
    """Open a folder once per process, so that only new shards are indexed for each task."""
    return ShardFolder(folder, dtype)


@lru_cache(maxsize=16)
def _open_limit(root: Path, max_bytes: int | None) -> SizeLimit:
    """Open an account once per process, so that not every task lists the store."""
    return SizeLimit(root, max_bytes)
