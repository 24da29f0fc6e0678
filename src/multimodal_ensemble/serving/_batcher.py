"""Rows of several requests are scored together, by one thread."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from multimodal_ensemble._validation import FloatArray
from multimodal_ensemble.exceptions import MultimodalEnsembleError
from multimodal_ensemble.serving._request_error import RequestError
from multimodal_ensemble.serving._row_values import Row

_LOG = logging.getLogger(__name__)


@dataclass(eq=False)
class _Job:
    """The rows of one request, or a call that the thread makes by itself."""

    rows: Sequence[Row] = ()
    call: Callable[[], Any] | None = None
    future: Future[Any] = field(default_factory=Future)


class Batcher:
    """One thread that scores what waits, because a model is used by one thread at a time.

    A request waits for others only if more than one was scored before, so that a single client
    waits for nobody.

    Parameters
    ----------
    score : callable
        Takes rows and returns scores of shape (n_rows, n_labels).
    max_rows : int
        Rows that are scored together.
    max_wait : float
        Seconds that requests wait for others.
    max_jobs : int
        Requests that may wait.
    observe : callable
        Takes the number of requests and of rows that were scored together.
    """

    def __init__(
        self,
        score: Callable[[Sequence[Row]], FloatArray],
        *,
        max_rows: int,
        max_wait: float,
        max_jobs: int,
        observe: Callable[[int, int], None],
    ) -> None:
        self._score = score
        self._max_rows = max_rows
        self._max_wait = max_wait
        self._max_jobs = max_jobs
        self._observe = observe
        self._jobs: deque[_Job] = deque()
        self._n_last = 1
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self.is_stopping = False

    def score(self, rows: Sequence[Row]) -> Future[FloatArray]:
        """Return the future scores of some rows.

        Raises
        ------
        RequestError
            If too many requests wait, or the server stops.
        """
        return self._submit(_Job(rows))

    def call(self, function: Callable[[], Any]) -> Future[Any]:
        """Return the future result of a function that uses the model."""
        return self._submit(_Job(call=function))

    def stop(self) -> None:
        """Finish what waits, and end the thread."""
        with self._changed:
            self.is_stopping = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    @property
    def n_waiting(self) -> int:
        """Number of requests that wait."""
        return len(self._jobs)

    def _submit(self, job: _Job) -> Future[Any]:
        with self._changed:
            if self.is_stopping:
                raise RequestError(503, "the server is shutting down")
            if len(self._jobs) >= self._max_jobs:
                # Requests that were given up wait no longer.
                self._jobs = deque(job for job in self._jobs if not job.future.cancelled())
            if len(self._jobs) >= self._max_jobs:
                raise RequestError(503, f"{len(self._jobs)} requests wait already; try again later")
            self._jobs.append(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="model", daemon=True)
                self._thread.start()
            self._changed.notify_all()
        return job.future

    def _work(self) -> None:
        while batch := self._next_batch():
            started = [job for job in batch if job.future.set_running_or_notify_cancel()]
            if started:
                self._run(started)

    def _next_batch(self) -> list[_Job]:
        """Return the requests to answer next; none when the server stops."""
        with self._changed:
            while not self._jobs and not self.is_stopping:
                self._changed.wait()
            if not self._jobs:
                return []
            if self._jobs[0].call is not None:
                return [self._jobs.popleft()]
            deadline = time.monotonic() + self._max_wait
            while len(self._jobs) < self._n_last and not self.is_stopping:
                if (left := deadline - time.monotonic()) <= 0:
                    break
                self._changed.wait(left)
            batch = [self._jobs.popleft()]
            n_rows = len(batch[0].rows)
            while self._jobs and self._jobs[0].call is None:
                n_rows += len(self._jobs[0].rows)
                if n_rows > self._max_rows:
                    break
                batch.append(self._jobs.popleft())
            self._n_last = len(batch)
            return batch

    def _run(self, jobs: list[_Job]) -> None:
        """Score some requests together; an error is that of the request with the row at fault."""
        rows = [row for job in jobs for row in job.rows]
        call = jobs[0].call
        try:
            result: Any = self._score(rows) if call is None else call()
        except Exception as error:
            if len(jobs) == 1:
                jobs[0].future.set_exception(_explain(error))
                return
            bad = _job_of(jobs, getattr(error, "row", None))
            parts = [[job] for job in jobs] if bad is None else [[bad], [*_others(jobs, bad)]]
            for part in parts:
                self._run(part)
            return
        if call is not None:
            jobs[0].future.set_result(result)
            return
        self._observe(len(jobs), len(rows))
        start = 0
        for job in jobs:
            job.future.set_result(result[start : start + len(job.rows)])
            start += len(job.rows)


def _job_of(jobs: Sequence[_Job], row: Any) -> _Job | None:
    """Return the request that has a row of the batch."""
    if not isinstance(row, int) or row < 0:
        return None
    for job in jobs:
        if row < len(job.rows):
            return job
        row -= len(job.rows)
    return None


def _others(jobs: Sequence[_Job], bad: _Job) -> list[_Job]:
    return [job for job in jobs if job is not bad]


def _explain(error: Exception) -> Exception:
    """Return what the client learns about an error of the model."""
    if isinstance(error, RequestError):
        return error
    if isinstance(error, MultimodalEnsembleError):
        return RequestError(422, str(error), row=getattr(error, "row", None))
    if isinstance(error, MemoryError):
        return RequestError(503, "the server has too little memory for this request")
    _LOG.error("The model failed for a request.", exc_info=error)
    return RequestError(500, "the model cannot answer this request; the server's log says why")
