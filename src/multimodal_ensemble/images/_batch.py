"""Read many images, with a policy for those that cannot be read."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from multimodal_ensemble._validation import check_at_least, check_choice
from multimodal_ensemble.exceptions import ImageReadError
from multimodal_ensemble.images._read import check_resampling, check_size, read_image
from multimodal_ensemble.images._source import (
    ImageSource,
    describe,
    is_missing,
    is_path,
    with_root,
)

_NAMED_IN_WARNING = 5


class UnreadableImageWarning(UserWarning):
    """Some images could not be read and were left out or replaced, as the caller asked."""


@dataclass(frozen=True)
class ImageFailure:
    """One image that could not be read.

    It holds enough to find the file and mend it.

    Parameters
    ----------
    position : int
        Where it stands in `sources`, from 0.
    source : str
        The path as it was given, or words that name the source.
    reason : str
        Why it could not be read.

    See Also
    --------
    ImageBatch : Holds the failures of a call.

    Examples
    --------
    >>> from multimodal_ensemble.images import ImageFailure
    >>> ImageFailure(3, "posters/4.jpg", "No such file or directory").source
    'posters/4.jpg'
    """

    position: int
    source: str
    reason: str


@dataclass(frozen=True, eq=False)
class ImageBatch:
    """Images as `read_images` returns them.

    Use ``kept`` to take the same rows from labels and other modalities after a drop.

    Parameters
    ----------
    images : ndarray of shape (n_kept, height, width, 3)
        RGB pixels, uint8, 0..255.
    kept : ndarray of shape (n_kept,)
        The position in `sources` that each row of `images` stands for, ascending.
    failures : tuple of ImageFailure
        The images that could not be read, in the order of `sources`.

    See Also
    --------
    read_images : Makes one.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.images import read_images
    >>> batch = read_images([np.zeros((8, 8), dtype=np.uint8)], 4)
    >>> batch.images.shape, batch.kept, batch.failures
    ((1, 4, 4, 3), array([0]), ())
    """

    images: NDArray[np.uint8] = field(repr=False)
    kept: NDArray[np.intp]
    failures: tuple[ImageFailure, ...]


def read_images(
    sources: Iterable[ImageSource],
    size: int | tuple[int, int],
    *,
    on_error: str = "raise",
    resampling: str = "bilinear",
    root: str | os.PathLike[str] | None = None,
    workers: int = 1,
) -> ImageBatch:
    """Read many images as RGB pixels of one size.

    A policy says what happens to images that cannot be read. Whatever it does is counted,
    listed and, unless it raises, warned of.

    Parameters
    ----------
    sources : iterable of length n_sources
        Images as `read_image` takes them, for example a DataFrame's column of paths.
    size : int or tuple of int
        ``(height, width)`` in pixels, at least 1; an int for a square. Images are stretched.
    on_error : {"raise", "blank", "drop"}, default="raise"
        What an image that cannot be read, or is missing (None or NaN), leads to: an error
        that names it; a black image (zeros) in its row; or no row.
    resampling : {"nearest", "bilinear", "bicubic", "lanczos", "box"}, default="bilinear"
        The filter for resizing, as in `read_image`.
    root : str or os.PathLike, default=None
        The folder that relative paths start from; by default the working directory.
    workers : int, default=1
        How many threads read; the order of rows does not depend on it.

    Returns
    -------
    ImageBatch
        ``images`` of shape (n_kept, height, width, 3), ``kept`` and ``failures``.

    Raises
    ------
    ImageReadError
        With ``on_error="raise"``, for the first image that cannot be read.
    TypeError
        If a source, or `sources` itself, is of a type that cannot be read, whatever
        `on_error` says: that is a mistake in the program, not in a file.
    ValueError
        If an option is not one of the values above.

    Warns
    -----
    UnreadableImageWarning
        With "blank" and "drop", once a call in which images could not be read.

    See Also
    --------
    read_image : Read one image; its notes say how each kind of file is converted.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.images import read_images
    >>> posters = [np.full((9, 6, 3), level, dtype=np.uint8) for level in (10, 20)]
    >>> batch = read_images(posters, (3, 2))
    >>> batch.images.shape
    (2, 3, 2, 3)
    >>> batch.images[:, 0, 0, 0]
    array([10, 20], dtype=uint8)
    """
    batch = collect_images(
        sources, size, on_error=on_error, resampling=resampling, root=root, workers=workers
    )
    if batch.failures:
        n_sources = batch.kept.size + (len(batch.failures) if on_error == "drop" else 0)
        warnings.warn(
            _summary(batch.failures, n_sources, on_error), UnreadableImageWarning, stacklevel=2
        )
    return batch


def collect_images(
    sources: Iterable[ImageSource],
    size: int | tuple[int, int],
    *,
    on_error: str,
    resampling: str,
    root: str | os.PathLike[str] | None,
    workers: int,
) -> ImageBatch:
    """Do what `read_images` does, and leave it to the caller to warn."""
    height, width = check_size(size)
    check_resampling(resampling)
    check_choice(on_error, ("raise", "blank", "drop"), name="on_error")
    check_at_least(workers, 1, name="workers")
    listed = _list_sources(sources)
    images = np.zeros((len(listed), height, width, 3), dtype=np.uint8)

    def read_row(position: int) -> ImageFailure | None:
        source = listed[position]
        try:
            images[position] = read_image(
                with_root(source, root), (height, width), resampling=resampling
            )
        except ImageReadError as error:
            if on_error == "raise":
                msg = (
                    f"{error} It is number {position} (from 0) of {len(listed)} images. "
                    'To go on without it, pass on_error="blank" (a black image in its row) '
                    'or on_error="drop" (no row).'
                )
                first = ImageReadError(msg)
                first.strerror = error.strerror
                raise first from error.__cause__
            reason = error.strerror or str(error)
            return ImageFailure(position, name_source(source), reason)
        except TypeError as error:
            error.add_note(f"It is number {position} (from 0) of {len(listed)} images.")
            raise
        return None

    failures = _map(read_row, len(listed), workers)
    kept = np.arange(len(listed))
    if failures and on_error == "drop":
        kept = np.delete(kept, [failure.position for failure in failures])
        images = images[kept]
    return ImageBatch(images, kept, failures)


def _list_sources(sources: Any) -> list[ImageSource]:
    # A single image is iterable too (a path's letters, a file's bytes, an array's rows).
    is_one_image = (
        is_path(sources)
        or isinstance(sources, bytes | Image.Image)
        or (isinstance(sources, np.ndarray) and sources.dtype.kind == "u" and sources.ndim == 2)
    )
    if is_one_image or not isinstance(sources, Iterable):
        msg = (
            "sources must be an iterable of images, such as a list or a DataFrame's column. "
            f"Received {type(sources).__name__}. For a single image use read_image, or a list "
            "of one."
        )
        raise TypeError(msg)
    return list(sources)


def _map(
    read_row: Callable[[int], ImageFailure | None], n_rows: int, workers: int
) -> tuple[ImageFailure, ...]:
    if workers == 1:
        outcomes = [read_row(position) for position in range(n_rows)]
    else:
        with ThreadPoolExecutor(workers) as pool:
            # On an error, map cancels what has not begun, and the first in order is raised.
            outcomes = list(pool.map(read_row, range(n_rows)))
    return tuple(outcome for outcome in outcomes if outcome is not None)


def name_source(source: object) -> str:
    """Return a path as it was given, or words that name another source."""
    if is_path(source):
        return str(os.fspath(source))
    return str(source) if is_missing(source) else describe(source)


def _summary(failures: tuple[ImageFailure, ...], n_sources: int, on_error: str) -> str:
    named = [f"{failure.source!r} ({failure.reason})" for failure in failures[:_NAMED_IN_WARNING]]
    if len(failures) > len(named):
        named.append(f"and {len(failures) - len(named)} more")
    outcome = "black images stand in their rows" if on_error == "blank" else "they are left out"
    return (
        f"{len(failures)} of {n_sources} images could not be read, and {outcome} "
        f'(on_error="{on_error}"): {"; ".join(named)}. All are listed in ImageBatch.failures.'
    )
