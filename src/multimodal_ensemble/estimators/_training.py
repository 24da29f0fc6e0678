"""Training one network: data sets, features, weights and thresholds."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from os import PathLike
from typing import Any

import keras
import numpy as np
from sklearn.utils import check_random_state

from multimodal_ensemble._digest import digest_arrays
from multimodal_ensemble._freed_memory import return_freed_memory
from multimodal_ensemble._keras import check_loss, get_optimizer
from multimodal_ensemble._target import MULTICLASS
from multimodal_ensemble._warnings import warn
from multimodal_ensemble.encoders import Encoder
from multimodal_ensemble.estimators._class_calibration import learn_last_layers, with_last_layers
from multimodal_ensemble.estimators._class_training import loss_of, weigh_classes
from multimodal_ensemble.estimators._decisions import accuracy_of, resolve_threshold
from multimodal_ensemble.estimators._fitted import Fitted
from multimodal_ensemble.estimators._provenance import describe_training
from multimodal_ensemble.estimators._rows import TrainingRows
from multimodal_ensemble.estimators._thresholds import (
    describe_never_predicted,
    given_thresholds,
    is_criterion,
    learn_thresholds,
)
from multimodal_ensemble.features import FeatureStore, open_store
from multimodal_ensemble.generators import MultimodalDataset
from multimodal_ensemble.training import (
    FitResult,
    fit_model,
    predict_scores,
    read_checkpoint_metadata,
)

# Parameters of the classifier that `fit_model` has under the same name.
_FIT_OPTIONS = ("epochs", "evaluate_every", "patience", "monitor", "verbose")
# Parameters of the classifier that `fuse_encoders` has under the same name.
FUSION_OPTIONS = ("fusion", "dropout", "modality_dropout")
# The default number of rows per batch. With few rows, smaller batches make as many steps.
BATCH_SIZE = 32


def draw_seed(random_state: Any, resume_from: str | PathLike[str] | None = None) -> int:
    """Return the seed of a training as a number."""
    if isinstance(random_state, int | np.integer):
        return int(random_state)
    if resume_from is not None:
        # Resuming without random_state: reuse the seed stored in the checkpoint.
        seed = read_checkpoint_metadata(resume_from).get("seed")
        # `fit_model` refuses a checkpoint with any other seed.
        if type(seed) is int and 0 <= seed < 2**32:
            return seed
    return int(check_random_state(random_state).randint(2**31 - 1))


def reseed_layers(model: keras.Model, seed: int) -> None:
    """Make the random layers of a trained model follow from a seed and from its weights.

    Copies, pickles and files of a model lack the states of random generators. Further training has
    the same result for all of them, and never repeats the random numbers of the training before.
    """
    weights = (weight.numpy() for weight in model.trainable_weights)
    digest = digest_arrays(weights, prefix=str(seed).encode())
    generator = np.random.default_rng(int(digest, 16))
    for variable in model.variables:
        if variable.name == "seed_generator_state":
            # Some kernels take signed seeds.
            variable.assign(generator.integers(2**31, size=2, dtype=np.uint32))


def train_model(
    model: keras.Model,
    encoders: Sequence[Encoder],
    rows: TrainingRows,
    params: Mapping[str, Any],
    seed: int,
    *,
    final_model: keras.Model | None = None,
    **options: Any,
) -> Fitted:
    """Train a model in place, learn calibration and thresholds, and return all.

    The `final_model`, which has the same layers with none of them frozen, receives the trained
    weights and is returned instead. Other `options` are those of `fit_model`. On Ctrl-C after an
    evaluation, the KeyboardInterrupt has the `Fitted` so far as its attribute `fitted`.
    """
    # Before features are computed.
    target = rows.target
    loss = loss_of(params["loss"], target)
    check_loss(loss)
    threshold = resolve_threshold(params["threshold"], target, rows.train.y)
    if not is_criterion(threshold):
        # Refuse invalid thresholds now and not after the training.
        given_thresholds(threshold, target.labels)
    elif rows.is_same:
        warn(
            "Thresholds are learned on the training rows and are too optimistic there. Pass "
            "validation_data=(X, y) of other rows, or validation_fraction=0.1."
        )
    if rows.is_same and params["calibration"] is not None:
        warn(
            "The calibration is learned on the training rows, whose scores are too good. Pass "
            "validation_data=(X, y) of other rows, or validation_fraction=0.1."
        )
    if any(options.get(name) is not None for name in ("checkpoint", "resume_from")):
        options["checkpoint_metadata"] = {"seed": seed}
    options |= {name: params[name] for name in _FIT_OPTIONS}
    weight = params["label_weight"]
    if target.kind == MULTICLASS:
        rows, weight = weigh_classes(rows, weight), None
    elif isinstance(weight, Mapping):
        weight = {str(label): value for label, value in weight.items()}
    options |= {"optimizer": _make_optimizer(params["optimizer"]), "label_weight": weight}
    options["loss"] = loss
    with training_store(params["store"], encoders) as store:
        train, validation = _make_datasets(encoders, rows, params, seed, store)
        in_files = [not isinstance(each, np.ndarray) for each in train.features.values()]
        if store is not None and any(in_files):
            # Of so many rows, it takes memory that the training needs.
            store.forget_index()
            return_freed_memory()

        def finish(result: FitResult) -> Fitted:
            y_true = np.asarray(validation.truth)
            y_score = predict_scores(model, validation)
            layers, y_score = learn_last_layers(
                params["calibration"],
                target,
                np.asarray(validation.y),
                y_score,
                validation.sample_weight,
            )
            thresholds = learn_thresholds(threshold, target.labels, y_true, y_score)
            if is_criterion(threshold):
                # Scores of labels that no training row has are meaningless.
                thresholds[~rows.train.y.any(axis=0)] = np.inf
            never = describe_never_predicted(
                threshold,
                target.labels,
                thresholds,
                fix="pass validation_data=(X, y) with more rows that have them",
                is_single=target.is_single,
            )
            if params["verbose"] and never is not None:
                print(never, flush=True)
            if final_model is not None:
                final_model.set_weights(model.get_weights())
            tables = [rows.train.data] if rows.is_same else [rows.train.data, rows.validation.data]
            learned_from = "training rows" if rows.is_same else "validation rows"
            provenance = {
                "n_train": train.n_samples,
                "n_validation": validation.n_samples,
                "n_dropped": len(train.dropped) + (0 if rows.is_same else len(validation.dropped)),
                "calibration": params["calibration"],
                "best_step": result.best_step,
                "n_trainable": result.n_trainable,
                "seconds": result.seconds,
                "thresholds_from": learned_from if is_criterion(threshold) else "given",
                "validation_mean_roc_auc": result.best_roc_auc,
                "validation_mean_accuracy": accuracy_of(y_true, y_score, thresholds, target),
                **describe_training(encoders, tables, train.truth, seed),
            }
            return Fitted(
                classes=target.classes,
                target_type=target.kind,
                encoders=list(encoders),
                model=with_last_layers(final_model or model, layers),
                thresholds=thresholds,
                history=result.history,
                provenance=provenance,
                n_features_in=rows.n_features_in,
                feature_names_in=rows.feature_names_in,
            )

        try:
            result = fit_model(model, train, validation, **options)
        except KeyboardInterrupt as interrupt:
            so_far: FitResult | None = getattr(interrupt, "fit_result", None)
            if so_far is not None and len(so_far.history):
                interrupt.fitted = finish(so_far)  # type: ignore[attr-defined]
            raise
        return finish(result)


@contextmanager
def restored_on_error(model: keras.Model | None) -> Iterator[None]:
    """Restore a model's variables if the block raises an error that carries no `Fitted`."""
    variables = [] if model is None else model.variables
    # A copy, because a NumPy view would change with the variable.
    before = [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]
    try:
        yield
    except BaseException as error:
        if not hasattr(error, "fitted"):
            for variable, value in zip(variables, before, strict=True):
                variable.assign(value)
        raise


@contextmanager
def training_store(store: Any, encoders: Sequence[Encoder]) -> Iterator[FeatureStore | None]:
    """Provide the store of features, or a temporary one where there is none."""
    if store is not None or all(encoder.frozen_part() is None for encoder in encoders):
        yield open_store(store)
        return
    with tempfile.TemporaryDirectory(prefix="features-") as folder:
        yield FeatureStore(folder)


def _make_datasets(
    encoders: Sequence[Encoder],
    rows: TrainingRows,
    params: Mapping[str, Any],
    seed: int,
    store: FeatureStore | None,
) -> tuple[MultimodalDataset, MultimodalDataset]:
    """Return the data sets of the training and of the validation rows."""
    both = {
        "labels": [str(label) for label in rows.labels.tolist()],
        "batch_size": params["batch_size"] or min(BATCH_SIZE, -(-len(rows.train.y) // 10)),
        "store": store,
        "verbose": min(params["verbose"], 1),
    }
    part = rows.train
    with part.locating_errors():
        train = MultimodalDataset(
            part.data, encoders, part.y, sample_weight=part.weight, shuffle=True, seed=seed, **both
        )
    with rows.validation.locating_errors():
        # Weights choose nothing here, but labels without a weight are unknown.
        held_out = rows.validation
        validation = MultimodalDataset(held_out.data, encoders, held_out.truth, **both)
    if absent := [e.name for e in encoders if not validation.present(e.name).any()]:
        warn(
            f"No validation row has the modalities {absent}, so weights and thresholds are chosen "
            "for rows without them."
        )
    return train, validation


def _make_optimizer(optimizer: Any) -> Any:
    if isinstance(optimizer, keras.optimizers.Optimizer):
        # Keras binds an optimizer to the first model that it trains.
        return type(optimizer).from_config(optimizer.get_config())
    # Refuse an unknown name before features are computed.
    return get_optimizer(optimizer)
