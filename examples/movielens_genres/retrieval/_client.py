"""Requests to TMDB, with a limited rate, retries, and no key in any message."""

import email.utils
import json
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
import tenacity
from requests import exceptions

from ._answers import check_success, is_loopback
from ._errors import KeyRefusedError, StoppedError, UnansweredError
from ._key import Credential, unsigned
from ._options import RequestPolicy
from ._pace import Pace
from ._sockets import OpenSockets

T = TypeVar("T")

_MAX_JSON = 2 * 2**20
_MAX_POSTER = 50 * 2**20
_CHUNK = 2**14
_NO_PROXIES = {"http": None, "https": None, "all": None}
_LONGEST_BACKOFF = 30.0
# Statuses of requests that the server may accept later.
_PASSING = (408, 425)


class Client:
    """Asks the API and its image host; any number of threads can share it."""

    def __init__(
        self, api_url: str, credential: Credential, policy: RequestPolicy, stop: threading.Event
    ) -> None:
        self._api_url = api_url
        self._credential = credential
        self._policy = policy
        self._stop = stop
        self._lock = threading.Lock()
        self._local = threading.local()
        self._sessions: list[requests.Session] = []
        self._sockets = OpenSockets()
        self._api = Pace(policy.rate, policy.patience, stop)
        self._images = Pace(float("inf"), policy.patience, stop)
        self._retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(policy.attempts),
            wait=tenacity.wait_exponential(multiplier=policy.backoff, max=_LONGEST_BACKOFF)
            + tenacity.wait_random(0, policy.backoff),
            retry=tenacity.retry_if_exception(
                lambda error: isinstance(error, UnansweredError) and error.passing
            ),
            sleep=tenacity.sleep_using_event(stop),
            reraise=True,
        )
        self.requests = 0
        self.bytes = 0

    def ask(self, path: str, read: Callable[[dict[str, Any]], T], **query: str) -> T | None:
        """Return the answer of the API as `read` returns it; None for a 404.

        Raises
        ------
        UnansweredError
            If no attempt returned an answer that `read` accepts.
        KeyRefusedError, StoppedError
            If no request will be answered.
        """

        def attempt() -> T | None:
            status, body = self._get(self._api, f"{self._api_url}/{path}", query, _MAX_JSON)
            answer = _parse(body)
            if status == 404:
                return None
            check_success(answer)
            return read(answer)

        try:
            return self._retrying(attempt)
        except KeyRefusedError:
            # No other request must be sent with that key.
            self._stop.set()
            raise

    def fetch(self, url: str, check: Callable[[bytes], T]) -> T | None:
        """Return a file of the image host as `check` returns it; None for a 404.

        Raises
        ------
        UnansweredError
            If no attempt returned a file that `check` accepts.
        RefusedError, StoppedError
            If no request will be answered.
        """

        def attempt() -> T | None:
            status, body = self._get(self._images, url, {}, _MAX_POSTER)
            return None if status == 404 else check(body)

        return self._retrying(attempt)

    def paused_for(self) -> float:
        """Return for how many seconds no request will be made, as the server asked."""
        return max(self._api.paused_for(), self._images.paused_for())

    def shut_late(self) -> None:
        """End the requests that take too long; call this regularly."""
        self._sockets.shut_late()

    def close(self) -> None:
        """End all requests and connections."""
        self._sockets.shut()
        with self._lock:
            for session in self._sessions:
                session.close()

    def _get(self, pace: Pace, url: str, query: dict[str, str], limit: int) -> tuple[int, bytes]:
        """Return status (200 or 404) and body, after all pauses that the server asks for."""
        end = None
        while True:
            ticket = pace.wait()
            status, retry_after, body = self._send(url, query, limit, signed=pace is self._api)
            if status != 429:
                break
            end = end or time.monotonic() + self._policy.patience
            if time.monotonic() > end:
                # Other requests are answered, or `refused` would have raised before.
                msg = "HTTP status 429"
                raise UnansweredError(msg, passing=False)
            pace.refused(ticket, retry_after)
        pace.accepted()
        if status in (200, 404):
            return status, body
        if status == 401 and pace is self._api:
            raise KeyRefusedError
        if retry_after is not None:
            pace.pause(retry_after)
        what = "a redirection" if 300 <= status < 400 else f"HTTP status {status}"
        raise UnansweredError(what, passing=not 400 <= status < 500 or status in _PASSING)

    def _send(
        self, url: str, query: dict[str, str], limit: int, *, signed: bool
    ) -> tuple[int, float | None, bytes]:
        """Return status, the seconds of a Retry-After header, and body."""
        until = time.monotonic() + 3 * self._policy.timeout
        self._sockets.begin(until)
        with self._lock:
            self.requests += 1
        try:
            with self._session().get(
                url,
                params=query,
                auth=self._credential if signed else unsigned,
                timeout=self._policy.timeout,
                # A proxy of the environment must not see requests to this machine.
                proxies=_NO_PROXIES if is_loopback(urlsplit(url).hostname or "") else None,
                stream=True,
                # A redirection could send the key to another host.
                allow_redirects=False,
            ) as response:
                body = _read_body(response, limit, until)
                with self._lock:
                    self.bytes += len(body)
                _check_length(response, body)
                retry_after = _retry_after(response.headers.get("Retry-After"))
                return response.status_code, retry_after, body
        except UnansweredError:
            raise
        except Exception as error:
            # The text of any error may show the address and, with it, the key.
            reason = _reason(error, late=time.monotonic() > until)
        finally:
            self._sockets.end()
        if self._stop.is_set():
            raise StoppedError
        raise UnansweredError(reason)

    def _session(self) -> requests.Session:
        """Return the session of this thread; threads may not share one."""
        if not hasattr(self._local, "session"):
            self._local.session = session = requests.Session()
            session.headers["User-Agent"] = "movielens-genres-example"
            session.headers["Accept-Encoding"] = "identity"
            for scheme in ("http://", "https://"):
                session.mount(scheme, self._sockets.adapter())
            with self._lock:
                self._sessions.append(session)
        return self._local.session


def _read_body(response: requests.Response, limit: int, until: float) -> bytes:
    body = bytearray()
    for chunk in response.iter_content(_CHUNK):
        body += chunk
        if len(body) > limit:
            msg = f"more than {limit // 2**20} MiB"
            raise UnansweredError(msg)
        if time.monotonic() > until:
            raise TimeoutError
    # An answer that was cut off because it was late may look complete.
    if time.monotonic() > until:
        raise TimeoutError
    return bytes(body)


def _check_length(response: requests.Response, body: bytes) -> None:
    """Raise if the body is shorter than announced; not every version of urllib3 checks this."""
    length = response.headers.get("Content-Length", "")
    encoded = response.headers.get("Content-Encoding", "identity") != "identity"
    if length.isdecimal() and not encoded and int(length) != len(body):
        raise exceptions.ChunkedEncodingError


def _parse(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        msg = "something other than JSON"
        raise UnansweredError(msg)
    return answer


def _retry_after(value: str | None) -> float | None:
    """Return the seconds of a Retry-After header, which holds seconds or a date."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        date = email.utils.parsedate_to_datetime(value)
        return max(0.0, date.timestamp() - time.time())
    except (ValueError, OverflowError, OSError):
        return None


def _reason(error: Exception, *, late: bool) -> str:
    if late or isinstance(error, exceptions.Timeout | TimeoutError):
        return "no answer in time"
    if isinstance(error, exceptions.InvalidSchema):
        # The address of the server is valid, so this is the address of the proxy.
        return "a proxy that needs the package PySocks, or of an unknown kind"
    if isinstance(error, exceptions.SSLError):
        return "no secure connection"
    if isinstance(error, exceptions.ProxyError):
        return "no connection to the proxy"
    if isinstance(error, exceptions.ChunkedEncodingError | exceptions.ContentDecodingError):
        return "an incomplete answer"
    if isinstance(error, exceptions.ConnectionError):
        return "no connection, or a broken connection"
    return f"a failed request ({type(error).__name__})"
