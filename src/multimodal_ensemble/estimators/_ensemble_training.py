"""Training an ensemble: features, members, their sum, and thresholds."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

from multimodal_ensemble.encoders import Encoder
from multimodal_ensemble.estimators._class_calibration import learn_last_layers, with_last_layers
from multimodal_ensemble.estimators._decisions import accuracy_of, resolve_threshold
from multimodal_ensemble.estimators._ensemble_model import make_ensemble_model
from multimodal_ensemble.estimators._feature_blocks import count_tokens, make_blocks
from multimodal_ensemble.estimators._fitted import Fitted
from multimodal_ensemble.estimators._member_encoder import external_encoders
from multimodal_ensemble.estimators._member_plan import (
    check_can_be_linear,
    plan_members,
    read_weights,
)
from multimodal_ensemble.estimators._member_report import describe_member, print_member
from multimodal_ensemble.estimators._member_weights import MemberWeights, learn_weights
from multimodal_ensemble.estimators._members import fit_external_member, fit_linear_member
from multimodal_ensemble.estimators._new_encoders import warn_of_leakage
from multimodal_ensemble.estimators._provenance import describe_training
from multimodal_ensemble.estimators._rows import TrainingRows
from multimodal_ensemble.estimators._scored import Scored
from multimodal_ensemble.estimators._thresholds import (
    describe_never_predicted,
    given_thresholds,
    is_criterion,
    learn_thresholds,
)
from multimodal_ensemble.estimators._training import training_store
from multimodal_ensemble.generators import MultimodalDataset
from multimodal_ensemble.linear import PlattScaling
from multimodal_ensemble.metrics import compute_score


def train_ensemble(
    encoders: Sequence[Encoder],
    rows: TrainingRows,
    params: Mapping[str, Any],
    external: Sequence[tuple[str, Any, Sequence[str] | None]],
    excluded: Sequence[str],
    seed: int,
) -> Fitted:
    """Fit all members to the training rows, and return them as one model with thresholds.

    `excluded` are the columns of labels.
    """
    start = time.perf_counter()
    target, verbose = rows.target, params["verbose"]
    threshold = resolve_threshold(params["threshold"], target, rows.train.y)
    if not is_criterion(threshold):
        # Refuse invalid thresholds now and not after the training.
        given_thresholds(threshold, target.labels)
    for encoder in encoders:
        check_can_be_linear(encoder)
    if external and rows.train.weight is not None and rows.train.weight.ndim == 2:
        names = [name for name, *_ in external]
        msg = (
            f"The members {names} cannot leave out unknown labels (NaN in y) or weigh rows for "
            "each label, which only the linear members of the encoders do. Train without them."
        )
        raise ValueError(msg)
    estimators = external_encoders(
        external,
        encoders,
        list(rows.train.data.columns),
        len(target.labels),
        excluded=excluded,
        has_weights=rows.train.weight is not None,
    )
    scored = [encoder for encoder, *_ in estimators.values()]
    warn_of_leakage(scored, excluded)
    layouts = plan_members(encoders, params["groups"], scored, joint=params["joint"])
    given_weights = read_weights(params["weights"], layouts)
    radial = {name for layout in layouts for name in layout.radial}
    part = rows.train
    with training_store(params["store"], encoders) as store:
        with part.locating_errors():
            dataset = MultimodalDataset(part.data, encoders, part.y, store=store, verbose=verbose)
        if n_dropped := len(dataset.dropped):
            part = part.take(np.delete(np.arange(len(part.y)), dataset.dropped["row"]))
        blocks, presence = make_blocks(
            dataset, encoders, [*radial], part.weight, seed, external=[*estimators]
        )
        # The blocks hold all that is needed, in less memory.
        del dataset
        scored_rows = Scored.choose(part, seed)
        members, presences, described = [], [], []
        for layout in layouts:
            began = time.perf_counter()
            if layout.is_scored:
                member = fit_external_member(
                    *estimators[layout.name], layout, part, scored_rows, store, seed
                )
                presence[layout.name] = np.ones((len(part.y), 1), dtype=np.int8)
            else:
                member = fit_linear_member(layout, blocks, presence, part, scored_rows, seed)
            seconds = time.perf_counter() - began
            members.append(member)
            here = layout.presence(presence)
            presences.append(here[scored_rows.positions].astype(np.float64))
            described.append(describe_member(member, scored_rows, here))
            if verbose:
                print_member(described[-1], seconds, is_exact=member.is_exact)
        n_tokens = count_tokens(encoders, blocks, presence, scored_rows.positions)
    said = [member.log_odds for member in members]
    weights = MemberWeights.constant(given_weights)
    if isinstance(params["weights"], str) and params["weights"] == "learned":
        weights = learn_weights(layouts, said, presences, n_tokens, scored_rows, seed)
    evidence = weights.weigh(layouts, said, presences, n_tokens)
    y = scored_rows.y
    scaling = PlattScaling.fit(evidence, y, scored_rows.weight)
    # As float32, because predicted scores are.
    y_score = expit(scaling.log_odds(evidence)).astype(np.float32)
    # Platt scaling of a sum that has it would change nothing.
    method = "isotonic" if params["calibration"] == "isotonic" else None
    layers, y_score = learn_last_layers(
        method, target, y, y_score, scored_rows.weight, are_probabilities=False
    )
    thresholds = learn_thresholds(threshold, target.labels, scored_rows.truth, y_score)
    if is_criterion(threshold):
        # Scores of labels that no scored row has say nothing about where to predict them.
        thresholds[~y.any(axis=0)] = np.inf
    never = describe_never_predicted(
        threshold,
        target.labels,
        thresholds,
        fix="train with more rows that have them",
        is_single=target.is_single,
    )
    if verbose and never is not None:
        print(never, flush=True)
    model = make_ensemble_model([*encoders, *scored], members, blocks, weights, scaling)
    roc_auc = compute_score("mean_roc_auc", scored_rows.truth, y_score)
    if verbose:
        print(f"Ensemble: mean ROC-AUC {roc_auc:.3f} on leave-one-out scores.", flush=True)
    return Fitted(
        classes=target.classes,
        target_type=target.kind,
        encoders=[*encoders, *scored],
        model=with_last_layers(model, layers),
        thresholds=thresholds,
        history=pd.DataFrame(described).assign(weight=weights.weights, exponent=weights.exponents),
        provenance={
            "n_train": len(part.y),
            "n_scored": len(y),
            "n_dropped": n_dropped,
            "calibration": params["calibration"] or "platt",
            "seconds": time.perf_counter() - start,
            "thresholds_from": "leave-one-out scores" if is_criterion(threshold) else "given",
            "mean_roc_auc": roc_auc,
            "mean_accuracy": accuracy_of(scored_rows.truth, y_score, thresholds, target),
            **describe_training(encoders, [rows.train.data], part.truth, seed),
        },
        n_features_in=rows.n_features_in,
        feature_names_in=rows.feature_names_in,
        members=layouts,
    )
