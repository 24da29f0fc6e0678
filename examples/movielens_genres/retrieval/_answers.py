"""TMDB's answers, read without trust: an answer of another shape counts as none."""

import dataclasses
import ipaddress
import re
from typing import Any
from urllib.parse import urlsplit

from ._errors import KeyRefusedError, UnansweredError

# TMDB's own codes in the body: authentication failed, invalid key, suspended key.
_KEY_CODES = (3, 7, 10)


@dataclasses.dataclass(frozen=True)
class Configuration:
    """The address of the posters and their sizes."""

    image_url: str
    poster_sizes: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Details:
    """What TMDB knows about a movie; unknown texts are empty."""

    tmdb_id: int
    release_year: str
    language: str
    poster_path: str


def read_configuration(answer: dict[str, Any]) -> Configuration:
    """Read the answer of ``/configuration``."""
    images = _field(answer, "images", dict)
    url = _field(images, "secure_base_url" if images.get("secure_base_url") else "base_url", str)
    sizes = _field(images, "poster_sizes", list)
    are_texts = all(isinstance(size, str) and re.fullmatch("[a-z0-9]+", size) for size in sizes)
    if not are_texts or not re.fullmatch("[!-~]+", url) or not is_safe(url):
        raise UnansweredError(_without("images"))
    return Configuration(url.rstrip("/"), tuple(sizes))


def read_details(answer: dict[str, Any]) -> Details:
    """Read the fields that all answers about a movie share."""
    date = _field(answer, "release_date", str, optional=True)
    language = _field(answer, "original_language", str, optional=True)
    path = _field(answer, "poster_path", str, optional=True)
    tmdb_id = _field(answer, "id", int)
    for name, value, form in (
        ("id", str(tmdb_id), r"[0-9]{1,18}"),
        ("release_date", date, r"([0-9]{4}(-[0-9]{2}){0,2})?"),
        ("original_language", language, r"[A-Za-z-]{0,20}"),
        ("poster_path", path, r"(/(?!.{101})[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*)?"),
    ):
        if not re.fullmatch(form, value):
            raise UnansweredError(_without(name))
    return Details(
        tmdb_id=tmdb_id,
        release_year=date[:4],
        language=language,
        poster_path=path,
    )


def read_details_of(tmdb_id: str, answer: dict[str, Any]) -> Details:
    """Read the answer of ``/movie/{id}``."""
    details = read_details(answer)
    if str(details.tmdb_id) != tmdb_id:
        msg = "JSON about another movie"
        raise UnansweredError(msg)
    return details


def read_found(answer: dict[str, Any]) -> Details | None:
    """Read the answer of ``/find``: the first movie, if any."""
    results = _field(answer, "movie_results", list)
    if not results:
        return None
    if not isinstance(results[0], dict):
        raise UnansweredError(_without("movie_results"))
    # Lists of results omit an unknown date.
    return read_details({"release_date": None, **results[0]})


def check_success(answer: dict[str, Any]) -> None:
    """Raise if an answer reports an error."""
    if answer.get("success") is False:
        if answer.get("status_code") in _KEY_CODES:
            raise KeyRefusedError
        msg = "an error instead of the data"
        raise UnansweredError(msg)


def is_safe(url: str) -> bool:
    """Return whether an address is HTTPS or on this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    return bool(host) and (
        parts.scheme == "https" or (parts.scheme == "http" and is_loopback(host))
    )


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _field(answer: dict[str, Any], name: str, kind: type, *, optional: bool = False) -> Any:
    if name not in answer:
        raise UnansweredError(_without(name))
    value = answer[name]
    if value is None and optional:
        return kind()
    if not isinstance(value, kind) or isinstance(value, bool):
        raise UnansweredError(_without(name))
    return value


def _without(name: str) -> str:
    return f"JSON without a proper {name!r}"
