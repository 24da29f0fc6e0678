"""Checks of the rows of a gallery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from multimodal_ensemble._tables import abbreviate
from multimodal_ensemble._validation import FloatArray
from multimodal_ensemble.reporting._study._gallery_row import GalleryRow
from multimodal_ensemble.reporting._study._jpeg_size import jpeg_size

_MAX_PICTURE_BYTES = 64 * 1024
_MAX_MAP_SIZE = 64


def check_gallery(rows: Any, labels: Sequence[str]) -> tuple[GalleryRow, ...]:
    """Return rows whose arrays have one number per label, or raise a ValueError."""
    listed = list(rows)
    for number, row in enumerate(listed):
        if not isinstance(row, GalleryRow):
            msg = (
                "gallery must be a sequence of GalleryRow objects. Received "
                f"{type(row).__name__} at position {number}; use make_gallery."
            )
            raise ValueError(msg)
    return tuple(_check_row(row, labels, f"gallery[{n}]") for n, row in enumerate(listed))


def _check_row(row: GalleryRow, labels: Sequence[str], where: str) -> GalleryRow:
    if unknown := [label for label in row.labels if label not in labels]:
        msg = (
            f"labels of {where} must be labels of the comparison: {abbreviate(labels)}. Received "
            f"{abbreviate(unknown)}."
        )
        raise ValueError(msg)
    classes = [str(label) for label in row.classes]
    if sorted(classes) != sorted(labels):
        msg = (
            f"classes of {where} must be the labels of the comparison: {abbreviate(labels)}. "
            f"Received {abbreviate(classes)}."
        )
        raise ValueError(msg)
    # The arrays of the result are in the order of the labels of the comparison.
    order = [classes.index(label) for label in labels]

    def read(values: Any, name: str) -> FloatArray:
        return _check_numbers(values, len(labels), f"{name} of {where}")[order]

    y_score = read(row.y_score, "y_score")
    # A comparison with NaN is false.
    if not ((y_score >= 0) & (y_score <= 1)).all():
        msg = f"y_score of {where} must be probabilities, from 0 to 1. Received {y_score.tolist()}."
        raise ValueError(msg)
    thresholds = read(row.thresholds, "thresholds")
    if np.isnan(thresholds).any():
        msg = f"thresholds of {where} must not be NaN. Received {thresholds.tolist()}."
        raise ValueError(msg)
    tokens = {
        str(modality): {
            str(token): read(values, f"tokens[{modality!r}]") for token, values in of_tokens.items()
        }
        for modality, of_tokens in row.tokens.items()
    }
    contributions = {
        str(modality): read(values, f"contributions[{modality!r}]")
        for modality, values in row.contributions.items()
    }
    return replace(
        row,
        title=str(row.title),
        labels=tuple(str(label) for label in row.labels),
        y_score=y_score,
        thresholds=thresholds,
        classes=tuple(labels),
        tokens=tokens,
        contributions=contributions,
        picture=_check_picture(row.picture, where),
        picture_map=_check_map(row, labels, where),
        map_label=str(row.map_label),
    )


def _check_numbers(values: Any, n_labels: int, name: str) -> FloatArray:
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        numbers = np.empty(0)
    if numbers.shape != (n_labels,):
        msg = f"{name} must have {n_labels} numbers, one per label. Received {values!r}."
        raise ValueError(msg)
    return numbers


def _check_picture(picture: Any, where: str) -> bytes | None:
    if picture is None:
        return None
    content = picture if isinstance(picture, bytes) else b""
    is_jpeg = jpeg_size(content) is not None
    if not is_jpeg or len(content) > _MAX_PICTURE_BYTES:
        received = f"{len(content):,} bytes" if is_jpeg else "something else"
        msg = (
            f"picture of {where} must be the bytes of a JPEG file of at most "
            f"{_MAX_PICTURE_BYTES:,} bytes. Received {received}; use make_gallery."
        )
        raise ValueError(msg)
    return content


def _check_map(row: GalleryRow, labels: Sequence[str], where: str) -> FloatArray | None:
    if row.picture_map is None:
        return None
    values = np.asarray(row.picture_map, dtype=np.float64)
    if values.ndim != 2 or not 0 < values.size or max(values.shape) > _MAX_MAP_SIZE:
        msg = (
            f"picture_map of {where} must have shape (height, width), each from 1 to "
            f"{_MAX_MAP_SIZE}. Received shape {values.shape}."
        )
        raise ValueError(msg)
    if not np.isfinite(values).all() or row.picture is None or row.map_label not in labels:
        msg = (
            f"picture_map of {where} must be finite, and the row must have a picture and a "
            f"map_label from {abbreviate(labels)}. Received map_label={row.map_label!r}."
        )
        raise ValueError(msg)
    return values
