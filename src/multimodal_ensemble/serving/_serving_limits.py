"""What one request, and all requests together, may take."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from multimodal_ensemble._validation import check_at_least


@dataclass(frozen=True, kw_only=True)
class ServingLimits:
    """Bounds of a server. A request beyond one of them gets a 4xx or 503 answer with the reason.

    Parameters
    ----------
    max_body_bytes : int, default=8388608
        Size of a request's body; 413 beyond it.
    max_pixels : int, default=25000000
        Pixels of one image, which are counted before it is decoded; 413 beyond it.
    max_rows : int, default=64
        Rows of one request; 413 beyond it.
    max_explained_rows : int, default=8
        Rows of one request for an explanation, which takes longer; 413 beyond it.
    max_image_maps : int, default=2
        Maps of images of one request for an explanation; 413 beyond it. Each takes 37 passes of the
        network for images.
    max_images : int, default=64
        Images of one request; 413 beyond it.
    max_concurrency : int, default=64
        Requests that are read, wait or are answered at the same time; 429 beyond it.
    timeout : float, default=30
        Seconds from the headers of a request to its answer. Then 408 if its body has not arrived,
        else 503.
    max_batch_rows : int, default=64
        Rows of several requests that are predicted together. A larger request is predicted alone.
    max_wait : float, default=0.01
        Seconds that requests wait for others. They only do if more were predicted together before.

    Raises
    ------
    ValueError
        If a bound is not positive (`max_wait` may be 0) or not finite.

    Examples
    --------
    >>> from multimodal_ensemble.serving import ServingLimits
    >>> ServingLimits(max_rows=8).max_rows
    8
    """

    max_body_bytes: int = 8 * 2**20
    max_pixels: int = 25_000_000
    max_rows: int = 64
    max_explained_rows: int = 8
    max_image_maps: int = 2
    max_images: int = 64
    max_concurrency: int = 64
    timeout: float = 30.0
    max_batch_rows: int = 64
    max_wait: float = 0.01

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type == "int":
                check_at_least(value, 1, name=field.name)
                continue
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            may_be_zero = field.name == "max_wait"
            if not is_number or not 0 <= value < math.inf or not (value or may_be_zero):
                msg = (
                    f"{field.name} must be a finite number of seconds, "
                    f"{'at least' if may_be_zero else 'above'} 0. Received {field.name}={value!r}."
                )
                raise ValueError(msg)
