"""Requests to a store: one encoder's features of some values."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._encoder_calls import checked_digests, checked_prepare
from multimodal_ensemble._tables import locating_errors
from multimodal_ensemble.encoders import Encoder, ItemLists, ItemsEncoder
from multimodal_ensemble.exceptions import FeatureStoreError, ModalityError
from multimodal_ensemble.features._extraction import ROWS_PER_SHARD, Rows
from multimodal_ensemble.features._fingerprint import model_fingerprint
from multimodal_ensemble.features._shards import ShardFolder

# Upper estimates: digest and exponent of a row; headers of a file; description of a folder.
_BYTES_PER_ROW = 34
_BYTES_PER_SHARD = 1100
_BYTES_PER_FOLDER = 300


@dataclass(frozen=True, eq=False)
class Request:
    """The frozen backbone of an encoder, the folder of its features, and the requested rows."""

    backbone: keras.Model
    shards: ShardFolder
    rows: Rows
    # True for the rows of the data that have the modality.
    present: NDArray[np.bool_]
    # If rows are lists of items: their encoder, and the lists. `rows` are the items then.
    lists: tuple[ItemsEncoder, ItemLists] | None = None
    # The dtype in which the backbone computes the features of this folder.
    compute_dtype: str = "float32"
    # The folder of the features in bfloat16, if it is not yet decided between the two.
    in_bfloat16: ShardFolder | None = None

    @property
    def feature_shape(self) -> tuple[int, ...]:
        return tuple(int(size) for size in self.backbone.output_shape[1:])

    def encodes_like(self, other: Request) -> bool:
        """Return whether both requests need the same encoded rows."""
        encoder, another = self.rows.reader, other.rows.reader
        return (
            type(encoder) is type(another)
            and encoder.input_shape == another.input_shape
            and encoder.encoding_config() == another.encoding_config()
            and self.rows.variants == other.rows.variants
        )

    def find_uncomputed(self) -> list[int]:
        """Return the first position of each distinct value without features of all variants."""
        index = self.shards.index()
        first: dict[bytes, int] = {}
        for position, digest in enumerate(self.rows.digests):
            first.setdefault(digest, position)
        positions = list(first.values())
        known = np.ones(len(positions), dtype=bool)
        for keys in self.rows.variants:
            known &= index.has([keys[position] for position in positions])
        return [
            position for position, is_known in zip(positions, known, strict=True) if not is_known
        ]

    @property
    def network_name(self) -> str:
        """The name of the network, which other layers may surround."""
        layers = self.backbone.layers
        inner = [layer.name for layer in layers if isinstance(layer, keras.Model)]
        return inner[0] if inner else str(self.backbone.name)

    def using_bfloat16(self, shards: ShardFolder) -> Request:
        """Return the same request for features in bfloat16, which are in another folder."""
        return replace(self, shards=shards, compute_dtype="bfloat16", in_bfloat16=None)

    def n_bytes(self, itemsize: int) -> int:
        """Return the approximate size of the features in a store."""
        n_rows = len(set(self.rows.digests)) * len(self.rows.variants)
        n_shards = math.ceil(n_rows / ROWS_PER_SHARD)
        per_row = math.prod(self.feature_shape) * itemsize + _BYTES_PER_ROW
        return n_rows * per_row + n_shards * _BYTES_PER_SHARD + _BYTES_PER_FOLDER

    def stored_names(self) -> set[str]:
        """Return the names of the folder and of the shards with requested features, for a lease."""
        index, key = self.shards.index(), self.shards.folder.name
        digests = list({digest for digests in self.rows.variants for digest in digests})
        known = [
            digest for digest, is_known in zip(digests, index.has(digests), strict=True) if is_known
        ]
        shards = {shard for shard, _ in index.find(known)}
        return {f"{key}/", *(f"{key}/{shard}" for shard in shards)}

    def read(self) -> NDArray[np.float32]:
        """Return the features, of shape ``(n_variants, n_rows, ...)``; zeros where missing.

        A ShardVanishedError says that some were pruned after they were looked up.
        """
        shape = (len(self.rows.variants), len(self.rows), *self.feature_shape)
        features = np.empty(shape, dtype=np.float32)
        self.shards.index()
        for digests, row in zip(self.rows.variants, features, strict=True):
            self.shards.touch(self.shards.read(digests, row))
        if self.lists is not None:
            encoder, lists = self.lists
            features = np.stack([encoder.pool_items(of_items, lists) for of_items in features])
        if self.present.all():
            return features
        of_all_rows = np.zeros((len(features), len(self.present), *features.shape[2:]), np.float32)
        of_all_rows[:, self.present] = features
        return of_all_rows


def frozen_backbone(encoder: Encoder) -> keras.Model:
    """Return the part of a backbone whose output can be stored, or raise a ModalityError."""
    if isinstance(encoder, ItemsEncoder) and encoder.items is not None:
        encoder = encoder.item_encoder()
    backbone = encoder.frozen_part()
    if backbone is None:
        has_none = encoder.get_backbone() is None
        state = "no backbone" if has_none else "a backbone whose first layers are trained"
        msg = f"Modality {encoder.name!r} has {state}, so it has no features to store."
        raise ModalityError(msg)
    return backbone


def entry_keys(backbone: keras.Model, encoder: Encoder, dtype: str) -> tuple[str, str]:
    """Return the keys of features that are computed in float32 and in bfloat16."""
    identity = [model_fingerprint(backbone), encoder.encoding_config(), dtype]
    in_float32, in_bfloat16 = (
        hashlib.sha256(json.dumps([*identity, each], sort_keys=True).encode()).hexdigest()
        for each in ("float32", "bfloat16")
    )
    return in_float32, in_bfloat16


def make_request(
    encoder: Encoder,
    backbone: keras.Model,
    shards: ShardFolder,
    values: Any,
    views: Sequence[int | None],
    present: NDArray[np.bool_] | None = None,
) -> Request:
    """Prepare and digest the values, or raise a ModalityError if there is no such view.

    By default, all rows have the modality.
    """
    n_views = 0 if encoder.augmentation is None else encoder.augmentation.views
    for view in views:
        if view is not None and view not in range(n_views):
            msg = (
                f"Modality {encoder.name!r} has {n_views} augmented views, numbered "
                f"from 0. Received view={view!r}."
            )
            raise ModalityError(msg)
    present = np.ones(len(values), dtype=bool) if present is None else present
    numbers = np.flatnonzero(present)
    lists = None
    with locating_errors(numbers):
        if isinstance(encoder, ItemsEncoder) and encoder.items is not None:
            values = checked_prepare(encoder, values)
            lists = encoder, values
            numbers = numbers[values.first_rows]
            encoder = encoder.item_encoder()
            with values.locating_errors():
                values = checked_prepare(encoder, values.items)
                digests = checked_digests(encoder, values)
        elif numbers.size:
            values = checked_prepare(encoder, values)
            digests = checked_digests(encoder, values)
        else:
            # An encoder need not be able to prepare nothing.
            values, digests = np.empty(0, dtype=object), []
    variants = [
        digests if view is None else encoder.augmentation.view_digests(digests, view)
        for view in views
    ]
    rows = Rows(encoder, values, digests, variants, list(views), numbers)
    return Request(backbone, shards, rows, present, lists)


def check_limit(requests: Sequence[Request], max_bytes: int, itemsize: int) -> None:
    """Check, before a long computation, that features fit into a store."""
    # Encoders with the same backbone share its features.
    distinct = {request.shards.folder: request for request in requests}.values()
    needed = sum(request.n_bytes(itemsize) for request in distinct)
    if needed > max_bytes:
        msg = (
            f"These features need {needed:,} bytes, and the store is limited to "
            f"max_bytes={max_bytes:,}. Raise the limit, or request fewer rows or views."
        )
        raise FeatureStoreError(msg)
