"""The endpoints of the server, and what they share."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from multimodal_ensemble._version import __version__
from multimodal_ensemble.serving._answers import (
    HEADERS,
    answer,
    answer_error,
    answer_http_error,
)
from multimodal_ensemble.serving._api_page import api_page
from multimodal_ensemble.serving._batcher import Batcher
from multimodal_ensemble.serving._deadline import Deadline
from multimodal_ensemble.serving._image_values import ImageReader
from multimodal_ensemble.serving._openapi import describe_api
from multimodal_ensemble.serving._page import model_page
from multimodal_ensemble.serving._page_policy import page_policy
from multimodal_ensemble.serving._read_rows import RowReader
from multimodal_ensemble.serving._request_error import RequestError
from multimodal_ensemble.serving._served_model import ServedModel
from multimodal_ensemble.serving._server_metrics import ServerMetrics
from multimodal_ensemble.serving._serving_limits import ServingLimits

_LOG = logging.getLogger(__name__)
_MAX_PARTS = 100
_EXPLAIN_OPTIONS = ["label", "n_parts", "image_maps"]
_Handler = Callable[[Request], Awaitable[Response]]


class Server:
    """The endpoints and what they share."""

    def __init__(
        self,
        model: ServedModel,
        limits: ServingLimits,
        images: ImageReader,
        allowed_hosts: Sequence[str] | None,
        title: str,
    ) -> None:
        self._model = model
        self._limits = limits
        self._reader = RowReader(model.fields, limits, images)
        self._allowed_hosts = None if allowed_hosts is None else {*map(str.lower, allowed_hosts)}
        self._metrics = ServerMetrics()
        n_cores = os.cpu_count() or 1
        # A thread that fetches waits for another server, so that each request may need its own.
        self._n_threads = max(n_cores, limits.max_concurrency) if images.fetches else n_cores
        self._start()
        self._api = describe_api(model, limits)
        self._pages = {
            "page": model_page(title, model.fields),
            "docs": api_page(self._api, model.fields, limits),
        }

    def make_app(self) -> Starlette:
        routes: list[tuple[str, str, str, _Handler]] = [
            ("/predict", "predict", "POST", self._predict),
            ("/explain", "explain", "POST", self._explain),
            ("/health", "health", "GET", self._health),
            ("/metrics", "metrics", "GET", self._show_metrics),
            ("/openapi.json", "openapi", "GET", self._openapi),
            ("/docs", "docs", "GET", partial(self._show_page, "docs")),
            ("/", "page", "GET", partial(self._show_page, "page")),
        ]
        return Starlette(
            routes=[
                Route(path, partial(self._respond, name, handler), methods=[method], name=name)
                for path, name, method, handler in routes
            ],
            exception_handlers={HTTPException: answer_http_error},
            lifespan=self._lifespan,
        )

    def _start(self) -> None:
        self._batcher = Batcher(
            self._model.score,
            max_rows=self._limits.max_batch_rows,
            max_wait=self._limits.max_wait,
            max_jobs=self._limits.max_concurrency,
            observe=self._metrics.count_batch,
        )
        self._threads = ThreadPoolExecutor(self._n_threads, thread_name_prefix="requests")

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        # A mounted application has no lifespan, and one in tests may have several.
        self._start()
        try:
            yield
        finally:
            await asyncio.to_thread(self._batcher.stop)
            self._threads.shutdown(wait=False, cancel_futures=True)

    async def _respond(self, name: str, handler: _Handler, request: Request) -> Response:
        """Answer a request, with any error as JSON, and count it."""
        start = time.perf_counter()
        try:
            self._check_sender(request)
            response = await handler(request)
        except RequestError as error:
            response = answer_error(error)
        except ClientDisconnect:
            response = Response(status_code=400)
        except Exception as error:
            _LOG.error("A request failed.", exc_info=error)
            response = answer_error(RequestError(500, "the server failed; its log says why"))
        self._metrics.count_request(name, response.status_code, time.perf_counter() - start)
        return response

    # -- endpoints ---------------------------------------------------------------------------

    async def _predict(self, request: Request) -> Response:
        with self._admitted():
            async with Deadline(self._limits.timeout) as deadline:
                rows = await self._read_rows(request, self._limits.max_rows, deadline)
                scores = await asyncio.wrap_future(self._batcher.score(rows))
        return answer(self._model.describe_scores(scores))

    async def _explain(self, request: Request) -> Response:
        if unknown := set(request.query_params) - {*_EXPLAIN_OPTIONS}:
            reason = f"there is no option {min(unknown)!r:.80}; there are {_EXPLAIN_OPTIONS}"
            raise RequestError(422, reason)
        labels = request.query_params.getlist("label")
        n_parts = _read_count(request.query_params.get("n_parts", "10"))
        has_maps = _read_flag(request.query_params.get("image_maps", "false"))
        with self._admitted():
            async with Deadline(self._limits.timeout) as deadline:
                rows = await self._read_rows(request, self._limits.max_explained_rows, deadline)
                if has_maps and (n_maps := self._model.count_maps(rows)) > (
                    most := self._limits.max_image_maps
                ):
                    raise RequestError(413, f"{n_maps} images to map; at most {most} are allowed")
                explain = partial(self._model.explain, rows, labels, n_parts, has_maps=has_maps)
                explained = await asyncio.wrap_future(self._batcher.call(explain))
        return answer({"rows": explained})

    async def _health(self, _request: Request) -> Response:
        described = {
            "status": "stopping" if self._batcher.is_stopping else "ok",
            "model": self._model.kind,
            "target_type": self._model.target_type,
            "labels": [str(label) for label in self._model.labels],
            "columns": {
                column: {"kind": field.kind, "is_required": field.is_required}
                for column, field in self._model.fields.items()
            },
            "library_version": __version__,
        }
        return answer(described, 503 if self._batcher.is_stopping else 200)

    async def _show_metrics(self, _request: Request) -> Response:
        text = self._metrics.as_text(self._batcher.n_waiting)
        return Response(text, media_type="text/plain; version=0.0.4", headers=HEADERS)

    async def _openapi(self, _request: Request) -> Response:
        return answer(self._api)

    async def _show_page(self, name: str, _request: Request) -> Response:
        page = self._pages[name]
        policy = {"Content-Security-Policy": page_policy(page)}
        return Response(page, media_type="text/html", headers=HEADERS | policy)

    # -- requests ----------------------------------------------------------------------------

    @contextmanager
    def _admitted(self) -> Iterator[None]:
        if self._metrics.n_in_flight >= self._limits.max_concurrency:
            most = self._limits.max_concurrency
            raise RequestError(429, f"{most} requests are being answered; try again later")
        self._metrics.n_in_flight += 1
        try:
            yield
        finally:
            self._metrics.n_in_flight -= 1

    async def _read_rows(self, request: Request, max_rows: int, deadline: Deadline) -> list[Any]:
        body = await self._read_body(request)
        deadline.status = 503
        kind = request.headers.get("content-type", "")
        given_up = threading.Event()
        read = partial(self._reader.read, body, kind, max_rows, given_up)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, read)
        finally:
            given_up.set()

    async def _read_body(self, request: Request) -> bytes:
        if (coding := request.headers.get("content-encoding", "identity")).lower() != "identity":
            raise RequestError(415, f"the body must not be compressed, as by {coding!r:.80}")
        most = self._limits.max_body_bytes
        too_large = RequestError(413, f"the body has more than {most:,} bytes")
        announced = request.headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > most:
            raise too_large
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > most:
                raise too_large
        return bytes(body)

    def _check_sender(self, request: Request) -> None:
        """Refuse requests of web pages that other servers have sent to a browser."""
        host = request.headers.get("host", "")
        if self._allowed_hosts is not None and _host_name(host) not in self._allowed_hosts:
            raise RequestError(403, f"the server is not addressed as {host!r:.80}")
        origin = request.headers.get("origin")
        if origin is not None and origin.lower().partition("://")[2] != host.lower():
            raise RequestError(403, f"pages of {origin!r:.80} cannot use this server")


def _host_name(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _read_count(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text[:9]) <= _MAX_PARTS:
        raise RequestError(
            422, f"n_parts must be a number from 1 to {_MAX_PARTS}, not {text!r:.80}"
        )
    return int(text)


def _read_flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise RequestError(422, f"image_maps must be true or false, not {text!r:.80}")
    return text == "true"
