"""The features of an ensemble: standardised, and as the members take them.

Features in memory are transformed once; those that are read part by part, on each reading.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import normalize

from multimodal_ensemble._row_sample import sample_rows
from multimodal_ensemble._row_views import MappedRows, is_lazy, take_rows
from multimodal_ensemble.encoders import Encoder
from multimodal_ensemble.exceptions import ModalityError
from multimodal_ensemble.generators import MultimodalDataset
from multimodal_ensemble.linear import Block, RadialFeatures

# Transformed features that take no more bytes are kept in memory if the features are.
_MAX_KEPT_BYTES = 2**30
# Of a sample of rows, every tenth is enough to choose 500 centres.
_STEP_OF_CENTRES = 10
_ROWS_PER_CHUNK = 2**16


class Standardization(NamedTuple):
    """The mean and the factor that standardise features."""

    mean: NDArray[np.float64]
    factor: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class FeatureBlock:
    """Standardised features of a modality, and the radial features if there are any."""

    block: Block
    # Of the features of a backbone, of which the block has the directions.
    features: Standardization | None = None
    radial: RadialFeatures | None = None
    radial_block: Block | None = None

    @property
    def unit(self) -> float:
        """What turns rows of the block into rows of the mean squared norm of their features."""
        return math.sqrt(max(1, int(np.count_nonzero(self.block.factor))))


def make_blocks(
    dataset: MultimodalDataset,
    encoders: Sequence[Encoder],
    radial: Sequence[str],
    weight: NDArray[np.float64] | None,
    seed: int,
    *,
    external: Sequence[str] = (),
) -> tuple[dict[str, FeatureBlock], dict[str, NDArray[np.int8]]]:
    """Return the features of all modalities, and which rows have them, of shape (n, 1).

    Weights for each label are averaged, because all labels share the features.

    `external` are the names of members that need all features in memory.
    """
    weight = weight.mean(axis=1) if weight is not None and weight.ndim == 2 else weight
    blocks, presence = {}, {}
    for encoder in encoders:
        name = encoder.name
        matrix = dataset.feature_matrix(name)
        _check_in_memory(matrix, name, external)
        has_backbone = encoder.get_backbone() is not None
        if has_backbone:
            matrix = _mapped(matrix, _logarithms, matrix.shape[1])
        # Frequent and rare tokens keep their weights; numbers have none.
        block = Block.fit(
            matrix,
            standardize=has_backbone or not encoder.values_are_scaled,
            present=dataset.present(name),
            sample_weight=weight,
            zeros_are_missing=encoder.zeros_are_empty,
        )
        _check_finite(block, encoder)
        options: dict[str, Any] = {"present": block.present, "sample_weight": weight}
        presence[name] = block.present.view(np.int8)[:, np.newaxis]
        if has_backbone:
            directions = Block.fit(row_directions(block), standardize=False, **options)
            features = Standardization(block.mean, block.factor)
            blocks[name] = FeatureBlock(directions, features)
        elif name in radial:
            blocks[name] = _with_radial_features(block, seed, options)
        else:
            blocks[name] = FeatureBlock(block)
    return blocks, presence


def count_tokens(
    encoders: Sequence[Encoder],
    blocks: Mapping[str, FeatureBlock],
    presence: Mapping[str, NDArray[np.int8]],
    positions: NDArray[np.intp],
) -> NDArray[np.float64]:
    """Return the number of tokens of some rows in all bags, of shape (n, 1)."""
    counts = np.zeros((len(positions), 1))
    for name in [encoder.name for encoder in encoders if encoder.values_are_tokens]:
        matrix = take_rows(blocks[name].block.matrix, positions)
        for start in range(0, len(positions), _ROWS_PER_CHUNK):
            part = slice(start, start + _ROWS_PER_CHUNK)
            held = np.asarray((matrix[part] != 0).sum(axis=1)).reshape(-1, 1)
            counts[part] += held * presence[name][positions[part]]
    return counts


def row_directions(features: Block) -> Any:
    """Return standardised features, each row scaled to length 1; a row of zeros stays."""

    def directions(rows: NDArray[Any]) -> NDArray[np.float32]:
        unit_rows: NDArray[Any] = normalize((rows - features.mean) * features.factor)
        return unit_rows.astype(np.float32)

    return _mapped(features.matrix, directions, len(features.mean))


def _logarithms(rows: NDArray[Any]) -> NDArray[Any]:
    """Return ``sign(x) * log(1 + |x|)``."""
    logarithms = np.abs(rows)
    signed: NDArray[Any] = np.copysign(np.log1p(logarithms, out=logarithms), rows, out=logarithms)
    return signed


def _with_radial_features(block: Block, seed: int, options: Mapping[str, Any]) -> FeatureBlock:
    """Return a block with the radial features of its rows."""
    unit = FeatureBlock(block).unit
    # If rows were dropped, none may be left that has the modality.
    here = block.present if block.present.any() else np.ones_like(block.present)
    chosen = sample_rows(len(here), here=here, seed=seed)
    if len(chosen) < np.count_nonzero(here):
        chosen = chosen[::_STEP_OF_CENTRES]
    rows = block.take(chosen).rows(slice(0, len(chosen))) * unit
    basis = RadialFeatures.fit(rows, seed=seed)

    def features(rows: NDArray[Any]) -> NDArray[np.float64]:
        return basis((rows - block.mean) * (block.factor * unit))

    mapped = _mapped(block.matrix, features, basis.projection.shape[1])
    radial_block = Block.fit(mapped, standardize=False, **options)
    return FeatureBlock(block, radial=basis, radial_block=radial_block)


def _mapped(matrix: Any, function: Callable[[NDArray[Any]], NDArray[Any]], n_outputs: int) -> Any:
    """Return a function of all rows: in memory if the rows are and it is small."""
    mapped = MappedRows(matrix, function, n_outputs)
    is_small = 4 * matrix.shape[0] * n_outputs <= _MAX_KEPT_BYTES if not is_lazy(matrix) else False
    return mapped.in_memory() if is_small else mapped


def _check_in_memory(matrix: Any, name: str, external: Sequence[str]) -> None:
    if external and is_lazy(matrix):
        msg = (
            f"The member(s) {list(external)} need the features of all rows in memory, and those of "
            f"modality {name!r} are read from a file because they are too large: shape "
            f"{tuple(matrix.shape)}. Leave the members out, or fit to fewer rows."
        )
        raise ModalityError(msg)


def _check_finite(block: Block, encoder: Encoder) -> None:
    # One number that is not finite makes the mean of its feature NaN or infinite.
    if not np.isfinite(block.mean).all():
        msg = (
            f"Features of modality {encoder.name!r} are not all finite. The backbone, or the "
            "encoder, returned NaN or infinity."
        )
        raise ModalityError(msg)
