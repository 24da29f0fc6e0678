"""Fitting the members of an ensemble: linear models of features, and other estimators."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import normalize

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

_ROWS_PER_CHUNK = 4096


@dataclass(frozen=True, eq=False)
class FeatureBlock:
    """Standardised features of a modality, and the radial features if there are any."""

    block: Block
    # Of a backbone: its features, of which the block holds the directions.
    features: Block | None = None
    radial: RadialFeatures | None = None
    radial_block: Block | None = None

    @property
    def unit(self) -> float:
        """What turns rows of the block into rows of the mean squared norm of their features."""
        return math.sqrt(max(1, int(np.count_nonzero(self.block.factor))))

    def unit_rows(self) -> NDArray[np.float64]:
        """Return standardised features with a variance of 1 on average."""
        return self.block.rows(slice(None)) * self.unit


@dataclass(frozen=True, eq=False)
class FittedMember:
    """A fitted member: its coefficients, calibration, and scores of the training rows.

    `log_odds` are those of each training row from a model without the row, less those of the
    labels' shares.
    """

    layout: MemberLayout
    # Of the inputs of its layer in the model; None for an external member.
    kernel: NDArray[np.float64] | None
    scaling: PlattScaling
    log_odds: NDArray[np.float64]
    penalties: NDArray[np.float64] | None
    is_exact: bool = True


def make_blocks(
    dataset: MultimodalDataset,
    encoders: Sequence[Encoder],
    radial: Sequence[str],
    weight: NDArray[np.float64] | None,
    seed: int,
) -> tuple[dict[str, FeatureBlock], dict[str, NDArray[np.float64]]]:
    """Return the features of all modalities, and which rows have them, of shape (n, 1)."""
    blocks, presence = {}, {}
    for encoder in encoders:
        name = encoder.name
        matrix = dataset.feature_matrix(name)
        has_backbone = encoder.get_backbone() is not None
        if has_backbone:
            # In one copy: sign(x) * log(1 + |x|).
            logarithms = np.abs(matrix)
            matrix = np.copysign(np.log1p(logarithms, out=logarithms), matrix, out=logarithms)
        here = dataset.present(name).copy()
        if encoder.zeros_are_empty:
            here &= np.asarray(abs(matrix).sum(axis=1)).ravel() > 0
        _check_finite(matrix, encoder)
        options: dict[str, Any] = {"present": here, "sample_weight": weight}
        presence[name] = here.astype(np.float64)[:, np.newaxis]
        if has_backbone:
            features = Block.fit(matrix, standardize=True, **options)
            directions = Block.fit(row_directions(features), standardize=False, **options)
            blocks[name] = FeatureBlock(directions, features)
            continue
        # Frequent and rare tokens keep their weights; numbers have none.
        block = Block.fit(matrix, standardize=not encoder.values_are_scaled, **options)
        if name not in radial:
            blocks[name] = FeatureBlock(block)
            continue
        rows = FeatureBlock(block).unit_rows()
        # If rows were dropped, none may be left that has the modality.
        basis = RadialFeatures.fit(rows[here] if here.any() else rows, seed=seed)
        radial_block = Block.fit(basis(rows), standardize=False, **options)
        blocks[name] = FeatureBlock(block, radial=basis, radial_block=radial_block)
    return blocks, presence


def count_tokens(
    encoders: Sequence[Encoder],
    blocks: Mapping[str, FeatureBlock],
    presence: Mapping[str, NDArray[np.float64]],
    n_rows: int,
) -> NDArray[np.float64]:
    """Return the number of tokens of each row in all bags, of shape (n, 1)."""
    counts = np.zeros((n_rows, 1))
    for name in [encoder.name for encoder in encoders if encoder.values_are_tokens]:
        held = (blocks[name].block.matrix != 0).sum(axis=1)
        counts += np.asarray(held).reshape(-1, 1) * presence[name]
    return counts


def fit_linear_member(
    layout: MemberLayout,
    blocks: Mapping[str, FeatureBlock],
    presence: Mapping[str, NDArray[np.float64]],
    rows: Rows,
    seed: int,
) -> FittedMember:
    """Fit the linear model of one member to the rows that have any of its modalities."""
    used = [blocks[name].block for name in layout.encoders]
    used += [block for name in layout.radial if (block := blocks[name].radial_block) is not None]
    here = np.asarray(np.hstack([presence[name] for name in layout.takes]).any(axis=1))
    y = rows.y[here]
    weight = None if rows.weight is None else rows.weight[here]
    if here.sum() < 2:
        zeros = np.zeros(rows.y.shape[1])
        kernel = np.zeros((sum(len(block.mean) for block in used), len(zeros)))
        scaling = PlattScaling(zeros, zeros)
        return FittedMember(layout, kernel, scaling, np.zeros(rows.y.shape), zeros)
    fit = fit_ridge(
        [block.take(here) for block in used],
        y,
        sample_weight=weight,
        groups=None if rows.groups is None else rows.groups[here],
        seed=seed,
    )
    scaling = _calibrate(fit.scores, y, weight)
    log_odds = np.zeros(rows.y.shape)
    log_odds[here] = scaling.log_odds(fit.scores)
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
    scores = to_log_odds(np.mean([y_score for _, y_score in results], axis=0))
    scaling = _calibrate(scores, rows.y, rows.weight)
    return FittedMember(layout, None, scaling, scaling.log_odds(scores), None)


def _calibrate(
    scores: NDArray[np.float64], y: NDArray[np.bool_], weight: NDArray[np.float64] | None
) -> PlattScaling:
    """Return the scaling to log-odds less those of the labels' shares."""
    scaling = PlattScaling.fit(scores, y, weight)
    return PlattScaling(scaling.slope, scaling.intercept - prior_log_odds(y, weight))


def row_directions(block: Block) -> NDArray[np.float32]:
    """Return rows scaled to length 1, in chunks of little memory; a row of zeros stays."""
    n_rows = block.matrix.shape[0]
    directions = np.empty(block.matrix.shape, dtype=np.float32)
    for start in range(0, n_rows, _ROWS_PER_CHUNK):
        chunk = slice(start, min(start + _ROWS_PER_CHUNK, n_rows))
        directions[chunk] = normalize(block.rows(chunk))
    return directions


def _check_finite(matrix: Any, encoder: Encoder) -> None:
    values = matrix.data if hasattr(matrix, "tocsr") else matrix
    if not np.isfinite(values).all():
        msg = (
            f"Features of modality {encoder.name!r} are not all finite. The backbone, or the "
            "encoder, returned NaN or infinity."
        )
        raise ModalityError(msg)
