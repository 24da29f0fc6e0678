"""The key for TMDB: reading it, signing requests with it, and hiding it from logs."""

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
    """A v3 key or a bearer token that signs requests and is never printed.

    As a subclass of ``AuthBase`` it also keeps requests from reading ``~/.netrc``, whose entry
    would replace the token.
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
        """Remove the key from log messages; urllib3 logs whole addresses."""
        before = logging.getLogRecordFactory()

        def make(*args: Any, **kwargs: Any) -> logging.LogRecord:
            record = before(*args, **kwargs)
            with suppress(Exception):  # The handler reports a malformed record.
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
    """Return a request unchanged; used as a credential, this prevents reading ``~/.netrc``."""
    return request


def read_credential(key_file: str | None, environment: Mapping[str, str]) -> Credential:
    """Return the key from a file or, without one, from the environment.

    Raises
    ------
    UsageError
        If there is no key, or it has an invalid form. The message does not show it.
    """
    if key_file is not None:
        return _credential(_read(key_file), f"The file {key_file!r}", bearer=False)
    for name in (*BEARER_VARIABLES, KEY_VARIABLE):
        # Shells and CI set a variable to an empty text if there is no value.
        if environment.get(name, "").strip():
            bearer = name in BEARER_VARIABLES
            return _credential(environment[name], f"The variable {name}", bearer=bearer)
    msg = (
        f"TMDB requires a key: set {KEY_VARIABLE} or {BEARER_VARIABLES[0]} in the environment, or "
        f"name a file that holds it with --key-file. Keys are free, see {_SETTINGS}."
    )
    raise UsageError(msg)


def _credential(value: str, where: str, *, bearer: bool) -> Credential:
    value = value.strip()
    if not re.fullmatch(r"[!-~]+", value):
        what = "is blank" if not value else "contains blanks, line breaks or non-ASCII letters"
        msg = f"{where} {what}; it must hold only a key or a bearer token, as shown at {_SETTINGS}."
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
        # The message omits the name, because a user may have typed the key in its place.
        msg = (
            f"The file of --key-file cannot be read ({error.strerror}); the option takes the path "
            "of a file that holds the key, and not the key itself."
        )
        raise UsageError(msg) from error
