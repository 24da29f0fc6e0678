"""The key for TMDB: where it comes from, and that it goes nowhere else."""

import codecs
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

from requests import PreparedRequest
from requests.auth import AuthBase

from .._errors import UsageError

BEARER_VARIABLES = ("TMDB_BEARER_TOKEN", "TMDB_ACCESS_TOKEN")
KEY_VARIABLE = "TMDB_API_KEY"
HIDDEN = "[key hidden]"
_SETTINGS = "https://www.themoviedb.org/settings/api"
_MAX_BYTES = 10_000


class Credential(AuthBase):
    """A v3 key or a bearer token that signs requests and does not show itself.

    As an object of requests' own kind it also keeps requests from looking into ``~/.netrc``, whose
    entry would take the place of the token.
    """

    def __init__(self, secret: str, *, bearer: bool) -> None:
        self._secret = secret
        self.bearer = bearer

    def __repr__(self) -> str:
        return f"Credential({HIDDEN}, bearer={self.bearer})"

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Sign a request."""
        if self.bearer:
            request.headers["Authorization"] = f"Bearer {self._secret}"
        else:
            request.prepare_url(request.url, {"api_key": self._secret})
        return request

    @contextmanager
    def hidden_in_logs(self) -> Iterator[None]:
        """Blot the key out of whatever is logged; urllib3 logs whole addresses."""
        before = logging.getLogRecordFactory()

        def make(*args: Any, **kwargs: Any) -> logging.LogRecord:
            record = before(*args, **kwargs)
            with suppress(Exception):  # A malformed record is for its handler to complain of.
                text = record.getMessage()
                for shown in (self._secret, quote_plus(self._secret)):
                    text = text.replace(shown, HIDDEN)
                if text != record.getMessage():
                    record.msg, record.args = text, None
            return record

        logging.setLogRecordFactory(make)
        try:
            yield
        finally:
            logging.setLogRecordFactory(before)


def unsigned(request: PreparedRequest) -> PreparedRequest:
    """Return a request as it is; in place of a credential this keeps requests from ``~/.netrc``."""
    return request


def read_credential(key_file: str | None, environment: Mapping[str, str]) -> Credential:
    """Return the key of a file or, without one, of the environment.

    Raises
    ------
    UsageError
        If there is none, or it cannot be one. The message does not show it.
    """
    if key_file is not None:
        return _credential(_read(key_file), f"The file {key_file!r}", bearer=False)
    for name in (*BEARER_VARIABLES, KEY_VARIABLE):
        # Shells and CI set a variable to nothing where there is no value.
        if environment.get(name, "").strip():
            bearer = name in BEARER_VARIABLES
            return _credential(environment[name], f"The variable {name}", bearer=bearer)
    msg = (
        f"TMDB answers only with a key: set {KEY_VARIABLE} or {BEARER_VARIABLES[0]} in the "
        f"environment, or name a file that holds it with --key-file. {_SETTINGS} gives one away."
    )
    raise UsageError(msg)


def _credential(value: str, where: str, *, bearer: bool) -> Credential:
    value = value.strip()
    if not re.fullmatch(r"[!-~]+", value):
        what = "is blank" if not value else "holds blanks, line breaks or other than ASCII"
        msg = f"{where} {what}; it must be a key or a bearer token alone, as {_SETTINGS} shows it."
        raise UsageError(msg)
    if re.fullmatch(r"[0-9a-fA-F]{32}", value):
        bearer = False
    elif value.startswith("eyJ") or value.count(".") == 2:
        bearer = True
    return Credential(value, bearer=bearer)


def _read(key_file: str) -> str:
    try:
        with Path(key_file).open("rb") as file:
            raw = file.read(_MAX_BYTES).removeprefix(codecs.BOM_UTF8)
            return raw.decode("ascii", errors="replace")
    except OSError as error:
        # Without the name, which somebody may have taken for the place of the key.
        msg = (
            f"What --key-file names cannot be read ({error.strerror}); it must be the path of a "
            "file that holds the key, and not the key itself."
        )
        raise UsageError(msg) from error
