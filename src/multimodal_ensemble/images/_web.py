"""Images at addresses of the web, fetched within limits."""

from __future__ import annotations

import io
import socket
import ssl
import threading
import time
from collections import OrderedDict
from contextlib import closing
from functools import cache
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from multimodal_ensemble.images._downloads import DOWNLOADS
from multimodal_ensemble.images._fetch_options import FetchOptions
from multimodal_ensemble.images._public_address import connect, seconds_left

_PORTS = {"http": 80, "https": 443}
_REDIRECTS = {301, 302, 303, 307, 308}
_PLAIN_TYPES = {"application/octet-stream", "binary/octet-stream"}
_HEADERS = {
    "Accept": "image/*",
    "Accept-Encoding": "identity",
    "Connection": "close",
    "User-Agent": "multimodal-ensemble",
}
# What may stand in a path as it is; everything else is quoted.
_SAFE = "%/:=&?~+!$,;'@()*[]"
_SECONDS_UNTIL_NEXT_TRY = 60
_REMEMBERED_FAILURES = 10_000


def read_web(address: str, options: FetchOptions) -> bytes:
    """Return the file at an address, which this process fetches only once.

    Raises
    ------
    OSError
        If it is not fetched; the message says why. The same error follows for a minute.
    """
    content = DOWNLOADS.get(address)
    if content is None:
        _FAILURES.check(address, options)
        try:
            content = fetch_file(address, options)
        except OSError as error:
            _FAILURES.keep(address, options, error)
            raise
        DOWNLOADS.keep(address, content)
    return content


def fetch_file(address: str, options: FetchOptions) -> bytes:
    """Return the file at an address, which is asked for each time.

    Parameters
    ----------
    address : str
        Such as ``"https://example.org/4.jpg"``.
    options : FetchOptions
        The limits.

    Returns
    -------
    bytes
        The content of the file.

    Raises
    ------
    OSError
        If it is not fetched within the limits; the message says why.

    Examples
    --------
    >>> from multimodal_ensemble.images import FetchOptions, fetch_file
    >>> fetch_file("http://127.0.0.1/4.jpg", FetchOptions())
    Traceback (most recent call last):
    PermissionError: the address of '127.0.0.1', 127.0.0.1, is not public
    """
    deadline = time.monotonic() + options.timeout
    try:
        for _ in range(options.max_redirects + 1):
            parts = _check_address(address, options)
            with closing(_connect(parts, deadline)) as connection:
                response = _ask(parts, _TimedSocket(connection, deadline))
                if response.status not in _REDIRECTS:
                    return _read(response, options)
                address = _follow(address, response)
    except TimeoutError as error:
        msg = f"it was not complete after {options.timeout:g} seconds"
        raise OSError(msg) from error
    except (OSError, MemoryError):
        raise
    except Exception as error:
        # Whatever http.client raises on answers that are not those of a web server.
        msg = f"the server's answer cannot be read ({type(error).__name__})"
        raise OSError(msg) from error
    msg = f"it needs more than {options.max_redirects} redirects"
    raise OSError(msg)


def _check_address(address: str, options: FetchOptions) -> SplitResult:
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError as error:
        msg = f"it is no valid address ({error})"
        raise OSError(msg) from error
    if parts.scheme not in ("http", "https") or not parts.hostname:
        msg = f"only addresses of http: and https: are fetched, and not {address[:80]!r}"
        raise OSError(msg)
    if "@" in parts.netloc:
        msg = "addresses with a user name or password are not fetched"
        raise OSError(msg)
    if options.hosts is not None and parts.hostname not in {host.lower() for host in options.hosts}:
        msg = f"the server {parts.hostname!r} is not among the hosts of FetchOptions"
        raise OSError(msg)
    return parts


def _connect(parts: SplitResult, deadline: float) -> socket.socket:
    try:
        host = str(parts.hostname).encode("idna").decode("ascii")
    except UnicodeError as error:
        msg = f"{parts.hostname!r:.80} is no name of a server"
        raise OSError(msg) from error
    connection = connect(host, parts.port or _PORTS[parts.scheme], deadline)
    if parts.scheme == "http":
        return connection
    try:
        connection.settimeout(seconds_left(deadline))
        return _tls_context().wrap_socket(connection, server_hostname=host)
    except BaseException:
        connection.close()
        raise


def _ask(parts: SplitResult, connection: _TimedSocket) -> HTTPResponse:
    """Send the request on a connection that is made already."""
    kind = HTTPConnection if parts.scheme == "http" else HTTPSConnection
    client = kind(str(parts.hostname).encode("idna").decode("ascii"), parts.port)
    client.sock = connection
    target, query = (quote(part, safe=_SAFE) for part in (parts.path or "/", parts.query))
    client.request("GET", f"{target}?{query}" if query else target, None, _HEADERS)
    return client.getresponse()


@cache
def _tls_context() -> ssl.SSLContext:
    return ssl.create_default_context()


def _follow(address: str, response: HTTPResponse) -> str:
    location = response.getheader("Location")
    if not location:
        msg = f"the server answered {response.status} without a new address"
        raise OSError(msg)
    new = urljoin(address, location)
    if urlsplit(address).scheme == "https" and urlsplit(new).scheme == "http":
        msg = "it is redirected from https: to http:"
        raise OSError(msg)
    return new


def _read(response: HTTPResponse, options: FetchOptions) -> bytes:
    if response.status != 200:
        msg = f"the server answered {response.status}"
        raise OSError(msg)
    kind = response.headers.get_content_type() if response.getheader("Content-Type") else None
    if kind is not None and not kind.startswith("image/") and kind not in _PLAIN_TYPES:
        msg = f"the server sent {kind[:40]} in place of an image"
        raise OSError(msg)
    if response.getheader("Content-Encoding", "identity") != "identity":
        msg = "the server sent a compressed answer, which was not asked for"
        raise OSError(msg)
    declared = response.length
    if declared is None or declared <= options.max_bytes:
        content = response.read(options.max_bytes + 1)
        if declared is not None and len(content) < declared:
            msg = f"it is cut short: {len(content)} of {declared} bytes"
            raise OSError(msg)
        if len(content) <= options.max_bytes:
            return content
    msg = f"it is larger than max_bytes={options.max_bytes} of FetchOptions"
    raise OSError(msg)


class _TimedSocket:
    """A connection whose reading and writing end at one deadline, however slow the server is."""

    def __init__(self, connection: socket.socket, deadline: float) -> None:
        self._connection = connection
        self._deadline = deadline

    def sendall(self, data: Any) -> None:
        self._connection.settimeout(seconds_left(self._deadline))
        self._connection.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        del mode
        return io.BufferedReader(_TimedReader(self._connection, self._deadline))

    def close(self) -> None:
        """Do nothing: http.client closes a connection before the answer is read."""


class _TimedReader(io.RawIOBase):
    def __init__(self, connection: socket.socket, deadline: float) -> None:
        super().__init__()
        self._connection = connection
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._connection.settimeout(seconds_left(self._deadline))
        return self._connection.recv_into(buffer)


class _Failures:
    """Why addresses could not be fetched in the last minute."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._reasons: OrderedDict[Any, tuple[float, str]] = OrderedDict()

    def check(self, address: str, options: FetchOptions) -> None:
        """Raise the error of an address that failed a short time ago."""
        with self._lock:
            until, reason = self._reasons.get(self._key(address, options), (0.0, ""))
        if time.monotonic() < until:
            raise OSError(reason)

    def keep(self, address: str, options: FetchOptions, error: OSError) -> None:
        reason = error.strerror or str(error)
        with self._lock:
            until = time.monotonic() + _SECONDS_UNTIL_NEXT_TRY
            self._reasons[self._key(address, options)] = until, reason
            if len(self._reasons) > _REMEMBERED_FAILURES:
                self._reasons.popitem(last=False)

    def _key(self, address: str, options: FetchOptions) -> Any:
        return address, repr(options)


_FAILURES = _Failures()
