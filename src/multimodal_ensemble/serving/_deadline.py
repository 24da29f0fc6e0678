"""The time that a request may take."""

from __future__ import annotations

import asyncio
from typing import Any

from multimodal_ensemble.serving._request_error import RequestError


class Deadline:
    """Ends its block after some seconds with an error of the current status."""

    def __init__(self, seconds: float) -> None:
        self.status = 408
        self._seconds = seconds
        self._timeout = asyncio.timeout(seconds)

    async def __aenter__(self) -> Deadline:
        await self._timeout.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> None:
        try:
            await self._timeout.__aexit__(*error)
        except TimeoutError as late:
            what = "arrived" if self.status == 408 else "been answered"
            reason = f"the request has not {what} within {self._seconds:g} seconds"
            raise RequestError(self.status, reason) from late
