"""Feature extraction in the worker processes of a joblib backend, such as loky, Dask or Ray."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path

import joblib
import keras

from multimodal_ensemble.features._contents import backbone_path
from multimodal_ensemble.features._extraction import Rows, Target, compute_chunks
from multimodal_ensemble.features._leases import Lease
from multimodal_ensemble.features._shards import ShardFolder
from multimodal_ensemble.features._size_limit import SizeLimit

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
    backend, _ = joblib.parallel.get_active_backend()
    streams = getattr(backend, "supports_return_generator", False)
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
        for done, names in joblib.Parallel(return_as="generator_unordered" if streams else "list")(
            joblib.delayed(_run_task)(rows, sent, batch_size, root, max_bytes) for rows in chunks
        ):
            count += done
            lease.protect(names)
            report(done)
    return count


@contextmanager
def _model_files(targets: Sequence[Target], lease: Lease) -> Iterator[list[Path]]:
    """Save the models in folders of their features for the duration of a pass.

    The lease of the pass, whose token is in their names, keeps them from being pruned.
    """
    files: list[Path] = []
    try:
        for target in targets:
            folder = target.folders[0].folder.absolute()
            folder.mkdir(parents=True, exist_ok=True)
            files.append(backbone_path(folder, lease.token))
            target.model.save(files[-1])
        yield files
    finally:
        for file in files:
            with suppress(OSError):
                file.unlink()


def _run_task(
    rows: Rows,
    sent: Sequence[tuple[Path, list[tuple[Path, str]]]],
    batch_size: int,
    root: Path,
    max_bytes: int | None,
) -> tuple[int, list[str]]:
    """Compute one chunk in a worker, without the rows that another worker has finished.

    Return the number of rows and the names of the new shards, for the lease.
    """
    names = []
    limit = _open_limit(root, max_bytes)

    def on_write(path: Path) -> None:
        names.append(f"{path.parent.name}/{path.name}")
        limit.add(path)

    with _ONE_AT_A_TIME:
        targets = [
            Target(_load_model(file), [_open_shards(*folder) for folder in folders])
            for file, folders in sent
        ]
        return compute_chunks([rows], targets, batch_size, on_write=on_write), names


@lru_cache(maxsize=16)
def _load_model(file: Path) -> keras.Model:
    """Load a model once per process; each pass has its own file names."""
    import multimodal_ensemble.encoders  # noqa: F401 - registers the package's layers with Keras

    return keras.models.load_model(file, safe_mode=True)


@lru_cache(maxsize=16)
def _open_shards(folder: Path, dtype: str) -> ShardFolder:
    """Open a folder once per process, so that only new shards are indexed for each task."""
    return ShardFolder(folder, dtype)


@lru_cache(maxsize=16)
def _open_limit(root: Path, max_bytes: int | None) -> SizeLimit:
    """Open an account once per process, so that not every task lists the store."""
    return SizeLimit(root, max_bytes)
