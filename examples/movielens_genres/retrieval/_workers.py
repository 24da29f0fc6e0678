"""Worker threads, and signals that end the work."""

import queue
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, Generic, NamedTuple, Self, TypeVar

Task = TypeVar("Task")


class Done(NamedTuple):
    """A finished task: its result, or the exception that it raised."""

    task: Any
    result: Any
    error: Exception | None


class Workers(Generic[Task]):
    """Threads that take tasks in the order of submission.

    They are daemons, so that a thread that hangs does not keep the interpreter from exiting.
    """

    def __init__(self, count: int, work: Callable[[Task], object]) -> None:
        self._work = work
        self._tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[Done] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._loop, daemon=True) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def submit(self, task: Task) -> None:
        """Submit a task."""
        self._tasks.put(task)

    def next_done(self, timeout: float) -> Done | None:
        """Return the next finished task; None after `timeout` seconds."""
        try:
            return self._done.get(timeout=timeout)
        except queue.Empty:
            return None

    def close(self, timeout: float) -> None:
        """End all threads, and wait at most `timeout` seconds for each."""
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join(timeout)

    def _loop(self) -> None:
        while (task := self._tasks.get()) is not None:
            try:
                done = Done(task, self._work(task), None)
            except Exception as error:
                done = Done(task, None, error)
            self._done.put(done)


class Interruption:
    """Records the first SIGINT or SIGTERM; the next one has its usual effect."""

    def __init__(self) -> None:
        self.came = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        # Python lets only the main thread set handlers.
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        self._restore()

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self.came = True
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            # None: the handler was not set by Python.
            signal.signal(number, handler or signal.SIG_DFL)
