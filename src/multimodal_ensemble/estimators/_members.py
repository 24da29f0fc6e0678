"""Fitting the members of an ensemble: linear models of features, and other estimators."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._row_sample import sample_rows
from multimodal_ensemble._row_views import SelectedRows
from multimodal_ensemble._validation import check_scores
from multimodal_ensemble.encoders import Encoder
from multimodal_ensemble.estimators._feature_blocks import FeatureBlock
from multimodal_ensemble.estimators._member_encoder import (
    MemberEncoder,
    as_multilabel,
    estimators_of,
    member_inputs,
    to_log_odds,
)
from multimodal_ensemble.estimators._rows import Rows
from multimodal_ensemble.estimators._scored import Scored
from multimodal_ensemble.fusion import MemberLayout
from multimodal_ensemble.linear import (
    PlattScaling,
    fit_ridge,
    prior_log_odds,
)
from multimodal_ensemble.model_selection import out_of_fold_scores


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


def fit_linear_member(
    layout: MemberLayout,
    blocks: Mapping[str, FeatureBlock],
    presence: Mapping[str, NDArray[np.int8]],
    rows: Rows,
    scored: Scored,
    seed: int,
) -> FittedMember:
    """Fit the linear model of one member to the rows that have any of its modalities.

    Labels with the same weights share one decomposition of the rows.
    """
    if rows.weight is None or rows.weight.ndim == 1:
        return _fit_labels(layout, blocks, presence, rows, scored, seed)
    columns, number = np.unique(rows.weight, axis=1, return_inverse=True)
    parts, places = [], []
    for pattern, weight in enumerate(columns.T):
        labels = np.flatnonzero(number.ravel() == pattern)
        places.append(labels)
        known = dataclasses.replace(rows, y=rows.y[:, labels], weight=None)
        of_labels = Scored(scored.positions, scored.y[:, labels], None)
        parts.append(_fit_labels(layout, blocks, presence, known, of_labels, seed, weight))
    order = np.argsort(np.concatenate(places))

    def join(arrays: list[Any]) -> NDArray[Any]:
        return np.concatenate(arrays, axis=-1)[..., order]

    return FittedMember(
        layout,
        join([part.kernel for part in parts]),
        PlattScaling(
            join([part.scaling.slope for part in parts]),
            join([part.scaling.intercept for part in parts]),
        ),
        join([part.log_odds for part in parts]),
        join([part.penalties for part in parts]),
        all(part.is_exact for part in parts),
    )


def _fit_labels(
    layout: MemberLayout,
    blocks: Mapping[str, FeatureBlock],
    presence: Mapping[str, NDArray[np.int8]],
    rows: Rows,
    scored: Scored,
    seed: int,
    weight_of_labels: NDArray[np.float64] | None = None,
) -> FittedMember:
    """Fit the labels of rows, which all have the same weights; rows of weight 0 are left out."""
    all_weights = rows.weight if weight_of_labels is None else weight_of_labels
    used = [blocks[name].block for name in layout.encoders]
    used += [block for name in layout.radial if (block := blocks[name].radial_block) is not None]
    here = np.logical_or.reduce([presence[name][:, 0] for name in layout.takes])
    if weight_of_labels is not None:
        here = here & (weight_of_labels > 0)
    log_odds = np.zeros(scored.y.shape)
    if np.count_nonzero(here) < 2:
        zeros = np.zeros(rows.y.shape[1])
        kernel = np.zeros((sum(len(block.mean) for block in used), len(zeros)))
        return FittedMember(layout, kernel, PlattScaling(zeros, zeros), log_odds, zeros)
    # Beside the scored rows of the ensemble, others if few of these have the modalities.
    own = sample_rows(len(here), groups=rows.groups, here=here, seed=seed)
    y: Any = rows.y
    weight: Any = all_weights
    groups, own_in_fit = rows.groups, own
    fitted = used
    if not here.all():
        positions = np.flatnonzero(here)
        fitted = [block.take(positions) for block in used]
        own_in_fit = np.searchsorted(positions, own)
        y = SelectedRows(rows.y, positions)
        weight, groups = (None if each is None else each[positions] for each in (weight, groups))
    if weight_of_labels is not None:
        fitted = [block.recentre(weight) for block in fitted]
    fit = fit_ridge(
        fitted,
        y,
        sample_weight=weight,
        groups=groups,
        scored=own_in_fit,
        seed=seed,
    )
    own_weight = None if all_weights is None else all_weights[own]
    scaling = _calibrate(fit.scores, rows.y[own], own_weight)
    is_here = here[scored.positions]
    of_ensemble = np.searchsorted(own, scored.positions[is_here])
    log_odds[is_here] = scaling.log_odds(fit.scores[of_ensemble])
    for own_block, block, part in zip(fitted, used, fit.coefficients, strict=True):
        # The layers of the model subtract the mean of all rows.
        shift = ((own_block.mean - block.mean) * block.factor) @ part
        scaling = dataclasses.replace(scaling, intercept=scaling.intercept - scaling.slope * shift)
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
