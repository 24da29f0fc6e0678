"""What is asked of a store: one encoder's features of some values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble.encoders import Encoder
from multimodal_ensemble.exceptions import ModalityError
from multimodal_ensemble.features._extraction import ROWS_A_SHARD
from multimodal_ensemble.features._shards import ShardFolder, ShardVanishedError

# Digest and exponent; the headers of a file; what a folder says of itself.
_BYTES_A_ROW = 34
_BYTES_A_SHARD = 900
_BYTES_A_FOLDER = 300


@dataclass(frozen=True, eq=False)
class Request:
    """What one encoder's features are asked of."""

    encoder: Encoder
    backbone: keras.Model
    shards: ShardFolder
    values: Any
    digests: list[bytes]
    # For each variant, what each value is looked up by; the plain value's view is None.
    variants: list[list[bytes]]
    views: list[int | None]

    @property
    def feature_shape(self) -> tuple[int, ...]:
        return tuple(int(size) for size in self.backbone.output_shape[1:])

    def reads_like(self, other: Request) -> bool:
        """Return whether the same encoded rows serve both."""
        return (
            type(self.encoder) is type(other.encoder)
            and self.encoder.input_shape == other.encoder.input_shape
            and self.encoder.encoding_config() == other.encoder.encoding_config()
            and self.variants == other.variants
        )

    def missing(self) -> list[int]:
        """Return where each distinct value that lacks a variant stands first."""
        index = self.shards.index()
        first: dict[bytes, int] = {}
        for position, digest in enumerate(self.digests):
            first.setdefault(digest, position)
        return [
            position
            for position in first.values()
            if any(digests[position] not in index for digests in self.variants)
        ]

    def n_bytes(self, itemsize: int) -> int:
        """Return how much space the features take in a store, about."""
        n_rows = len(set(self.digests)) * len(self.variants)
        n_shards = math.ceil(n_rows / ROWS_A_SHARD)
        a_row = math.prod(self.feature_shape) * itemsize + _BYTES_A_ROW
        return n_rows * a_row + n_shards * _BYTES_A_SHARD + _BYTES_A_FOLDER

    def read(self) -> NDArray[np.float32]:
        """Return the features, of shape ``(n_variants, n, *feature_shape)``.

        Raises
        ------
        ShardVanishedError
            If some were pruned since they were looked up.
        """
        shape = (len(self.variants), len(self.digests), *self.feature_shape)
        features = np.empty(shape, dtype=np.float32)
        index = self.shards.index()
        for digests, rows in zip(self.variants, features, strict=True):
            try:
                places = [index[digest] for digest in digests]
            except KeyError as error:
                raise ShardVanishedError from error
            self.shards.read(places, rows)
            self.shards.touch({name for name, _ in places})
        return features


def frozen_backbone(encoder: Encoder) -> keras.Model:
    """Return the part of an encoder's backbone whose output can be kept.

    Raises
    ------
    ModalityError
        If there is none.
    """
    backbone = encoder.frozen_part()
    if backbone is None:
        state = (
            "has no backbone"
            if encoder.get_backbone() is None
            else "has a backbone that is being trained from its first layers on"
        )
        msg = f"Modality {encoder.name!r} {state}, so there are no features to keep."
        raise ModalityError(msg)
    return backbone


def make_request(
    encoder: Encoder,
    backbone: keras.Model,
    shards: ShardFolder,
    values: Any,
    views: Sequence[int | None],
) -> Request:
    """Digest the values.

    Raises
    ------
    ModalityError
        If the encoder has no such view.
    """
    n_views = 0 if encoder.augmentation is None else encoder.augmentation.views
    for view in views:
        if view is not None and view not in range(n_views):
            msg = (
                f"Modality {encoder.name!r} has {n_views} augmented views, numbered "
                f"from 0. Received view={view!r}."
            )
            raise ModalityError(msg)
    values = encoder.prepare(values)
    digests = encoder.content_digests(values)
    return Request(
        encoder=encoder,
        backbone=backbone,
        shards=shards,
        values=values,
        digests=digests,
        variants=[
            digests if view is None else encoder.augmentation.view_digests(digests, view)
            for view in views
        ],
        views=list(views),
    )
