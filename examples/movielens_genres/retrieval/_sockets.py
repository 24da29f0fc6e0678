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
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection


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
        self._pools = _pools(sockets)
        super().__init__(pool_connections=2, pool_maxsize=1)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = self._pools
        return manager


def _pools(sockets: OpenSockets) -> dict[str, type[HTTPConnectionPool]]:
    class Plain(HTTPConnection):
        def getresponse(self) -> Any:
            sockets.use(self.sock)
            return super().getresponse()

    class Secure(HTTPSConnection):
        def getresponse(self) -> Any:
            sockets.use(self.sock)
            return super().getresponse()

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}
