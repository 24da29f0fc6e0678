"""``retrieve``: make a data folder of MovieLens files and what TMDB knows of the movies."""

import argparse
import functools
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .._errors import UsageError
from ._options import adder

_API_URL = "https://api.themoviedb.org/3"
_LIBRARIES = ("requests", "tenacity", "tqdm", "urllib3")
_MAX_CONNECTIONS = 100
_MAX_NUMBER = 10_000_000
_KEY_OPTIONS = ("--key", "--api-key", "--token", "--bearer-token")


def add_parser(commands: Any) -> None:
    """Add the command's options."""
    parser = commands.add_parser(
        "retrieve",
        help="get release dates, languages and posters for a MovieLens folder from TMDB",
        description="Get release dates, languages and posters from TMDB for the movies of a "
        "MovieLens folder. The key for TMDB is taken from the environment, TMDB_API_KEY or "
        "TMDB_BEARER_TOKEN, or from --key-file. It can be stopped and started again at any time.",
    )
    kept = "all answers are kept: run the same command again to go on"
    parser.set_defaults(execute=execute, kept=kept)
    add = adder(parser)
    add("--movielens", required=True, metavar="FOLDER", help="an unpacked MovieLens release")
    add("--out", required=True, metavar="FOLDER", help="the data folder to make or to go on with")
    add("--links", metavar="FILE", help="a links.csv in place of the one of the MovieLens folder")
    add("--poster-size", default="w185", metavar="SIZE", help="size of the posters, as TMDB has it")
    add("--key-file", metavar="FILE", help="a file that holds the key or bearer token alone")
    # So that one who tries it is told why not, without the key in the message.
    parser.add_argument(*_KEY_OPTIONS, dest="key", help=argparse.SUPPRESS)
    add("--rate", type=float, default=40.0, help="requests a second to the API, at most")
    add("--connections", type=int, default=16, metavar="N", help="requests at the same time")
    add(
        "--timeout",
        type=float,
        default=20.0,
        metavar="SECONDS",
        help="how long to wait for a part of an answer; a whole one may take three times as long",
    )
    add("--attempts", type=int, default=6, metavar="N", help="how often to ask until giving up")
    add(
        "--patience",
        type=float,
        default=600.0,
        metavar="SECONDS",
        help="how long TMDB may refuse all requests until the command ends",
    )
    add(
        "--api-url",
        metavar="URL",
        help=f"another address of the API (default: TMDB_API_URL in the environment or {_API_URL})",
    )
    add("--limit", type=int, metavar="N", help="take the first N movies only, for a try")
    add("--ask-again", action="store_true", help="ask again for what TMDB did not have before")
    add("--quiet", action="store_true", help="show no progress")


def execute(options: argparse.Namespace) -> int:
    """Run the command; return the exit status."""
    try:
        from ..retrieval import RequestPolicy, Settings, read_credential, retrieve
    except ModuleNotFoundError as error:
        if error.name not in _LIBRARIES:
            raise
        msg = f'retrieve needs the package {error.name!r}; run pip install ".[retrieve]".'
        raise UsageError(msg) from error
    if options.key is not None:
        msg = (
            "A key on the command line can be read by everybody on this machine; put it into the "
            "environment, as TMDB_API_KEY, or into a file, see --key-file."
        )
        raise UsageError(msg)
    _check_ranges(options)
    api_url = options.api_url or os.environ.get("TMDB_API_URL") or _API_URL
    settings = Settings(
        api_url=_check_url(api_url),
        poster_size=options.poster_size,
        policy=RequestPolicy(
            rate=options.rate,
            connections=options.connections,
            timeout=options.timeout,
            attempts=options.attempts,
            patience=options.patience,
        ),
        limit=options.limit,
        ask_again=options.ask_again,
        quiet=options.quiet,
    )
    return retrieve(
        Path(options.movielens),
        Path(options.out),
        settings,
        functools.partial(read_credential, options.key_file, os.environ),
        links=Path(options.links) if options.links else None,
    )


def _check_ranges(options: argparse.Namespace) -> None:
    for name in ("rate", "timeout", "patience"):
        # More than a year is what sockets do not take.
        if not 0 < (value := getattr(options, name)) < _MAX_NUMBER:
            msg = f"--{name} must be above 0 and below {_MAX_NUMBER:,}, not {value}."
            raise UsageError(msg)
    for name in ("connections", "attempts", "limit"):
        if (value := getattr(options, name)) is not None and value < 1:
            msg = f"--{name} must be at least 1, not {value}."
            raise UsageError(msg)
    if options.connections > _MAX_CONNECTIONS:
        msg = f"--connections must be at most {_MAX_CONNECTIONS}, not {options.connections}."
        raise UsageError(msg)


def _check_url(url: str) -> str:
    from ..retrieval import is_safe

    try:
        parts = urlsplit(url)
        # Reading it checks it.
        _ = parts.port
    except ValueError as error:
        msg = f"The address of the API is no URL; TMDB's is {_API_URL}."
        raise UsageError(msg) from error
    if parts.query or parts.fragment or "@" in parts.netloc:
        msg = (
            "The address of the API must be without user, query and fragment; the key has a place "
            "of its own, see --key-file."
        )
        raise UsageError(msg)
    if not is_safe(url):
        msg = (
            f"The address of the API must begin with https://, so that nobody reads the key on its "
            f"way, or with http:// and name this machine; received {url!r}."
        )
        raise UsageError(msg)
    return url.rstrip("/")
