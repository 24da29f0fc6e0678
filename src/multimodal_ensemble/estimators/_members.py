"""Fitting the members of an ensemble: linear models of features, and other estimators."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import normalize

from multimodal_ensemble._row_sample import sample_rows
from multimodal_ensemble._row_views import MappedRows, SelectedRows, is_lazy, take_rows
from multimodal_ensemble._validation import check_scores
from multimodal_ensemble.encoders import Encoder
from multimodal_ensemble.estimators._member_encoder import (
    MemberEncoder,
    as_multilabel,
    estimators_of,
    member_inputs,
    to_log_odds,
)
from multimodal_ensemble.estimators._rows import Rows
from multimodal_ensemble.exceptions import ModalityError
from multimodal_ensemble.fusion import MemberLayout
from multimodal_ensemble.generators import MultimodalDataset
from multimodal_ensemble.linear import (
    Block,
    PlattScaling,
    RadialFeatures,
    fit_ridge,
    prior_log_odds,
)
from multimodal_ensemble.model_selection import out_of_fold_scores

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


@dataclass(frozen=True, eq=False)
class FittedMember:
    """A fitted member: its coefficients, calibration, and scores of the scored rows.

    `log_odds` are those of each scored row from a model without the row, less those of the
    labels' shares.
    """

    layout: MemberLayout
    # Of the inputs of its layer in the model; None for an external member.
    kernel: NDArray[np.float64] | None
    scaling: PlattScaling
    log_odds: NDArray[np.float64]
    penalties: NDArray[np.float64] | None
    is_exact: bool = True


@dataclass(frozen=True, eq=False)
class Scored:
    """The rows whose leave-one-out scores give weights, calibration and thresholds.

    All training rows or, if there are more than 200,000, a random sample of them.
    """

    positions: NDArray[np.intp]
    y: NDArray[np.bool_]
    weight: NDArray[np.float64] | None

    @classmethod
    def choose(cls, rows: Rows, seed: int) -> Scored:
        """Choose rows, with whole groups."""
        positions = sample_rows(len(rows.y), groups=rows.groups, seed=seed)
        if len(positions) == len(rows.y):
            return cls(positions, rows.y, rows.weight)
        weight = None if rows.weight is None else rows.weight[positions]
        return cls(positions, rows.y[positions], weight)


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

    `external` are the names of members that need all features in memory.
    """
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


def fit_linear_member(
    layout: MemberLayout,
    blocks: Mapping[str, FeatureBlock],
    presence: Mapping[str, NDArray[np.int8]],
    rows: Rows,
    scored: Scored,
    seed: int,
) -> FittedMember:
    """Fit the linear model of one member to the rows that have any of its modalities."""
    used = [blocks[name].block for name in layout.encoders]
    used += [block for name in layout.radial if (block := blocks[name].radial_block) is not None]
    here = np.logical_or.reduce([presence[name][:, 0] for name in layout.takes])
    log_odds = np.zeros(scored.y.shape)
    if np.count_nonzero(here) < 2:
        zeros = np.zeros(rows.y.shape[1])
        kernel = np.zeros((sum(len(block.mean) for block in used), len(zeros)))
        return FittedMember(layout, kernel, PlattScaling(zeros, zeros), log_odds, zeros)
    # Beside the scored rows of the ensemble, others if few of these have the modalities.
    own = sample_rows(len(here), groups=rows.groups, here=here, seed=seed)
    y: Any = rows.y
    weight, groups, own_in_fit = rows.weight, rows.groups, own
    if not here.all():
        positions = np.flatnonzero(here)
        own_in_fit = np.searchsorted(positions, own)
        y = SelectedRows(rows.y, positions)
        weight, groups = (None if each is None else each[positions] for each in (weight, groups))
    fit = fit_ridge(
        [block.take(here) for block in used],
        y,
        sample_weight=weight,
        groups=groups,
        scored=own_in_fit,
        seed=seed,
    )
    scaling = _calibrate(fit.scores, rows.y[own], None if rows.weight is None else rows.weight[own])
    is_here = here[scored.positions]
    of_ensemble = np.searchsorted(own, scored.positions[is_here])
    log_odds[is_here] = scaling.log_odds(fit.scores[of_ensemble])
    # The layers of the model return rows that are scaled otherwise than the blocks.
    units: list[Any] = [1 / blocks[name].unit for name in layout.encoders]
    units += [block.factor[:, np.newaxis] for block in used[len(units) :]]
    parts = [unit * part for unit, part in zip(units, fit.coefficients, strict=True)]
    return FittedMember(
        layout, np.concatenate(parts), scaling, log_odds, fit.penalties, fit.is_exact
    )


def fit_external_member(
    encoder: MemberEncoder,
    estimator: Any,
    inputs: Sequence[Encoder],
    layout: MemberLayout,
    rows: Rows,
    scored: Scored,
    store: Any,
    seed: int,
) -> FittedMember:
    """Fit an estimator to all rows, calibrate it on out-of-fold scores, and fill `encoder`."""
    X = member_inputs(encoder.select(rows.data), inputs, store)
    options = {"cv": rows.n_folds, "groups": rows.groups, "sample_weight": rows.weight}
    results = []
    for each in estimators_of(estimator):
        labelled = as_multilabel(each)
        # All folds share the features of a network that has no store of its own.
        own = {"store": store} if labelled.get_params().get("store", ...) is None else {}
        try:
            fitted, y_score = out_of_fold_scores(
                labelled.set_params(**own), X, rows.y, random_state=seed, **options
            )
            check_scores(y_score, rows.y.shape)
        except Exception as error:
            what = "features of the encoders" if inputs else "the columns"
            error.add_note(
                f"The member {encoder.name!r} of the ensemble raised this error; it takes {what} "
                f"{encoder.inputs or encoder.columns}. To give it something else, list names of "
                f"columns or of encoders: members=[({encoder.name!r}, estimator, [...])]."
            )
            raise
        # The store may be a temporary one.
        results.append((fitted.set_params(**dict.fromkeys(own)), y_score))
    encoder.adopt([fitted for fitted, _ in results])
    y_score = np.mean([y_score[scored.positions] for _, y_score in results], axis=0)
    scores = to_log_odds(y_score)
    scaling = _calibrate(scores, scored.y, scored.weight)
    return FittedMember(layout, None, scaling, scaling.log_odds(scores), None)


def _calibrate(
    scores: NDArray[np.float64], y: NDArray[np.bool_], weight: NDArray[np.float64] | None
) -> PlattScaling:
    """Return the scaling to log-odds less those of the labels' shares."""
    scaling = PlattScaling.fit(scores, y, weight)
    return PlattScaling(scaling.slope, scaling.intercept - prior_log_odds(y, weight))


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
    is_small = 4 * len(matrix) * n_outputs <= _MAX_KEPT_BYTES if not is_lazy(matrix) else False
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
