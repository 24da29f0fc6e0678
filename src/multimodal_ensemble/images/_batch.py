"""Read many images, with a policy for images that cannot be read."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from multimodal_ensemble import _warnings
from multimodal_ensemble._tables import counted
from multimodal_ensemble._validation import check_at_least, check_choice
from multimodal_ensemble.exceptions import ImageReadError
from multimodal_ensemble.images._fetch_options import FetchOptions
from multimodal_ensemble.images._read import check_image_size, check_resampling, read_image
from multimodal_ensemble.images._source import ImageSource, is_path, resolve, source_name

_N_NAMED_IN_WARNING = 5


class UnreadableImageWarning(UserWarning):
    """Some images could not be read and were replaced or left out, as requested.

    Examples
    --------
    >>> import warnings
    >>> from multimodal_ensemble.images import UnreadableImageWarning, read_images
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", UnreadableImageWarning)
    ...     batch = read_images(["absent.jpg"], 4, on_error="blank")
    >>> int(batch.images.max())
    0
    """


@dataclass(frozen=True)
class ImageFailure:
    """An image that could not be read.

    Parameters
    ----------
    position : int
        Position of the image in `sources`, from 0.
    source : str
        The path as it was passed, or a description of any other source; see `source_name`.
    reason : str
        Why the image could not be read.

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
    """The result of `read_images`: the pixels, and the images that could not be read.

    If images were dropped, use `kept` to select the same rows of labels and other modalities.

    Parameters
    ----------
    images : ndarray of shape (n_kept, height, width, 3)
        RGB pixels, uint8, 0..255.
    kept : ndarray of shape (n_kept,)
        For each row of `images`, its position in `sources`, in ascending order.
    failures : tuple of ImageFailure
        The images that could not be read, in the order of `sources`.

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
    warn: bool = True,
    fetch: FetchOptions | None = None,
) -> ImageBatch:
    """Read many images as RGB pixels of one size.

    Parameters
    ----------
    sources : iterable of length n_sources
        Images as `read_image` accepts them, for example a DataFrame column of paths.
    size : int or tuple of int
        ``(height, width)`` in pixels, at least 1; an int for a square. Images are stretched to
        this size.
    on_error : {"raise", "blank", "drop"}, default="raise"
        How to handle an image that cannot be read or is missing (None or NaN): "raise" an error
        that names it, put a "blank" (black, all zeros) image in its row, or "drop" its row.
    resampling : {"nearest", "bilinear", "bicubic", "lanczos", "box"}, default="bilinear"
        The filter for resizing, as in `read_image`.
    root : str or os.PathLike, default=None
        The folder that relative paths start from. None is the working directory.
    workers : int, default=1
        Number of threads that read images. The result does not depend on it.
    warn : bool, default=True
        Whether to issue a warning that lists the images that could not be read.
    fetch : FetchOptions, optional
        Permission to fetch addresses of the web; see `read_image`.

    Returns
    -------
    ImageBatch
        The pixels, the rows that were kept, and the failures.

    Raises
    ------
    ImageReadError
        With ``on_error="raise"``, for the first image that cannot be read. Its attribute `row` is
        the position of the image in `sources`.
    TypeError
        If `sources` is not an iterable of images, or the type of a source is not supported. This
        is raised whatever `on_error` is, because the mistake is in the program, not in a file.
    ValueError
        If an option is not one of the values above.

    Warns
    -----
    UnreadableImageWarning
        With "blank" and "drop", once per call in which images could not be read.

    See Also
    --------
    read_image : Read one image; its notes describe how each kind of file is converted.

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
    height, width = check_image_size(size)
    check_resampling(resampling)
    check_choice(on_error, ("raise", "blank", "drop"), name="on_error")
    check_at_least(workers, 1, name="workers")
    listed = _list_sources(sources)
    images = np.zeros((len(listed), height, width, 3), dtype=np.uint8)

    def read_row(position: int) -> ImageFailure | None:
        source = listed[position]
        try:
            images[position] = read_image(
                resolve(source, root), (height, width), resampling=resampling, fetch=fetch
            )
        except ImageReadError as error:
            if on_error == "raise":
                raise _with_position(error, position, len(listed)) from error.__cause__
            return ImageFailure(position, source_name(source), error.strerror or str(error))
        except TypeError as error:
            error.add_note(f"It is number {position} (from 0) of {len(listed)} images.")
            raise
        return None

    failures = _map(read_row, len(listed), workers)
    kept = np.arange(len(listed))
    if failures and on_error == "drop":
        kept = np.delete(kept, [failure.position for failure in failures])
        images = images[kept]
    if failures and warn:
        _warnings.warn(_summary(failures, len(listed), on_error), UnreadableImageWarning)
    return ImageBatch(images, kept, failures)


def _list_sources(sources: Any) -> list[ImageSource]:
    # A single image is iterable as well: characters of a path, bytes of a file, rows of an array.
    is_one_image = (
        is_path(sources)
        or isinstance(sources, bytes | Image.Image)
        or (isinstance(sources, np.ndarray) and sources.dtype.kind == "u" and sources.ndim == 2)
    )
    if is_one_image or not isinstance(sources, Iterable):
        msg = (
            "sources must be an iterable of images, such as a list or a DataFrame column. "
            f"Received {type(sources).__name__}. For a single image, use read_image or pass a "
            "list with one image."
        )
        raise TypeError(msg)
    return list(sources)


def _with_position(error: ImageReadError, position: int, n_sources: int) -> ImageReadError:
    msg = (
        f"{error} It is number {position} (from 0) of {n_sources} images. "
        'To continue without it, pass on_error="blank" (a black image in its row) '
        'or on_error="drop" (no row).'
    )
    positioned = ImageReadError(msg, row=position)
    positioned.strerror = error.strerror
    return positioned


def _map(
    read_row: Callable[[int], ImageFailure | None], n_rows: int, workers: int
) -> tuple[ImageFailure, ...]:
    if workers == 1:
        outcomes = list(map(read_row, range(n_rows)))
    else:
        with ThreadPoolExecutor(workers) as pool:
            # On an error, map cancels the calls not yet started and raises the first in order.
            outcomes = list(pool.map(read_row, range(n_rows)))
    return tuple(outcome for outcome in outcomes if outcome is not None)


def _summary(failures: tuple[ImageFailure, ...], n_sources: int, on_error: str) -> str:
    # Many rows may have the same file.
    times = Counter(f"{failure.source!r} ({failure.reason})" for failure in failures)
    texts = [text if n == 1 else f"{text}, {n} times" for text, n in times.items()]
    named = texts[:_N_NAMED_IN_WARNING]
    if len(texts) > len(named):
        named.append(f"and {len(texts) - len(named)} more")
    is_one = len(failures) == 1
    outcome = f"{'was' if is_one else 'were'} left out"
    if on_error == "blank":
        outcome = "was replaced by a black image" if is_one else "were replaced by black images"
    return (
        f"{len(failures)} of {counted(n_sources, 'image')} could not be read and {outcome} "
        f'(on_error="{on_error}"): {"; ".join(named)}. All are listed in ImageBatch.failures.'
    )
