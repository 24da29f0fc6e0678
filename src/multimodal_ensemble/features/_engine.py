"""Feature extraction on the workers of an engine: joblib's own processes, Dask, Ray."""

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

# An engine may run several pieces of work in threads of one process, and they would share a
# backbone: it uses all cores anyway.
_ONE_AT_A_TIME = threading.Lock()


def has_engine() -> bool:
    """Return whether the caller chose workers in other processes with `joblib.parallel_config`."""
    backend, _ = joblib.parallel.get_active_backend()
    # Threads of this process gain nothing: TensorFlow uses all cores by itself.
    if getattr(backend, "supports_sharedmem", False):
        return False
    is_joblibs_own = type(backend).__module__.startswith("joblib._parallel_backends")
    return not is_joblibs_own or joblib.effective_n_jobs(None) > 1


@dataclass(frozen=True)
class _WorkerTarget:
    """A target as it is sent to a worker: the backbone lies in the store's folder."""

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


def compute_on_engine(
    chunks: Sequence[Rows],
    targets: Sequence[Target],
    batch_size: int,
    report: Callable[[int], None],
    *,
    root: Path,
    max_bytes: int | None,
) -> int:
    """Do what `compute_chunks` does on the workers of the engine that the caller chose.

    Workers write into the store themselves. So what is finished stays whatever happens to a
    worker, or to this process, and the engine gives the piece of a lost worker to another one.
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
    """Lay the backbones into the store's folder, where workers find them, for the time of a pass.

    They are too large to be sent with each piece of work.
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
        for laid in sent:
            with suppress(OSError):
                laid.backbone_file.unlink()


def _run_task(task: _Task) -> int:
    """Compute one chunk in a worker; what another one has finished meanwhile is left out."""

    def room() -> None:
        if task.max_bytes is not None:
            keep_within(task.root, task.max_bytes)

    with _ONE_AT_A_TIME:
        targets = [
            Target(_load_backbone(target.backbone_file), _open(target.folder, target.dtype), room)
            for target in task.targets
        ]
        return compute_chunks([task.rows], targets, task.batch_size)


@lru_cache(maxsize=16)
def _load_backbone(file: Path) -> keras.Model:
    """Load a backbone once a process; a file's name is of one pass only."""
    import multimodal_ensemble.encoders  # noqa: F401 - registers the package's layers with Keras

    return keras.models.load_model(file, safe_mode=True)


@lru_cache(maxsize=16)
def _open(folder: Path, dtype: str) -> ShardFolder:
    """Open a folder once a process, so that its index need only be brought up to date."""
    return ShardFolder(folder, dtype)
