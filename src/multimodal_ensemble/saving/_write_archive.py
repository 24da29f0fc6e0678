"""Write one file that holds a JSON document and arrays."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import multimodal_ensemble.saving._archive_format as layout
from multimodal_ensemble.saving._files import replacing

# Zip files need a larger header for members from 4 GiB on; this limit is well below.
_LARGE_BYTES = 2**30


def write_archive(
    path: str | os.PathLike[str],
    document: Mapping[str, Any],
    arrays: Mapping[str, NDArray[Any]],
    *,
    tidy: bool = True,
) -> None:
    """Write a document and named arrays to one file, completely or not at all.

    Equal content produces equal bytes: the file holds no times, and its arrays are sorted by name.
    The document holds JSON values with finite numbers; `read_archive` checks its ``"format"`` and
    ``"format_version"``. The arrays hold booleans or numbers; see `is_array_name` for their names.
    With `tidy`, temporary files of killed writers of this path are removed.

    Raises
    ------
    OSError
        If the file cannot be written. An older file of the same name is unchanged.
    TypeError, ValueError
        If the document is not JSON, or an array or its name is not allowed.
    """
    path = Path(path)
    manifest = _encode_manifest(document)
    _check_arrays(arrays)
    with (
        replacing(path, tidy=tidy) as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive,
    ):
        with archive.open(_make_member(layout.MANIFEST), "w") as member:
            member.write(manifest)
        for name in sorted(arrays):
            array = np.asarray(arrays[name], order="C")
            info = _make_member(f"arrays/{name}.npy")
            # The size of a member's header depends on this, so it must be known in advance.
            is_large = array.nbytes >= _LARGE_BYTES
            with archive.open(info, "w", force_zip64=is_large) as member:
                np.lib.format.write_array(member, array, version=(1, 0), allow_pickle=False)


def _encode_manifest(document: Mapping[str, Any]) -> bytes:
    try:
        # File names may hold half a surrogate pair, which ASCII escapes preserve, unlike UTF-8.
        text = json.dumps(dict(document), allow_nan=False, ensure_ascii=True, indent=1)
    except RecursionError as error:
        msg = "The document is nested too deeply, or contains itself."
        raise ValueError(msg) from error
    if len(text) > layout.MAX_MANIFEST_BYTES:
        msg = (
            f"The document must be at most {layout.MAX_MANIFEST_BYTES} bytes of JSON. "
            f"Received {len(text)}. Keep large values in the arrays."
        )
        raise ValueError(msg)
    content = text.encode("ascii")
    try:
        layout.check_manifest_size(content)
    except ValueError as error:
        msg = f"The document cannot be read again: {error}. Keep large values in the arrays."
        raise ValueError(msg) from error
    return content


def _check_arrays(arrays: Mapping[str, NDArray[Any]]) -> None:
    if len(arrays) >= layout.MAX_MEMBERS:
        msg = f"An archive holds fewer than {layout.MAX_MEMBERS} arrays. Received {len(arrays)}."
        raise ValueError(msg)
    for name, array in arrays.items():
        if not layout.is_array_name(name):
            msg = (
                "The name of an array must consist of ASCII letters, digits, '.', '_' and '-', in "
                f"parts separated by '/', and have at most {layout.MAX_NAME_LENGTH} characters. "
                f"Received {name!r}."
            )
            raise ValueError(msg)
        if not isinstance(array, np.ndarray) or array.dtype.kind not in layout.NUMERIC_KINDS:
            received = getattr(array, "dtype", type(array).__name__)
            msg = f"The array {name!r} must hold booleans or numbers. Received {received}."
            raise TypeError(msg)
        layout.check_empty_shape(array.shape)


def _make_member(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    # Fixed values, so that every system writes equal bytes.
    info.create_system = 3
    info.external_attr = 0o600 << 16
    return info
