"""The command ``serve``."""

from __future__ import annotations

import argparse
import socket
from importlib import import_module
from pathlib import Path

from multimodal_ensemble.cli._arguments import (
    add_fetching,
    add_imports,
    add_model,
    modules_of,
    parse_port,
)
from multimodal_ensemble.cli._command import Add, Command
from multimodal_ensemble.cli._console import Console
from multimodal_ensemble.cli._errors import CommandError
from multimodal_ensemble.cli._imports import import_modules
from multimodal_ensemble.cli._row_reader import check_exists
from multimodal_ensemble.cli._startup import import_tensorflow


def _add_arguments(add: Add) -> None:
    add_model(add)
    add_imports(add)
    add("--host", default="127.0.0.1", metavar="ADDRESS", help="address to listen on")
    add("--port", type=parse_port, default=8000, metavar="N", help="port to listen on")
    add(
        "--allowed-hosts",
        nargs="+",
        default=[],
        metavar="NAME",
        help="further names of the server, such as that of a proxy in front of it",
    )
    add(
        "--trusted-columns",
        nargs="+",
        default=[],
        metavar="COLUMN",
        help="columns whose values, from requests, encoders of --import may read; they must open "
        "no files that values name",
    )
    add_fetching(add, "requests may name images by addresses of the web, which are fetched")


def _execute(values: argparse.Namespace, console: Console) -> None:
    check_exists(Path(values.model))
    check_address(values.host, values.port)
    import_tensorflow()
    try:
        serving = import_module("multimodal_ensemble.serving")
    except ImportError as error:
        msg = "The server needs further packages: pip install starlette uvicorn python-multipart."
        raise CommandError(msg) from error
    import_modules(modules_of(values))
    console.kept = "the server has stopped"
    from multimodal_ensemble.images import FetchOptions

    fetch = FetchOptions() if values.fetch_images else None
    serving.serve(
        values.model,
        host=values.host,
        port=values.port,
        fetch=fetch,
        allowed_hosts=values.allowed_hosts,
        trusted_columns=tuple(values.trusted_columns),
    )


def check_address(host: str, port: int) -> None:
    """Raise a CommandError if the server could not listen on an address, before anything slow."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        # The address is in the message already.
        reason = str(error.strerror or error).partition(" (while")[0]
        msg = (
            f"The server cannot listen on port {port} of {host!r}: {reason}. Name another port "
            "with --port, or another address with --host."
        )
        raise CommandError(msg) from error


SERVE = Command(
    "serve",
    "Answer requests over HTTP; needs the extra serve.\n"
    "The server listens on this machine alone unless --host says otherwise.",
    _add_arguments,
    _execute,
)
