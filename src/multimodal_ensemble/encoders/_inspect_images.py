"""Columns of images: in memory, as paths, as addresses, or as lists of these."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

from multimodal_ensemble._tables import counted, is_missing
from multimodal_ensemble.encoders._column_kind import ColumnKind, sample
from multimodal_ensemble.encoders._image_encoder import ImageEncoder
from multimodal_ensemble.images import (
    IMAGE_SUFFIXES,
    is_data_uri,
    is_web_address,
    local_path,
    looks_like_image,
)

_DELIMITERS = ("|", ";", ",", "\t", "\n", " ")


@dataclass(frozen=True)
class _ImageKind(ColumnKind):
    # Number of paths without a file.
    absent: int = 0


def find_images(values: Sequence[Any], root: Path) -> ColumnKind | None:
    """Return the kind of a column of one image per row, or of paths in delimited strings."""
    kind = _find_single_images(values, root)
    if kind is None or not kind.absent or not all(isinstance(value, str) for value in values):
        return kind
    # The last path of "a.jpg|b.jpg" ends like an image.
    for delimiter in _DELIMITERS:
        split = [value.split(delimiter) for value in values]
        lists = [[part.strip() for part in parts if part.strip()] for parts in split]
        items = [item for listed in lists for item in listed]
        found = _find_single_images(items, root) if len(items) > len(values) else None
        # Other delimiters may be part of the paths.
        if found and found.encoder and found.absent / len(items) < kind.absent / len(values):
            listed = _as_lists(found, lists)
            description = f"{listed.description}, delimited by {delimiter!r}"
            options = {**listed.options, "delimiter": delimiter}
            return replace(listed, description=description, options=options)
    return kind


def find_lists_of_images(known: Sequence[Any], root: Path) -> ColumnKind | None:
    """Return the kind of lists of images, or None if items are none."""
    if any(isinstance(value, set | frozenset) for value in known):
        return None
    items = [item for value in known for item in value if not is_missing(item)]
    kind = _find_single_images(items, root) if items else None
    return kind and _as_lists(kind, known)


def _as_lists(kind: _ImageKind, lists: Sequence[Any]) -> ColumnKind:
    """Return the kind of lists from that of their items."""
    description = f"lists of {kind.description}"
    if kind.encoder is None:
        fetched = kind.if_fetched
        lists_of_fetched = _as_lists(fetched, lists) if isinstance(fetched, _ImageKind) else None
        return ColumnKind(description, if_fetched=lists_of_fetched, warning=kind.warning)
    options = {"items": "mean", **kind.options}
    if n_empty := sum(not len(value) for value in lists):
        # A row without an image lacks the modality.
        description += f"; empty in {n_empty} of {len(lists)} rows"
        options["optional"] = True
    return ColumnKind(description, ImageEncoder, options)


def _find_single_images(values: Sequence[Any], root: Path) -> _ImageKind | None:
    """Return the kind of images, or None if values are none."""
    first = sample(values)
    in_memory = [value for value in first if not isinstance(value, str | PathLike)]
    # Bytes that cannot be opened are damaged files if other values of the column are images.
    if in_memory and any(map(looks_like_image, in_memory)):
        if all(isinstance(value, bytes) or looks_like_image(value) for value in values):
            return _ImageKind("images", ImageEncoder)
        return None
    if not all(isinstance(value, str | PathLike) for value in values):
        return None
    n_web = sum(map(is_web_address, first))
    if n_web > len(first) / 2:
        n_images = sum(map(_has_image_suffix, first))
        are_images = n_images > n_web / 2
        what = "of images" if are_images else "of pages, or of images"
        return _ImageKind(
            f"web addresses {what}, which are not fetched unless you ask for it, with "
            "ImageEncoder(..., fetch=FetchOptions())",
            if_fetched=_ImageKind("web addresses of images", ImageEncoder) if are_images else None,
        )
    is_image = [is_data_uri(value) or _has_image_suffix(value) for value in first]
    if sum(is_image) <= len(first) / 2:
        return None
    return _check_files(values, root)


def _check_files(values: Sequence[Any], root: Path) -> _ImageKind:
    """Return the kind of values most of which are paths of images; find out which exist."""
    if all(map(is_data_uri, values)):
        return _ImageKind("images as data URIs", ImageEncoder)
    distinct = {str(value) for value in values}
    absent = {each for each in distinct if _is_absent(each, root)}
    faulty = tuple(row for row, value in enumerate(values) if str(value) in absent)
    if absent == distinct:
        description = f"paths of image files that do not exist under {str(root)!r}; pass root=..."
        files = [each for each in distinct if not is_web_address(each)]
        warning = (
            f"{counted(len(files), 'image file')} cannot be found under {str(root.absolute())!r}, "
            f"such as {min(files)[:80]!r}"
        )
        return _ImageKind(description, absent=len(faulty), warning=warning)
    description = "paths of image files"
    options: dict[str, Any] = {} if root == Path() else {"root": str(root)}
    if absent:
        description += (
            f", {len(absent)} of {counted(len(distinct), 'path')} without a file, such as "
            f"{min(absent)[:80]!r}"
        )
        options |= {"on_error": "missing", "optional": True}
    return _ImageKind(description, ImageEncoder, options, faulty=faulty, absent=len(faulty))


def _is_absent(source: str, root: Path) -> bool:
    """Return whether a source is a path without a file, or a web address, which is not fetched."""
    path = local_path(source, root)
    # Unlike Path.is_file, it raises no error for a name that is too long.
    is_lost = path is not None and not os.path.isfile(path)  # noqa: PTH113
    return is_lost or is_web_address(source)


def _has_image_suffix(value: Any) -> bool:
    path = str(value).partition("?")[0] if is_web_address(value) else str(value)
    return Path(path).suffix.lower() in IMAGE_SUFFIXES
