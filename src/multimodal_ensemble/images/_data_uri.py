"""Images in data URIs, such as ``data:image/png;base64,iVBORw0...``."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TypeGuard

# A longer one is refused before it is decoded: 48 MiB of an encoded image.
MOST_CHARACTERS = 2**26
_START = re.compile(r"data:([\w.+-]+/[\w.+-]+)?(;[\w-]+=[\w.+-]+)*(;base64)?,", re.IGNORECASE)
_TYPES = {"", "application/octet-stream"}


def is_data_uri(source: object) -> TypeGuard[str]:
    """Return whether a source is a data URI, such as ``"data:image/png;base64,iVBORw0..."``.

    Parameters
    ----------
    source : object
        What a table has in place of an image.

    Returns
    -------
    bool
        True for a string that begins like one; its content is not decoded.

    Examples
    --------
    >>> from multimodal_ensemble.images import is_data_uri
    >>> is_data_uri("data:image/gif;base64,R0lG"), is_data_uri("posters/4.jpg")
    (True, False)
    """
    return isinstance(source, str) and _START.match(source, 0, 300) is not None


def describe_data_uri(uri: str) -> str:
    """Return a short name of a data URI."""
    match = _START.match(uri, 0, 300)
    kind = (match[1] if match else None) or "no type"
    return f"data URI ({kind}, {len(uri)} characters)"


def decode_data_uri(uri: str) -> bytes:
    """Return the content of a data URI: the bytes of the file of an image.

    Parameters
    ----------
    uri : str
        A data URI, for which `is_data_uri` is true.

    Returns
    -------
    bytes
        The content, which may be no image; white space in its base64 code is ignored.

    Raises
    ------
    ValueError
        If it is too long, not in base64, or of a type other than an image.

    Examples
    --------
    >>> from multimodal_ensemble.images import decode_data_uri
    >>> decode_data_uri("data:image/gif;base64,R0lG")
    b'GIF'
    """
    match = _START.match(uri, 0, 300)
    kind = ((match[1] if match else None) or "").lower()
    if match is None or not (kind.startswith("image/") or kind in _TYPES):
        msg = f"it has the type {kind}, and is no image"
        raise ValueError(msg)
    if not match[3]:
        msg = "it is not encoded in base64, as images in data URIs must be"
        raise ValueError(msg)
    if len(uri) > MOST_CHARACTERS:
        msg = f"it is longer than {MOST_CHARACTERS} characters"
        raise ValueError(msg)
    try:
        return base64.b64decode("".join(uri[match.end() :].split()), validate=True)
    except (binascii.Error, ValueError) as error:
        msg = f"its base64 code is damaged ({error})"
        raise ValueError(msg) from error
