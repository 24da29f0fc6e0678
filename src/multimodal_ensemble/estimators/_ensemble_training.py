"""Training an ensemble: features, members, their sum, and thresholds."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multimodal_ensemble._label_names import in_label_order
from multimodal_ensemble._layer_names import SCORES, head_name, member_name, radial_name
from multimodal_ensemble._tables import number_groups
from multimodal_ensemble.encoders import Encoder
from multimodal_ensemble.estimators._fitted import Fitted
from multimodal_ensemble.estimators._member_encoder import MemberEncoder
from multimodal_ensemble.estimators._member_plan import check_can_be_linear, plan_members
from multimodal_ensemble.estimators._member_weights import learn_weights
from multimodal_ensemble.estimators._members import (
    FeatureBlock,
    FittedMember,
    fit_external_member,
    fit_linear_member,
    make_blocks,
)
from multimodal_ensemble.estimators._provenance import describe_training
from multimodal_ensemble.estimators._rows import Rows, TrainingRows
from multimodal_ensemble.estimators._thresholds import (
    describe_never_predicted,
    given_thresholds,
    is_criterion,
    learn_thresholds,
)
from multimodal_ensemble.estimators._training import training_store
from multimodal_ensemble.exceptions import ModalityError
from multimodal_ensemble.fusion import MemberLayout, fuse_evidence, fuse_late
from multimodal_ensemble.generators import MultimodalDataset
from multimodal_ensemble.linear import PlattScaling
from multimodal_ensemble.metrics import mean_accuracy, mean_roc_auc

# A constant feature, divided by this, has no influence whatever its value is in prediction.
_NO_INFLUENCE = 1e30


def train_ensemble(
    encoders: Sequence[Encoder],
    rows: TrainingRows,
    params: Mapping[str, Any],
    external: Sequence[tuple[str, Any, Sequence[str] | None]],
    groups: Any,
    seed: int,
) -> Fitted:
    """Fit all members to the training rows, and return them as one model with thresholds."""
    start = time.perf_counter()
    threshold, verbose = params["threshold"], params["verbose"]
    if not is_criterion(threshold):
        # Refuse invalid thresholds now and not after the training.
        given_thresholds(threshold, rows.classes)
    for encoder in encoders:
        check_can_be_linear(encoder)
    scored, estimators = _external_encoders(external, encoders, rows)
    layouts = plan_members(encoders, params["groups"], scored, joint=params["joint"])
    given_weights = _read_weights(params["weights"], layouts)
    radial = {name for layout in layouts for name in layout.radial}
    n_rows = len(rows.train.y)
    kept = np.arange(n_rows)
    if rows.train.weight is not None:
        kept = np.flatnonzero(np.asarray(rows.train.weight) > 0)
    used = rows.train if len(kept) == n_rows else rows.train.take(kept)
    with training_store(params["store"], encoders) as store:
        with used.locating_errors():
            dataset = MultimodalDataset(
                used.data, encoders, used.y, store=store, verbose=min(verbose, 1)
            )
        kept = np.delete(kept, dataset.dropped["row"])
        part = used if not len(dataset.dropped) else rows.train.take(kept)
        numbers = None if groups is None else number_groups(groups, n_rows)[kept]
        weight = None if part.weight is None else np.asarray(part.weight, dtype=np.float64)
        blocks, presence = make_blocks(dataset, encoders, [*radial], weight, seed)
        members = []
        for layout in layouts:
            began = time.perf_counter()
            if layout.is_scored:
                encoder = next(each for each in scored if each.name == layout.name)
                estimator, inputs = estimators[layout.name]
                member = fit_external_member(
                    encoder, estimator, inputs, layout, part, numbers, store, seed
                )
                presence[layout.name] = np.ones((len(part.y), 1))
            else:
                member = fit_linear_member(layout, blocks, presence, part, numbers, seed)
            members.append(member)
            if verbose:
                _report(member, part, presence, time.perf_counter() - began)
    presences = [member.layout.presence(presence) for member in members]
    said = [member.log_odds for member in members]
    if params["weights"] == "learned":
        weights, evidence = learn_weights(layouts, said, presences, part.y, weight, seed)
    else:
        weights = given_weights
        evidence = _weigh(layouts, said, presences, weights)
    scaling = PlattScaling.fit(evidence, part.y, weight)
    # As float32, because predicted scores are.
    y_score = _sigmoid(scaling.log_odds(evidence)).astype(np.float32)
    thresholds = learn_thresholds(threshold, rows.classes, part.y, y_score)
    if is_criterion(threshold):
        # Scores of labels that no training row has are meaningless.
        thresholds[~part.y.any(axis=0)] = np.inf
    never = describe_never_predicted(threshold, rows.classes, thresholds)
    if verbose and never is not None:
        print(never, flush=True)
    model = _make_model([*encoders, *scored], members, blocks, weights, scaling)
    both = part.y.any(axis=0) & ~part.y.all(axis=0)
    roc_auc = mean_roc_auc(part.y[:, both], y_score[:, both]) if both.any() else float("nan")
    if verbose:
        print(f"Ensemble: mean ROC-AUC {roc_auc:.3f} on leave-one-out scores.", flush=True)
    return Fitted(
        classes=rows.classes,
        encoders=[*encoders, *scored],
        model=model,
        thresholds=thresholds,
        history=_describe_members(members, part, presences, weights),
        provenance={
            "n_train": len(part.y),
            "n_dropped": len(dataset.dropped),
            "seconds": time.perf_counter() - start,
            "thresholds_from": "leave-one-out scores" if is_criterion(threshold) else "given",
            "mean_roc_auc": roc_auc,
            "mean_accuracy": float(mean_accuracy(part.y, y_score, thresholds)),
            **describe_training(encoders, [part.data], part.y, seed),
        },
        n_features_in=rows.n_features_in,
        feature_names_in=rows.feature_names_in,
        members=layouts,
    )


def _external_encoders(
    external: Sequence[tuple[str, Any, Sequence[str] | None]],
    encoders: Sequence[Encoder],
    rows: TrainingRows,
) -> tuple[list[MemberEncoder], dict[str, tuple[Any, list[Encoder]]]]:
    """Return external members as encoders, and by name the estimator and what makes its input."""
    by_name = {encoder.name: encoder for encoder in encoders}
    scored: list[MemberEncoder] = []
    estimators: dict[str, tuple[Any, list[Encoder]]] = {}
    for name, estimator, inputs in external:
        if name in by_name or name in estimators:
            msg = f"The name of member {name!r} is taken; members and encoders need distinct names."
            raise ModalityError(msg)
        columns = list(rows.train.data.columns)
        if inputs is None:
            used, wanted = [], columns
        elif all(each in by_name for each in inputs):
            used = [by_name[each] for each in inputs]
            wanted = [column for encoder in used for column in encoder.columns]
        elif all(each in columns for each in inputs):
            used, wanted = [], list(inputs)
        else:
            msg = (
                f"The inputs of member {name!r} must be names of encoders, {list(by_name)}, or of "
                f"columns, {columns}. Received {list(inputs)}."
            )
            raise ModalityError(msg)
        wanted = list(dict.fromkeys(wanted))
        scored.append(MemberEncoder(name, column=wanted, n_labels=len(rows.classes)))
        estimators[name] = (estimator, used)
    return scored, estimators


def _read_weights(weights: Any, layouts: Sequence[MemberLayout]) -> NDArray[np.float64]:
    """Return one weight per member, of shape (n_members, 1), or raise a ValueError."""
    names = [layout.name for layout in layouts]
    if isinstance(weights, str):
        return np.ones((len(names), 1))
    values = np.asarray([float(value) for value in in_label_order(weights, names, name="weights")])
    if not (np.isfinite(values).all() and (values >= 0).all() and values.any()):
        msg = f"weights must not be negative, and not all 0. Received weights={weights!r}."
        raise ValueError(msg)
    return values[:, np.newaxis]


def _weigh(
    layouts: Sequence[MemberLayout],
    log_odds: Sequence[NDArray[np.float64]],
    presences: Sequence[NDArray[np.float64]],
    weights: NDArray[np.float64],
) -> NDArray[np.float64]:
    weighted = [odds * weight for odds, weight in zip(log_odds, weights, strict=True)]
    evidence: NDArray[np.float64] = fuse_evidence(layouts, weighted, presences)
    return evidence


def _make_model(
    encoders: Sequence[Encoder],
    members: Sequence[FittedMember],
    blocks: Mapping[str, FeatureBlock],
    weights: NDArray[np.float64],
    scaling: PlattScaling,
) -> keras.Model:
    """Return the model that computes what the members computed."""
    radial = {
        name: block.radial.projection.shape
        for name, block in blocks.items()
        if block.radial is not None
    }
    n_labels = len(scaling.slope)
    layouts = [member.layout for member in members]
    model = fuse_late(encoders, layouts, n_labels, radial=radial)
    for name, each in blocks.items():
        factor = each.block.factor * each.unit
        scale = np.divide(1, factor, out=np.full_like(factor, _NO_INFLUENCE), where=factor > 0)
        model.get_layer(head_name(name)).set_weights([each.block.mean, scale])
        if each.radial is not None and each.radial_block is not None:
            rbf = each.radial
            model.get_layer(radial_name(name)).set_weights(
                [rbf.centres, np.float32(rbf.width), rbf.projection, each.radial_block.mean]
            )
    for member in members:
        if member.kernel is not None:
            model.get_layer(member_name(member.layout.name)).set_weights([member.kernel])
    slopes = np.stack([member.scaling.slope for member in members]) * weights
    intercepts = np.stack([member.scaling.intercept for member in members]) * weights
    model.get_layer(SCORES).set_weights([slopes, intercepts, scaling.slope, scaling.intercept])
    return model


def _report(
    member: FittedMember,
    rows: Rows,
    presence: Mapping[str, NDArray[np.float64]],
    seconds: float,
) -> None:
    here = member.layout.presence(dict(presence))[:, 0] > 0
    quality = _roc_auc(member.log_odds[here], rows.y[here])
    print(
        f"Member {member.layout.name}: {int(here.sum()):,} rows, mean ROC-AUC {quality:.3f}, "
        f"{seconds:.1f} s" + ("" if member.is_exact else ", leading directions only"),
        flush=True,
    )


def _describe_members(
    members: Sequence[FittedMember],
    rows: Rows,
    presences: Sequence[NDArray[np.float64]],
    weights: NDArray[np.float64],
) -> pd.DataFrame:
    """Return one row per member: what it sees, and how good it is alone."""
    table = []
    for member, presence, weight in zip(members, presences, weights, strict=True):
        here = presence[:, 0] > 0
        penalties = member.penalties
        table.append(
            {
                "member": member.layout.name,
                "modalities": ", ".join(member.layout.takes),
                "n_rows": int(here.sum()),
                "mean_roc_auc": _roc_auc(member.log_odds[here], rows.y[here]),
                "median_penalty": np.nan if penalties is None else float(np.median(penalties)),
                "mean_weight": float(weight.mean()),
            }
        )
    return pd.DataFrame(table)


def _roc_auc(scores: NDArray[np.float64], y: NDArray[np.bool_]) -> float:
    """Return the mean over the labels with both classes; NaN if there are none."""
    both = y.any(axis=0) & ~y.all(axis=0)
    return float(mean_roc_auc(y[:, both], scores[:, both])) if both.any() else float("nan")


def _sigmoid(log_odds: NDArray[np.float64]) -> NDArray[np.float64]:
    result: NDArray[np.float64] = 0.5 * (1 + np.tanh(0.5 * log_odds))
    return result
