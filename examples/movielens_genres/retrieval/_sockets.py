"""Connections that another thread can end.

The timeouts of requests and urllib3 apply to a single read, so a server that sends a byte from
time to time would block its worker forever.
"""

import socket
import threading
import time
from contextlib import suppress
from typing import Any

from requests.adapters import HTTPAdapter


class OpenSockets:
    """The socket on which each thread waits for an answer, and its deadline."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[int, tuple[Any, float]] = {}

    def begin(self, until: float) -> None:
        """Record that this thread makes a request, with its deadline."""
        with self._lock:
            self._open[threading.get_ident()] = (None, until)

    def use(self, sock: Any) -> None:
        """Record the socket of this thread's request."""
        with self._lock:
            _, until = self._open.get(threading.get_ident(), (None, float("inf")))
            self._open[threading.get_ident()] = (sock, until)

    def end(self) -> None:
        """Record that this thread's request has ended."""
        with self._lock:
            self._open.pop(threading.get_ident(), None)

    def shut(self, *, late_at: float | None = None) -> None:
        """End the requests whose deadline is before `late_at` (monotonic clock), or all."""
        with self._lock:
            for sock, until in self._open.values():
                if late_at is None or until < late_at:
                    # The method of TLS sockets would remove the TLS while another thread reads.
                    with suppress(OSError, TypeError):
                        socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def adapter(self) -> HTTPAdapter:
        """Return an adapter for a session of one thread."""
        return _Adapter(self)

    def shut_late(self) -> None:
        """End the requests that have taken too long."""
        self.shut(late_at=time.monotonic())


class _Adapter(HTTPAdapter):
    def __init__(self, sockets: OpenSockets) -> None:
        self._sockets = sockets
        super().__init__(pool_connections=2, pool_maxsize=1)

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        pool = super().get_connection_with_tls_context(*args, **kwargs)
        # Each kind of pool has its own kind of connection: plain, TLS, or through SOCKS.
        if "ConnectionCls" not in vars(pool):
            pool.ConnectionCls = _naming(pool.ConnectionCls, self._sockets)
        return pool


def _naming(kind: type, sockets: OpenSockets) -> type:
    """Return a kind of connection that records its socket when it waits for an answer."""

    class Naming(kind):
        def getresponse(self) -> Any:
            sockets.use(self.sock)
            return super().getresponse()

    return Naming
