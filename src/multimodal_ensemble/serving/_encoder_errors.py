"""Errors of encoders of other packages about the values of a request."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from multimodal_ensemble.exceptions import MultimodalEnsembleError
from multimodal_ensemble.serving._request_error import RequestError

_LOG = logging.getLogger(__name__)

# Such as KeyError for an unknown name, AttributeError for a number in place of a string, and
# OverflowError for infinity in place of a whole number.
_ERRORS_OF_VALUES = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError)


@contextmanager
def refusing_values(encoders: Sequence[Any]) -> Iterator[None]:
    """Raise a RequestError in place of the errors that wrong values cause in an encoder's code.

    Such an encoder does not know the errors of this package, so that a wrong value of a request
    looks like a fault of the server. The log has the error, which the client does not see. If the
    encoder itself lacks an attribute, no value is at fault.
    """
    try:
        yield
    except _ERRORS_OF_VALUES as error:
        encoder = _find_encoder(error, encoders)
        is_known = isinstance(error, MultimodalEnsembleError)
        if encoder is None or is_known or getattr(error, "obj", None) is encoder:
            raise
        columns = [str(column) for column in encoder.columns]
        _LOG.warning("The encoder %r cannot read a request.", encoder.name, exc_info=error)
        reason = (
            f"the encoder of {', '.join(columns)} cannot read a value; the server's log says why"
        )
        column = columns[0] if len(columns) == 1 else None
        raise RequestError(422, reason, column=column) from error


def _find_encoder(error: Exception, encoders: Sequence[Any]) -> Any:
    """Return the encoder in whose methods an error was raised, or None."""
    for frame, _ in traceback.walk_tb(error.__traceback__):
        this = frame.f_locals.get("self")
        if any(this is encoder for encoder in encoders):
            return this
    return None
