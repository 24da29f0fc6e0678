"""Why a request is refused."""

from __future__ import annotations


class RequestError(Exception):
    """A request is answered with this status and reason.

    Parameters
    ----------
    status : int
        The status of the answer, such as 422.
    reason : str
        One or two sentences for the client.
    row : int, optional
        Position of the row at fault among those of the request, from 0.
    column : str, optional
        The column at fault.
    """

    def __init__(
        self, status: int, reason: str, *, row: int | None = None, column: str | None = None
    ) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.row = row
        self.column = column
