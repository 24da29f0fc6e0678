"""Connections that another thread can end.

The timeouts of requests and urllib3 hold for a single read; a server that sends a byte now and
then would hold its worker for ever.
"""

import socket
import threading
import time
from contextlib import suppress
from typing import Any

from requests.adapters import HTTPAdapter


class OpenSockets:
    """The socket on which each thread awaits an answer, and until when it may."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[int, tuple[Any, float]] = {}

    def begin(self, until: float) -> None:
        """Say that this thread makes a request, and until when it may take."""
        with self._lock:
            self._open[threading.get_ident()] = (None, until)

    def use(self, sock: Any) -> None:
        """Name the socket of this thread's request."""
        with self._lock:
            _, until = self._open.get(threading.get_ident(), (None, float("inf")))
            self._open[threading.get_ident()] = (sock, until)

    def end(self) -> None:
        """Say that this thread's request is over."""
        with self._lock:
            self._open.pop(threading.get_ident(), None)

    def shut(self, *, late_at: float | None = None) -> None:
        """End the requests that are late by now (a time of the monotonic clock), or all."""
        with self._lock:
            for sock, until in self._open.values():
                if late_at is None or until < late_at:
                    # Not the method of TLS sockets, which takes the TLS away under the reader.
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
        # Each kind of pool has connections of its own kind: plain, secure, or through SOCKS.
        if "ConnectionCls" not in vars(pool):
            pool.ConnectionCls = _naming(pool.ConnectionCls, self._sockets)
        return pool


def _naming(kind: type, sockets: OpenSockets) -> type:
    """Return a kind of connection that names its socket when it begins to await an answer."""

    class Naming(kind):
        def getresponse(self) -> Any:
            sockets.use(self.sock)
            return super().getresponse()

    return Naming
