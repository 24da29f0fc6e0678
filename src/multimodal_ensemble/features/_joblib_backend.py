"""Feature extraction in the worker processes of a joblib backend, such as loky, Dask or Ray."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import joblib
import keras

from multimodal_ensemble.features._extraction import Rows, Target, compute_chunks
from multimodal_ensemble.features._shards import ShardFolder
from multimodal_ensemble.features._upkeep import keep_within

# A backend may run several tasks in threads of one process. They would share a backbone, which
# uses all cores anyway.
_ONE_AT_A_TIME = threading.Lock()


def has_worker_processes() -> bool:
    """Return whether the caller chose workers in other processes with `joblib.parallel_config`."""
    backend, _ = joblib.parallel.get_active_backend()
    # Threads of this process gain nothing, because TensorFlow uses all cores.
    if getattr(backend, "supports_sharedmem", False):
        return False
    is_joblibs_own = type(backend).__module__.startswith("joblib._parallel_backends")
    return not is_joblibs_own or joblib.effective_n_jobs(None) > 1


@dataclass(frozen=True)
class _WorkerTarget:
    """A target as it is sent to a worker, with the backbone as a file."""

    backbone_file: Path
    folder: Path
    dtype: str


@dataclass(frozen=True)
class _Task:
    """One chunk of rows, and all that a worker needs to compute its features."""

    rows: Rows
    targets: list[_WorkerTarget]
    batch_size: int
    root: Path
    max_bytes: int | None


def compute_in_workers(
    chunks: Sequence[Rows],
    targets: Sequence[Target],
    batch_size: int,
    report: Callable[[int], None],
    *,
    root: Path,
    max_bytes: int | None,
) -> int:
    """Compute chunks like `compute_chunks`, in the workers that the caller chose.

    The workers write to the store themselves. Finished chunks are therefore kept whatever happens
    to a worker or to this process, and the backend repeats the task of a lost worker in another.
    """
    backend, _ = joblib.parallel.get_active_backend()
    streams = getattr(backend, "supports_return_generator", False)
    with _backbone_files(targets) as sent:
        parallel = joblib.Parallel(return_as="generator_unordered" if streams else "list")
        count = 0
        for done in parallel(
            joblib.delayed(_run_task)(_Task(rows, sent, batch_size, root, max_bytes))
            for rows in chunks
        ):
            count += done
            report(done)
    return count


@contextmanager
def _backbone_files(targets: Sequence[Target]) -> Iterator[list[_WorkerTarget]]:
    """Save the backbones in the folder of the store for the duration of a pass.

    They are too large to be sent with each task.
    """
    sent: list[_WorkerTarget] = []
    try:
        for target in targets:
            folder = target.shards.folder.resolve()
            folder.mkdir(parents=True, exist_ok=True)
            file = folder / f".backbone.{uuid.uuid4().hex}.keras"
            sent.append(_WorkerTarget(file, folder, target.shards.dtype))
            target.backbone.save(file)
        yield sent
    finally:
        for target_sent in sent:
            with suppress(OSError):
                target_sent.backbone_file.unlink()


def _run_task(task: _Task) -> int:
    """Compute one chunk in a worker, without the rows that another worker has finished."""

    def make_room() -> None:
        if task.max_bytes is not None:
            keep_within(task.root, task.max_bytes)

    with _ONE_AT_A_TIME:
        targets = [
            Target(
                _load_backbone(target.backbone_file),
                _open_shards(target.folder, target.dtype),
                make_room,
            )
            for target in task.targets
        ]
        return compute_chunks([task.rows], targets, task.batch_size)


@lru_cache(maxsize=16)
def _load_backbone(file: Path) -> keras.Model:
    """Load a backbone once per process; each pass has its own file names."""
    import multimodal_ensemble.encoders  # noqa: F401 - registers the package's layers with Keras

    return keras.models.load_model(file, safe_mode=True)


@lru_cache(maxsize=16)
def _open_shards(folder: Path, dtype: str) -> ShardFolder:
    """Open a folder once per process, so that only new shards are indexed for each task."""
    return ShardFolder(folder, dtype)
