"""An HTTP server that behaves like version 3 of TMDB's API, and fails on demand.

``python -m tests.examples.retrieval.tmdb_server`` serves until its standard input ends.
"""

import argparse
import asyncio
import gzip
import http
import json
import socket
import struct
import sys
import threading
import time
import urllib.parse
import zlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from .tmdb_movies import (
    SIZES,
    Movie,
    configuration_answer,
    details_answer,
    draw_poster,
    find_answer,
    make_movies,
)

KEY = "0123456789abcdef0123456789abcdef"
TOKEN = "eyJhbGciOiJub25lIn0.eyJhdWQiOiJpbnZlbnRlZCJ9.c2lnbmF0dXJl"
MESSAGES = {
    401: (7, "Invalid API key: You must be granted a valid key."),
    404: (34, "The resource you requested could not be found."),
    422: (5, "Invalid parameters: Your request parameters are incorrect."),
    429: (25, "Your request count (41) is over the allowed limit of (40)."),
    500: (11, "Internal error: Something went wrong, contact TMDB."),
    502: (43, "Couldn't connect to the backend server."),
    503: (9, "Service offline: This service is temporarily offline, try again later."),
    504: (24, "Your request to the backend server timed out. Try again."),
}


@dataclass(frozen=True)
class Fault:
    """The difference between an answer and the right one."""

    status: int | None = None
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0  # seconds before the first byte
    trickle: float = 0  # seconds between a byte of the body and the next
    trickle_head: float = 0  # the same of the headers
    # Bytes of the body after which the connection is reset, or closed as if the answer were
    # complete; -1 means before the first line of the answer.
    reset_at: int | None = None
    end_at: int | None = None
    raw: bytes | None = None  # the whole answer, which ends with the connection


Plan = Callable[[str, int, int], Fault | None]


def faults_of(faults: Mapping[str, Sequence[Fault] | Fault]) -> Plan:
    """Return a plan with faults by path: those of the first requests, or one for all."""

    def plan(path: str, nth: int, _total: int) -> Fault | None:
        found = faults.get(path, ())
        if isinstance(found, Fault):
            return found
        return found[nth] if nth < len(found) else None

    return plan


def sprinkle(every: int) -> Plan:
    """Return a plan in which the first request fails for one in `every` paths."""
    kinds = (
        Fault(429, headers={"Retry-After": "1"}),
        Fault(500),
        Fault(503, body=b"<html>Offline</html>", headers={"Content-Type": "text/html"}),
        Fault(reset_at=-1),
        Fault(reset_at=60),
        Fault(end_at=60),
        Fault(body=b"<html>A proxy</html>", headers={"Content-Type": "text/html"}),
    )

    def plan(path: str, nth: int, _total: int) -> Fault | None:
        code = zlib.crc32(path.encode())
        return kinds[code // every % len(kinds)] if nth == 0 and code % every == 0 else None

    return plan


@dataclass
class Request:
    """One line of the server's log."""

    at: float  # time.monotonic
    path: str
    status: int = 0
    n_bytes: int = 0  # of the body, as sent
    is_faulty: bool = False
    is_whole: bool = False  # whether the answer was sent completely
    has_key: bool = False  # whether it contained a key, right or wrong


class TmdbServer:
    """The server, in a thread; use it as a context.

    Parameters
    ----------
    movies : sequence of Movie
        The movies on TMDB.
    plan : callable, optional
        Receives a path, the number of earlier requests for it, and the number of all earlier
        requests; returns a fault or None. It may be replaced while the server runs.
    """

    def __init__(self, movies: Sequence[Movie], plan: Plan | None = None) -> None:
        self.plan = plan
        self.log: list[Request] = []
        self.most_connections = 0
        self.port = 0
        self._counts: Counter[str] = Counter()
        self._n_connections = 0
        known = [movie for movie in movies if movie.true_id is not None]
        self._details = {f"/3/movie/{movie.true_id}": movie for movie in known}
        self._found = {movie.find: movie for movie in known if movie.imdb_id}
        self._posters = {movie.poster_path for movie in known if movie.kind != "lost poster"}
        self._ready, self._stop = threading.Event(), asyncio.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.root}/3"

    @property
    def leaks(self) -> list[str]:
        """Return the paths of the image server that received a key."""
        return [entry.path for entry in self.log if entry.has_key and "/t/p/" in entry.path]

    def __enter__(self) -> "TmdbServer":
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=256)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        # Connections still open end with the tasks that asyncio.run cancels.
        server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._n_connections += 1
        self.most_connections = max(self.most_connections, self._n_connections)
        try:
            while await self._answer(await reader.readuntil(b"\r\n\r\n"), writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client has closed the connection, or the server stops
        finally:
            self._n_connections -= 1
            writer.close()

    async def _answer(self, head: bytes, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; return whether the connection may go on."""
        target = head.split(b" ", 2)[1].decode()
        path, _, query = target.partition("?")
        request = Request(time.monotonic(), path)
        words = (KEY.encode(), TOKEN.encode(), b"api_key=", b"authorization:")
        request.has_key = any(word in head or word in head.lower() for word in words)
        self.log.append(request)
        fault = self.plan(path, self._counts[path], len(self.log) - 1) if self.plan else None
        self._counts[path] += 1
        status, headers, body = self._right_answer(path, query, head)
        if fault:
            request.is_faulty = True
            if fault.status and fault.status != status:
                status, headers, body = fault.status, *_as_json(_error(fault.status))
            body = body if fault.body is None else fault.body
            headers = headers | fault.headers
        if "json" in headers["Content-Type"] and b"gzip" in head and not (fault and fault.body):
            headers, body = headers | {"Content-Encoding": "gzip"}, gzip.compress(body, 1)
        request.status = status
        line = f"HTTP/1.1 {status} {http.HTTPStatus(status).phrase}\r\n"
        headers = {**headers, "Content-Length": str(len(body))}
        top = (line + "".join(f"{k}: {v}\r\n" for k, v in headers.items()) + "\r\n").encode()
        if fault and fault.raw is not None:
            writer.write(fault.raw)
            await writer.drain()
            return False
        if fault:
            return await self._fail(request, fault, top, body, writer)
        writer.write(top + body)
        await writer.drain()
        request.n_bytes, request.is_whole = len(body), True
        return True

    def _right_answer(
        self, path: str, query: str, head: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        if path.startswith("/t/p/"):
            size, _, name = path.removeprefix("/t/p/").partition("/")
            if size in SIZES and f"/{name}" in self._posters:
                return 200, {"Content-Type": "image/jpeg"}, draw_poster(path)
            return 404, {"Content-Type": "text/html"}, b"<h1>Not Found</h1>"
        parameters = dict(urllib.parse.parse_qsl(query))
        bearer = f"authorization: bearer {TOKEN}".encode()
        if parameters.get("api_key") != KEY and bearer.lower() not in head.lower():
            return 401, *_as_json(_error(401))
        if path == "/3/configuration":
            return 200, *_as_json(configuration_answer(self.root))
        if path in self._details:
            return 200, *_as_json(details_answer(self._details[path]))
        if path.startswith("/3/find/"):
            if parameters.get("external_source") != "imdb_id":
                return 422, *_as_json(_error(422))
            return 200, *_as_json(find_answer(self._found.get(path)))
        return 404, *_as_json(_error(404))

    async def _fail(
        self, request: Request, fault: Fault, top: bytes, body: bytes, writer: asyncio.StreamWriter
    ) -> bool:
        await asyncio.sleep(fault.delay)
        stops = [stop for stop in (fault.reset_at, fault.end_at) if stop is not None]
        end = min([*stops, len(body)])
        step = 1 if fault.trickle_head else 1 << 16
        for start in range(0, len(top) if end >= 0 else 0, step):
            writer.write(top[start : start + step])
            await asyncio.sleep(fault.trickle_head)
        step = 1 if fault.trickle else 1 << 16
        for start in range(0, end, step):
            writer.write(body[start : min(start + step, end)])
            await writer.drain()
            request.n_bytes = min(start + step, end)
            if fault.trickle:
                await asyncio.sleep(fault.trickle)
        await writer.drain()
        if fault.reset_at is not None:
            # Without this pause the reset would arrive before the data.
            await asyncio.sleep(0.002)
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()
        request.is_whole = not stops
        return request.is_whole


def _as_json(value: object) -> tuple[dict[str, str], bytes]:
    return {"Content-Type": "application/json;charset=utf-8"}, json.dumps(value).encode()


def _error(status: int) -> dict[str, object]:
    code, message = MESSAGES.get(status, (15, "Failed."))
    return {"success": False, "status_code": code, "status_message": message}


def main() -> None:
    """Print the address, serve until standard input ends, then print the log."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("n_movies", type=int)
    parser.add_argument("--fault-every", type=int, help="number of paths per fault")
    options = parser.parse_args()
    plan = sprinkle(options.fault_every) if options.fault_every else None
    with TmdbServer(make_movies(options.n_movies), plan) as server:
        print(server.url, flush=True)
        sys.stdin.read()
    log = [(entry.path, entry.status, entry.is_faulty, entry.is_whole) for entry in server.log]
    json.dump({"log": log, "leaks": server.leaks}, sys.stdout)


if __name__ == "__main__":
    main()
