"""Calls in the worker processes of the joblib backend that the caller chose."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import joblib
from sklearn.utils.parallel import Parallel, delayed


def has_worker_processes() -> bool:
    """Return whether the caller chose workers in other processes with `joblib.parallel_config`."""
    backend, _ = joblib.parallel.get_active_backend()
    # Threads of this process gain nothing, because TensorFlow uses all cores.
    if getattr(backend, "supports_sharedmem", False) or _is_in_dask_worker():
        return False
    # Backends of joblib, and that of Ray, which extends one, do a single job in this process.
    classes = type(backend).__mro__
    does_one_job_here = classes[0].__module__.startswith("joblib._parallel_backends") or any(
        each.__name__ == "MultiprocessingBackend" for each in classes
    )
    return not does_one_job_here or joblib.effective_n_jobs(None) > 1


def _is_in_dask_worker() -> bool:
    """Return whether this is a task on Dask, such as a fold of a cross-validation.

    joblib would send its calls to the other workers, which are busy with such tasks themselves.
    """
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return False
    try:
        distributed.get_worker()
    except ValueError:
        return False
    return True


def call_in_workers(
    function: Callable[..., Any], arguments: Iterable[tuple[Any, ...]]
) -> Iterator[Any]:
    """Yield the results of calls as they finish; a worker takes one whenever it is free."""
    backend, _ = joblib.parallel.get_active_backend()
    streams = getattr(backend, "supports_return_generator", False)
    # joblib would join short calls, and a slow worker would then hold several.
    parallel = Parallel(return_as="generator_unordered" if streams else "list", batch_size=1)
    yield from parallel(delayed(function)(*each) for each in arguments)
