"""Requests to a store: one encoder's features of some values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble.encoders import Encoder
from multimodal_ensemble.exceptions import FeatureStoreError, ModalityError
from multimodal_ensemble.features._extraction import ROWS_PER_SHARD
from multimodal_ensemble.features._shards import ShardFolder, ShardVanishedError

# Upper estimates: digest and exponent of a row; headers of a file; description of a folder.
_BYTES_PER_ROW = 34
_BYTES_PER_SHARD = 920
_BYTES_PER_FOLDER = 300


@dataclass(frozen=True, eq=False)
class Request:
    """Prepared values whose features are requested.

    Parameters
    ----------
    encoder : Encoder
        The encoder of the values.
    backbone : keras.Model
        The frozen part of the encoder's backbone.
    shards : ShardFolder
        The folder of its features.
    values : array-like of length n
        The result of the encoder's `prepare`.
    digests : list of n bytes
        Digests of the content of the values.
    variants : list of list of n bytes
        The keys of the features, for each variant that is requested.
    views : list of int or None
        The augmented view of each variant; None is the plain value.
    present : ndarray of shape (n_rows,)
        True for the n rows that have the modality and thus a value.
    """

    encoder: Encoder
    backbone: keras.Model
    shards: ShardFolder
    values: Any
    digests: list[bytes]
    variants: list[list[bytes]]
    views: list[int | None]
    present: NDArray[np.bool_]

    @property
    def feature_shape(self) -> tuple[int, ...]:
        return tuple(int(size) for size in self.backbone.output_shape[1:])

    def encodes_like(self, other: Request) -> bool:
        """Return whether both requests need the same encoded rows."""
        return (
            type(self.encoder) is type(other.encoder)
            and self.encoder.input_shape == other.encoder.input_shape
            and self.encoder.encoding_config() == other.encoder.encoding_config()
            and self.variants == other.variants
        )

    def find_uncomputed(self) -> list[int]:
        """Return the first position of each distinct value without features of all variants."""
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
        """Return the approximate size of the features in a store."""
        n_rows = len(set(self.digests)) * len(self.variants)
        n_shards = math.ceil(n_rows / ROWS_PER_SHARD)
        per_row = math.prod(self.feature_shape) * itemsize + _BYTES_PER_ROW
        return n_rows * per_row + n_shards * _BYTES_PER_SHARD + _BYTES_PER_FOLDER

    def read(self) -> NDArray[np.float32]:
        """Return the features of all rows, zeros where the modality is missing.

        Returns
        -------
        ndarray of shape (n_variants, n_rows, ...)
            Features, float32.

        Raises
        ------
        ShardVanishedError
            If some were pruned after they were looked up.
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
        if self.present.all():
            return features
        of_all_rows = np.zeros((len(features), len(self.present), *self.feature_shape), np.float32)
        of_all_rows[:, self.present] = features
        return of_all_rows


def frozen_backbone(encoder: Encoder) -> keras.Model:
    """Return the part of an encoder's backbone whose output can be stored.

    Raises
    ------
    ModalityError
        If there is no such part.
    """
    backbone = encoder.frozen_part()
    if backbone is None:
        state = (
            "has no backbone"
            if encoder.get_backbone() is None
            else "has a backbone whose first layers are trained"
        )
        msg = f"Modality {encoder.name!r} {state}, so it has no features to store."
        raise ModalityError(msg)
    return backbone


def make_request(
    encoder: Encoder,
    backbone: keras.Model,
    shards: ShardFolder,
    values: Any,
    views: Sequence[int | None],
    present: NDArray[np.bool_] | None = None,
) -> Request:
    """Prepare and digest the values; by default, all rows have one.

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
        present=np.ones(len(digests), dtype=bool) if present is None else present,
    )


def check_limit(requests: Sequence[Request], max_bytes: int, itemsize: int) -> None:
    """Check that features fit into a store, and mark those in the store as used.

    The check comes before a long computation. The marks keep the features from being pruned.

    Raises
    ------
    FeatureStoreError
        If the features alone exceed the limit.
    """
    # Encoders with the same backbone share its features.
    distinct = {request.shards.folder: request for request in requests}.values()
    needed = sum(request.n_bytes(itemsize) for request in distinct)
    if needed > max_bytes:
        msg = (
            f"These features need {needed:,} bytes, and the store is limited to "
            f"max_bytes={max_bytes:,}. Raise the limit, or request fewer rows or views."
        )
        raise FeatureStoreError(msg)
    for request in requests:
        index = request.shards.index()
        keys = {digest for digests in request.variants for digest in digests}
        request.shards.touch({index[key][0] for key in keys & index.keys()})
