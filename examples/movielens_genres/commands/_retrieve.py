"""Get release dates, languages and posters from TMDB for the movies of a MovieLens folder.

The key for TMDB comes from the environment, TMDB_API_KEY or TMDB_BEARER_TOKEN, or from --key-file.
The command can be stopped and started again at any time.
"""

import argparse
import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from .._errors import UsageError
from ._command import Add, Command, check_at_least

if TYPE_CHECKING:
    from ..retrieval import RetrieveOptions

API_URL = "https://api.themoviedb.org/3"
REQUIREMENTS = "examples/movielens_genres/retrieval/requirements.txt"
_REQUIRED = ("requests", "tenacity", "tqdm", "urllib3")
_MAX_CONNECTIONS = 100
_MAX_NUMBER = 10_000_000
_KEY_OPTIONS = ("--key", "--api-key", "--token", "--bearer-token")


def _add_arguments(add: Add) -> None:
    add("--movielens", required=True, metavar="FOLDER", help="an unpacked MovieLens release")
    add("--out", required=True, metavar="FOLDER", help="the data folder to make or to continue")
    add("--links", metavar="FILE", help="a links.csv in place of the one of the MovieLens folder")
    add("--poster-size", default="w185", metavar="SIZE", help="one of TMDB's poster sizes")
    add("--key-file", metavar="FILE", help="a file that holds only the key or the bearer token")
    # These exist so that their error explains where the key belongs, without printing it.
    add(*_KEY_OPTIONS, dest="key", help=argparse.SUPPRESS)
    add("--rate", type=float, default=40.0, help="requests to the API per second, at most")
    add("--connections", type=int, default=16, metavar="N", help="number of parallel requests")
    add(
        "--timeout",
        type=float,
        default=20.0,
        metavar="SECONDS",
        help="time to wait for a part of an answer; a whole answer may take three times as long",
    )
    add("--attempts", type=int, default=6, metavar="N", help="number of attempts per request")
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
        help=f"another address of the API (default: TMDB_API_URL in the environment or {API_URL})",
    )
    add("--limit", type=int, metavar="N", help="retrieve only the first N movies, as a trial")
    add("--ask-again", action="store_true", help="ask again for what TMDB did not have before")
    add("--quiet", action="store_true", help="show no progress")


def _parse(values: argparse.Namespace) -> "RetrieveOptions":
    try:
        from ..retrieval import RequestPolicy, RetrieveOptions, read_credential
    except ModuleNotFoundError as error:
        if error.name not in _REQUIRED:
            raise
        msg = f"retrieve needs the package {error.name!r}; run pip install -r {REQUIREMENTS}."
        raise UsageError(msg) from error
    if values.key is not None:
        msg = (
            "A key on the command line can be read by everybody on this machine; put it into the "
            "environment, as TMDB_API_KEY, or into a file, see --key-file."
        )
        raise UsageError(msg)
    _check_ranges(values)
    return RetrieveOptions(
        movielens=Path(values.movielens),
        out=Path(values.out),
        links=Path(values.links) if values.links else None,
        find_credential=functools.partial(read_credential, values.key_file, os.environ),
        api_url=_check_url(values.api_url or os.environ.get("TMDB_API_URL") or API_URL),
        poster_size=values.poster_size,
        policy=RequestPolicy(
            rate=values.rate,
            connections=values.connections,
            timeout=values.timeout,
            attempts=values.attempts,
            patience=values.patience,
        ),
        limit=values.limit,
        ask_again=values.ask_again,
        quiet=values.quiet,
    )


def _execute(options: "RetrieveOptions") -> int:
    from ..retrieval import retrieve

    return retrieve(options)


def _check_ranges(values: argparse.Namespace) -> None:
    for name in ("rate", "timeout", "patience"):
        # Sockets do not accept timeouts of more than a year.
        if not 0 < (value := getattr(values, name)) < _MAX_NUMBER:
            msg = f"--{name} must be above 0 and below {_MAX_NUMBER:,}, not {value}."
            raise UsageError(msg)
    check_at_least(values, connections=1, attempts=1, limit=1)
    if values.connections > _MAX_CONNECTIONS:
        msg = f"--connections must be at most {_MAX_CONNECTIONS}, not {values.connections}."
        raise UsageError(msg)


def _check_url(url: str) -> str:
    from ..retrieval import is_safe

    try:
        parts = urlsplit(url)
        # Reading the port checks it.
        _ = parts.port
    except ValueError as error:
        msg = f"The address of the API is not a URL; TMDB's is {API_URL}."
        raise UsageError(msg) from error
    if parts.query or parts.fragment or "@" in parts.netloc:
        msg = (
            "The address of the API must have no user, query or fragment; the key belongs in the "
            "environment or in a file, see --key-file."
        )
        raise UsageError(msg)
    if not is_safe(url):
        msg = (
            "The address of the API must begin with https://, so that nobody can read the key on "
            f"its way, or with http:// and name this machine; received {url!r}."
        )
        raise UsageError(msg)
    return url.rstrip("/")


RETRIEVE = Command(
    "retrieve",
    __doc__,
    _add_arguments,
    _parse,
    _execute,
    kept="all answers are kept: run the same command again to continue",
)
