"""Answers as JSON."""

from __future__ import annotations

import json
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from multimodal_ensemble.serving._request_error import RequestError

HEADERS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def answer(content: Any, status: int = 200) -> Response:
    # Pure ASCII, because UTF-8 cannot encode half of a surrogate pair that a request may have.
    text = json.dumps(content, allow_nan=False)
    return Response(text, status, media_type="application/json", headers=HEADERS)


def answer_error(error: RequestError) -> Response:
    described = {"status": error.status, "reason": error.reason}
    if error.row is not None:
        described["row"] = error.row
    if error.column is not None:
        described["column"] = error.column
    response = answer({"error": described}, error.status)
    if error.status in (429, 503):
        response.headers["Retry-After"] = "1"
    return response


async def answer_http_error(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    reasons = {
        404: "there is no such page; see /docs",
        405: "this method is not allowed; see /docs",
    }
    reason = reasons.get(status, "the request is not understood")
    response = answer_error(RequestError(status, reason))
    # Such as Allow, which an answer 405 must have.
    response.headers.update(getattr(error, "headers", None) or {})
    return response
