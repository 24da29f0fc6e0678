"""Sizes of layers that arrays in a saved file must have."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import keras
from numpy.typing import NDArray

from multimodal_ensemble._layer_names import (
    EMBEDDINGS,
    SCORES,
    head_name,
    member_name,
    radial_name,
)
from multimodal_ensemble._validation import find_repeated
from multimodal_ensemble.encoders import DenseHead, Encoder, ItemsEncoder
from multimodal_ensemble.exceptions import ArtefactError
from multimodal_ensemble.fusion import MemberLayout, fusion_shapes


def check_sizes(
    encoders: list[Encoder],
    n_labels: int,
    saved: Mapping[str, list[NDArray[Any]]],
    *,
    fusion: str | keras.Layer,
) -> None:
    """Refuse sizes that no array in the file has, before memory is allocated for them."""
    widths = [_width(encoder) for encoder in encoders]
    for encoder, units in zip(encoders, widths, strict=True):
        if units is not None:
            width = _head_shape(encoder)[0]
            _check_kernel(head_name(encoder.name), (width, units), saved)
    known = [units for units in widths if units is not None]
    if len(known) < len(widths):
        return
    size = known[0] if len(known) == 1 else _check_fusion(fusion, known, saved)
    if size is not None:
        _check_kernel(SCORES, (size, n_labels), saved)


def _check_fusion(
    fusion: str | keras.Layer, sizes: Sequence[int], saved: Mapping[str, list[NDArray[Any]]]
) -> int | None:
    """Refuse other sizes of the fusion than its arrays have; return that of its result if known."""
    if (found := fusion_shapes(fusion, sizes)) is None:
        return None
    shapes, size = found
    if shapes != [array.shape for array in saved.get(EMBEDDINGS, [])]:
        msg = f"The layer {EMBEDDINGS!r} has no weights of shapes {shapes} in the file."
        raise ArtefactError(msg)
    return size


def check_member_sizes(
    encoders: Sequence[Encoder],
    members: Sequence[MemberLayout],
    n_labels: int,
    saved: Mapping[str, list[NDArray[Any]]],
) -> dict[str, tuple[int, int]]:
    """Refuse sizes of a late fusion that no array has; return those of radial features."""
    if repeated := find_repeated([member.name for member in members]):
        msg = f"The file has several members named {repeated}."
        raise ArtefactError(msg)
    widths = {encoder.name: math.prod(encoder.feature_shape) for encoder in encoders}
    scored = {name for member in members if member.is_scored for name in member.encoders}
    if wrong := [name for name in scored if widths[name] != n_labels]:
        msg = f"The members {sorted(wrong)} have no score for each of {n_labels} labels."
        raise ArtefactError(msg)
    for name, width in widths.items():
        if name not in scored:
            _check_kernel(head_name(name), (width,), saved)
    radial = {}
    for name in dict.fromkeys(name for member in members for name in member.radial):
        centres, _, projection, _ = saved[radial_name(name)]
        n_centres, n_features = projection.shape
        if centres.shape != (n_centres, widths[name]):
            msg = f"The layer {radial_name(name)!r} has centres of shape {centres.shape}."
            raise ArtefactError(msg)
        radial[name] = (n_centres, n_features)
    _check_kernel(SCORES, (len(members), n_labels), saved)
    for member in members:
        if not member.is_scored:
            width = sum(widths[name] for name in member.encoders)
            width += sum(radial[name][1] for name in member.radial)
            _check_kernel(member_name(member.name), (width, n_labels), saved)
    return radial


def _width(encoder: Encoder) -> int | None:
    """Return the size of an embedding where it is known before its layers are built."""
    head, shape = encoder.head, _head_shape(encoder)
    is_own = type(encoder).build_head not in (Encoder.build_head, ItemsEncoder.build_head)
    if is_own or not isinstance(head, DenseHead) or len(shape) != 1:
        return None
    return max(1, shape[0] // 2) if head.units is None else head.units


def _head_shape(encoder: Encoder) -> tuple[int, ...]:
    """Return the shape of what the head is called with."""
    is_attention = isinstance(encoder, ItemsEncoder) and encoder.items == "attention"
    return encoder.item_encoder().feature_shape if is_attention else encoder.feature_shape


def _check_kernel(
    name: str, shape: tuple[int, ...], saved: Mapping[str, list[NDArray[Any]]]
) -> None:
    if shape not in [array.shape for array in saved.get(name, [])]:
        msg = f"The layer {name!r} has no weights of shape {shape} in the file."
        raise ArtefactError(msg)
