"""Training a classifier's model: data sets, features, thresholds."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from typing import Any

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multimodal_ensemble.encoders import Encoder
from multimodal_ensemble.estimators._provenance import describe_training
from multimodal_ensemble.estimators._rows import TrainingRows
from multimodal_ensemble.estimators._thresholds import (
    given_thresholds,
    is_criterion,
    learn_thresholds,
)
from multimodal_ensemble.features import FeatureStore
from multimodal_ensemble.generators import MultimodalDataset
from multimodal_ensemble.metrics import mean_accuracy
from multimodal_ensemble.training import FitResult, fit_model, predict_scores

# Parameters of the classifier that `fit_model` has under the same name.
_FIT_OPTIONS = ("epochs", "loss", "evaluate_every", "patience", "verbose")


@dataclass(frozen=True, eq=False)
class Trained:
    """What a training leaves besides the model's weights."""

    history: pd.DataFrame
    provenance: dict[str, Any]
    thresholds: NDArray[np.float64]


def train_model(
    model: keras.Model,
    encoders: Sequence[Encoder],
    rows: TrainingRows,
    params: Mapping[str, Any],
    seed: int,
    keep: Callable[[Trained], None],
    **options: Any,
) -> None:
    """Train a model, learn thresholds, and hand both to `keep`.

    Parameters
    ----------
    model : keras.Model
        Built from `encoders`.
    encoders : sequence of Encoder
        Fitted.
    rows : TrainingRows
        Rows to train on and to validate with.
    params : mapping
        The classifier's parameters.
    seed : int
        Of the order of rows.
    keep : callable
        Called at the end; and on Ctrl-C, once the validation rows were scored, before
        KeyboardInterrupt goes its way.
    **options
        For `fit_model`.
    """
    threshold = params["threshold"]
    if not is_criterion(threshold):
        # What is wrong with them is better said now than after the training.
        given_thresholds(threshold, rows.classes)
    elif rows.is_same:
        warnings.warn(
            "Thresholds are learned on the training rows, and are too good to be true there: pass "
            "validation_data=(X, y) of other rows, or validation_fraction=0.1.",
            UserWarning,
            stacklevel=4,
        )
    if any(options.get(name) is not None for name in ("checkpoint", "resume_from")):
        options["checkpoint_metadata"] = {"seed": seed}
    options |= {name: params[name] for name in _FIT_OPTIONS}
    with _training_store(params["store"], encoders) as store:
        common = {
            "labels": [str(label) for label in rows.classes.tolist()],
            "batch_size": params["batch_size"],
            "store": store,
            "verbose": min(params["verbose"], 1),
        }
        with rows.train.telling_rows():
            train = MultimodalDataset(
                rows.train.data,
                encoders,
                rows.train.y,
                sample_weight=rows.train.weight,
                shuffle=True,
                seed=seed,
                **common,
            )
        with rows.validation.telling_rows():
            validation = MultimodalDataset(
                rows.validation.data, encoders, rows.validation.y, **common
            )

        if absent := [e.name for e in encoders if not validation.present(e.name).any()]:
            warnings.warn(
                f"No validation row has the modalities {absent}, so weights and thresholds are "
                "chosen for rows without them.",
                UserWarning,
                stacklevel=4,
            )

        def finish(result: FitResult) -> None:
            y_true = np.asarray(validation.y)
            y_score = predict_scores(model, validation)
            thresholds = learn_thresholds(threshold, rows.classes, y_true, y_score)
            learned_from = "training rows" if rows.is_same else "validation rows"
            provenance = describe_training(
                result,
                train,
                validation,
                is_same=rows.is_same,
                thresholds_from=learned_from if is_criterion(threshold) else "given",
                mean_accuracy=mean_accuracy(y_true, y_score, thresholds),
                seed=seed,
            )
            keep(Trained(result.history, provenance, thresholds))

        try:
            result = fit_model(
                model,
                train,
                validation,
                optimizer=_copy_optimizer(params["optimizer"]),
                label_weight=_by_name(params["label_weight"]),
                **options,
            )
        except KeyboardInterrupt as interrupt:
            so_far: FitResult | None = getattr(interrupt, "fit_result", None)
            if so_far is not None and len(so_far.history):
                finish(so_far)
            raise
        finish(result)


def open_store(store: Any) -> FeatureStore | None:
    """Return a store from a store or a path; None stays None."""
    return FeatureStore(store) if isinstance(store, str | PathLike) else store


@contextmanager
def _training_store(store: Any, encoders: Sequence[Encoder]) -> Iterator[FeatureStore | None]:
    """Give the store of features, one for the length of a training if there is none."""
    if store is not None or all(encoder.frozen_part() is None for encoder in encoders):
        yield open_store(store)
        return
    with tempfile.TemporaryDirectory(prefix="features-") as folder:
        yield FeatureStore(folder)


def _copy_optimizer(optimizer: Any) -> Any:
    if isinstance(optimizer, keras.optimizers.Optimizer):
        # Keras binds an optimizer to the first model that it trains.
        return type(optimizer).from_config(optimizer.get_config())
    return optimizer


def _by_name(label_weight: Any) -> Any:
    """Return weights of labels by name, where they are told by label."""
    if isinstance(label_weight, Mapping):
        return {str(label): weight for label, weight in label_weight.items()}
    return label_weight
