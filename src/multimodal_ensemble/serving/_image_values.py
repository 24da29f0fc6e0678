"""Images of requests: decoded within limits, and never read from the machine of the server."""

from __future__ import annotations

import base64
import binascii
import os
import re
import threading
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from multimodal_ensemble.exceptions import ImageReadError
from multimodal_ensemble.images import (
    FetchOptions,
    decode_data_uri,
    fetch_file,
    is_data_uri,
    read_image,
)
from multimodal_ensemble.serving._fields import Field
from multimodal_ensemble.serving._request_error import RequestError

# Raster formats whose header gives the size; others of Pillow run programs or have no header.
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
_ADDRESS = re.compile(r"https?://", re.IGNORECASE)
# Longer texts are no paths, but may be images in base64.
_MAX_PATH = 4096
_HOW = "Send a data URI, base64, or a file as multipart/form-data"


class ImageReader:
    """Reads the images of requests.

    Parameters
    ----------
    max_pixels : int
        Pixels of one image at most.
    image_folder : path, optional
        Folder below which paths of requests are read; without it, none is. Files of more than
        ``4 * max_pixels`` bytes are refused.
    fetch : FetchOptions, optional
        Permission to fetch http and https addresses, and the limits; without it, none is fetched.
    """

    def __init__(
        self,
        max_pixels: int,
        *,
        image_folder: Path | None = None,
        fetch: FetchOptions | None = None,
    ) -> None:
        self._max_pixels = max_pixels
        self._folder = None if image_folder is None else image_folder.resolve(strict=True)
        self._fetch = fetch
        # Each holds the pixels of an image at full size.
        self._decoding = threading.BoundedSemaphore(os.cpu_count() or 1)
        Image.init()
        self._formats = [name for name in _FORMATS if name in Image.OPEN]

    @property
    def fetches(self) -> bool:
        """Whether addresses may be fetched."""
        return self._fetch is not None

    def read(self, value: Any, field: Field, uploads: Mapping[str, bytes]) -> Any:
        """Return an image for the encoder: pixels, or the bytes of a file that can be decoded."""
        content = self._content(value, uploads)
        with self._decoding:
            return self._decode(content, field)

    def _content(self, value: Any, uploads: Mapping[str, bytes]) -> bytes:
        if isinstance(value, bytes):
            return value
        if isinstance(value, Mapping) and set(value) == {"upload"}:
            name = value["upload"]
            if not isinstance(name, str) or name not in uploads:
                raise RequestError(422, f"there is no uploaded part {name!r:.80}")
            return uploads[name]
        if not isinstance(value, str):
            kind = "an object" if isinstance(value, Mapping) else type(value).__name__
            raise RequestError(422, f"an image cannot be {kind}. {_HOW}")
        if is_data_uri(value):
            try:
                return decode_data_uri(value)
            except ValueError as error:
                raise RequestError(422, f"the data URI cannot be read: {error}") from error
        if self._fetch is not None and _ADDRESS.match(value):
            return _from_address(value, self._fetch)
        reason = (
            f"{value!r:.80} is neither a data URI nor base64; this server reads no files and no "
            f"addresses that a request names. {_HOW}"
        )
        if self._folder is not None:
            if (content := self._from_folder(value, self._folder)) is not None:
                return content
            reason = (
                f"{value!r:.80} is no file in the folder that this server reads images from, and "
                "neither a data URI nor base64"
            )
        return _from_base64(value, reason)

    def _from_folder(self, value: str, folder: Path) -> bytes | None:
        """Return the content of a file in the folder; None if there is no such file."""
        if len(value) > _MAX_PATH:
            return None
        try:
            path = (folder / value).resolve(strict=True)
            if not path.is_relative_to(folder) or not path.is_file():
                return None
            size, most = path.stat().st_size, 4 * self._max_pixels
            if size > most:
                raise RequestError(413, f"the file has {size:,} bytes; at most {most:,}")
            return path.read_bytes()
        except (OSError, ValueError):
            return None

    def _decode(self, content: bytes, field: Field) -> Any:
        try:
            image = Image.open(BytesIO(content), formats=self._formats)
        except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
            raise RequestError(413, f"the image is too large: {error}") from error
        except Exception as error:
            formats = f"{', '.join(self._formats[:-1])} or {self._formats[-1]}"
            what = f"{len(content)} bytes that are no image in the format {formats}"
            raise RequestError(422, what if content else "the image is empty (0 bytes)") from error
        with image:
            if image.width * image.height > self._max_pixels:
                size = f"{image.width} x {image.height}"
                most = f"{self._max_pixels:,}"
                raise RequestError(413, f"the image has {size} pixels; at most {most} in all")
            try:
                if field.size is None:
                    image.load()
                    return content
                return read_image(image, field.size, resampling=field.resampling)
            except MemoryError:
                raise
            except ImageReadError as error:
                raise RequestError(422, f"the image cannot be read: {error.strerror}") from error
            except Exception as error:
                # Pillow raises nearly any type on malformed files.
                raise RequestError(422, f"the image cannot be read: {error}") from error


def _from_base64(text: str, reason: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise RequestError(422, reason) from error


def _from_address(address: str, options: FetchOptions) -> bytes:
    try:
        return fetch_file(address, options)
    except OSError as error:
        # The reason would tell what is in the network of the server.
        raise RequestError(422, f"{address!r:.80} cannot be fetched") from error
