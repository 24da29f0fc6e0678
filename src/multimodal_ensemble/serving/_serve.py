"""Running the server."""

from __future__ import annotations

import ipaddress
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from typing import Any

import uvicorn

from multimodal_ensemble.images import FetchOptions
from multimodal_ensemble.serving._make_app import make_app
from multimodal_ensemble.serving._serving_limits import ServingLimits

_LOCAL_NAMES = ("localhost", "127.0.0.1", "::1")
# Seconds after which an idle connection is closed.
_KEEP_ALIVE = 15
_MAX_PORT = 65535


def serve(
    model: Any,
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    limits: ServingLimits | None = None,
    background: Any = None,
    image_folder: str | PathLike[str] | None = None,
    fetch: FetchOptions | None = None,
    allowed_hosts: Sequence[str] = (),
    trusted_columns: tuple[str, ...] = (),
    report: Callable[[str], None] = print,
) -> None:
    """Answer requests over HTTP until the process receives SIGTERM or Ctrl-C.

    Requests that have begun are then finished. Uploads are never written to disk.

    Parameters
    ----------
    model : MultimodalEnsemble, MultimodalClassifier or path
        A fitted estimator, or the file of a saved one.
    host : str, default="127.0.0.1"
        Address to listen on. The default is reached from this machine alone; ``"0.0.0.0"`` from
        others too. The server knows no passwords and no encryption; put a proxy with both in front.
    port : int, default=8000
        Port to listen on; 0 for any free one.
    limits : ServingLimits, optional
        Bounds of a request and of all requests.
    background : DataFrame, optional
        As for `make_app`.
    image_folder : path, optional
        As for `make_app`.
    fetch : multimodal_ensemble.images.FetchOptions, optional
        As for `make_app`.
    allowed_hosts : sequence of str, default=()
        Further names by which the server may be addressed, such as that of a proxy in front of it.
        Without any, a server on loopback is addressed as ``localhost``, ``127.0.0.1``, ``::1`` or
        `host`, and another one by any name.
    trusted_columns : tuple of str, default=()
        As for `make_app`.
    report : callable, default=print
        Receives a line with the address of the server.

    Raises
    ------
    ValueError
        If `port` is no port, or as for `make_app`.
    OSError
        If the file cannot be read, or the address or port is not free.
    ArtefactError
        If the file cannot be loaded.

    See Also
    --------
    make_app : The same as an ASGI application.

    Examples
    --------
    >>> from multimodal_ensemble.serving import serve
    >>> serve("genres.mme")  # doctest: +SKIP
    Serving genres.mme at http://127.0.0.1:8000
    """
    limits = ServingLimits() if limits is None else limits
    if not 0 <= port <= _MAX_PORT:
        msg = f"port must be a number from 0 to {_MAX_PORT}. Received port={port!r}."
        raise ValueError(msg)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family) as listener:
        bound = listener.getsockname()[1]
        is_local = _is_local(host)
        allowed = (*_LOCAL_NAMES, host, *allowed_hosts)
        app = make_app(
            model,
            limits=limits,
            background=background,
            image_folder=image_folder,
            fetch=fetch,
            allowed_hosts=allowed if is_local or allowed_hosts else None,
            trusted_columns=trusted_columns,
        )
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE,
            # Idle connections also count here, unlike for max_concurrency.
            limit_concurrency=8 * limits.max_concurrency,
            timeout_graceful_shutdown=max(1, round(limits.timeout)),
        )
        name = model if isinstance(model, str | PathLike) else type(model).__name__
        shown = f"[{host}]" if ":" in host else host
        report(f"Serving {name} at http://{shown}:{bound}")
        if not is_local:
            report("Everyone who reaches this address can use the server.")
        with _ending_on_sigterm():
            uvicorn.Server(config).run(sockets=[listener])


def _is_local(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@contextmanager
def _ending_on_sigterm() -> Iterator[None]:
    """Return from the server after SIGTERM, which Uvicorn would send to the process again."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
