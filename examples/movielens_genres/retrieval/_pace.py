"""The rate of requests to a host, and pauses between them."""

import threading
import time
from collections.abc import Callable

from ._errors import RefusedError, StoppedError

_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 300.0
# A server that asks for no pause still gets this one.
_SHORTEST_PAUSE = 0.1


class Pace:
    """Schedules the requests of all threads to one host.

    Parameters
    ----------
    rate : float
        Requests per second; ``inf`` for no limit.
    patience : float
        Seconds for which the host may refuse everything before `RefusedError` is raised.
    stop : Event
        Ends every wait, with `StoppedError`.
    clock : callable
        Returns the time in seconds.
    """

    def __init__(
        self,
        rate: float,
        patience: float,
        stop: threading.Event,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._interval = 1 / rate
        self._patience = patience
        self._stop = stop
        self._clock = clock
        self._lock = threading.Lock()
        self._next = clock()
        self._pause_ends = clock()
        self._pauses = 0
        self._growing = _FIRST_PAUSE
        self._refused_since: float | None = None

    def wait(self) -> int:
        """Wait for a turn; return a ticket, which `refused` needs."""
        while True:
            with self._lock:
                now, ticket = self._clock(), self._pauses
                turn = max(now, self._next)
                self._next = turn + self._interval
            if self._stop.is_set() or (turn > now and self._stop.wait(turn - now)):
                raise StoppedError
            with self._lock:
                # A pause that began meanwhile also applies to this request.
                if ticket == self._pauses:
                    return ticket

    def accepted(self) -> None:
        """Record that the host answered."""
        with self._lock:
            self._growing = _FIRST_PAUSE
            self._refused_since = None

    def refused(self, ticket: int, seconds: float | None) -> None:
        """Record that the host refused a request, and for how many seconds, if it said so.

        Raises
        ------
        RefusedError
            If the pause would exceed the patience, or every request was refused for that long.
        """
        with self._lock:
            now = self._clock()
            if self._refused_since is None:
                self._refused_since = now
            asked = seconds is not None
            if not asked:
                # Among parallel requests, only the first refusal lengthens the pauses.
                if ticket != self._pauses:
                    return
                seconds = self._growing
            seconds = max(seconds, _SHORTEST_PAUSE)
            if now + seconds > self._refused_since + self._patience:
                wait = f", and asks to wait {seconds:.0f} s more" if asked else ""
                msg = f"has refused every request for {now - self._refused_since:.0f} s{wait}"
                raise RefusedError(msg)
            if not asked:
                self._growing = min(2 * self._growing, _LONGEST_PAUSE)
            self._pause(now + seconds)

    def pause(self, seconds: float) -> None:
        """Make no request for a number of seconds, at most the patience."""
        with self._lock:
            self._pause(self._clock() + min(seconds, self._patience))

    def paused_for(self) -> float:
        """Return the remaining seconds of the pause."""
        with self._lock:
            return max(0.0, self._pause_ends - self._clock())

    def _pause(self, until: float) -> None:
        if until > self._pause_ends:
            self._pause_ends = until
            self._next = max(self._next, until)
            self._pauses += 1
