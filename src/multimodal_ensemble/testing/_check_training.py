"""Checks that a model with an encoder can be trained, saved, and trained on stored features."""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import Any

import keras
import numpy as np

from multimodal_ensemble._layer_names import head_name
from multimodal_ensemble.encoders import Encoder, present_values
from multimodal_ensemble.features import FeatureStore
from multimodal_ensemble.fusion import fuse_encoders
from multimodal_ensemble.generators import MultimodalDataset
from multimodal_ensemble.testing._requirements import (
    require,
    require_close,
    require_equal,
    run,
    step,
    tolerance,
)
from multimodal_ensemble.training import fit_model, predict_scores

_N_LABELS = 3
_TRIES = 5


def check_training(encoder: Encoder, values: Any) -> None:
    data = {encoder.columns[0]: list(values)} if len(encoder.columns) == 1 else values
    y = np.arange(len(values) * _N_LABELS).reshape(-1, _N_LABELS) // 2 % 2
    dataset = MultimodalDataset(data, [encoder], y, batch_size=2)
    backbone = encoder.get_backbone()
    frozen = None if backbone is None or backbone.trainable_weights else backbone
    before = [] if frozen is None else frozen.get_weights()
    head = encoder.build_head()
    head.build((None, *encoder.feature_shape))
    can_change = bool(head.trainable_weights) or not head.weights
    what = "training changes the head"
    require(can_change, what, "weights to train", "frozen ones only")
    for seed in range(_TRIES):
        model = fuse_encoders([encoder], _N_LABELS, seed=seed)
        # All of a few relu units may be inactive with one seed, but not with several.
        if _train_head(model.get_layer(head_name(encoder.name)), model, dataset):
            break
    else:
        require(False, what, "other weights", "the same weights")
    if frozen is not None:
        same = all(map(np.array_equal, before, frozen.get_weights()))
        what = "training does not change a frozen backbone"
        require(same, what, "the same weights", "other weights")
    if encoder.optional:
        _check_missing_rows(encoder, model)
    _check_saving(encoder, model, dataset)
    if frozen is not None:
        _check_store(encoder, present_values(encoder, values)[0], model, dataset)


def _train_head(head: keras.Layer, model: keras.Model, dataset: MultimodalDataset) -> bool:
    """Train briefly, and return whether that changed the head, if it has weights."""
    # Only trainable weights, because scaling is adapted before training.
    before = [np.array(keras.ops.convert_to_numpy(weight)) for weight in head.trainable_weights]
    with step("a model with the encoder's head can be trained"), warnings.catch_warnings():
        # The labels are invented, so that nothing can be learned.
        warnings.filterwarnings("ignore", "The best mean ROC-AUC", UserWarning)
        result = fit_model(
            model, dataset, dataset, epochs=2, evaluate_every=1, patience=None, verbose=0
        )
    loss = result.history["loss"]
    is_finite = bool(np.isfinite(loss).all())
    require(is_finite, "the loss stays finite in training", "finite", loss.tolist())
    after = [keras.ops.convert_to_numpy(weight) for weight in head.trainable_weights]
    return not head.weights or not all(map(np.array_equal, before, after))


def _check_missing_rows(encoder: Encoder, model: keras.Model) -> None:
    """Require scores of rows that all lack the modality."""
    what = "a model predicts rows that all lack the modality"
    if None in encoder.input_shape:
        what += ", whose lengths are 1 for the head and for trained layers of the backbone"
    with step(what):
        missing = MultimodalDataset({column: [None, None] for column in encoder.columns}, [encoder])
        scores = predict_scores(model, missing)
    require(bool(np.isfinite(scores).all()), what, "finite scores", scores.tolist())


def _check_saving(encoder: Encoder, model: keras.Model, dataset: MultimodalDataset) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        with step("a model with the encoder's layers can be saved and loaded"):
            model.save(path)
            loaded = keras.models.load_model(path)
    what = f"a saved and loaded model with the modality {encoder.name!r} predicts the same"
    scores = predict_scores(model, dataset)
    require_close(what, scores, predict_scores(loaded, dataset), tolerance())


def _check_store(
    encoder: Encoder, values: Any, model: keras.Model, dataset: MultimodalDataset
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = FeatureStore(folder, batch_size=3, dtype="float32")
        stored = store.get_features(encoder, values, verbose=0)
        require_equal("stored features are found again", 0, store.count_uncomputed(encoder, values))
        again = store.get_features(encoder, values, verbose=0)
        cached = MultimodalDataset(dataset.raw, [encoder], dataset.y, store=store, verbose=0)
    computed = run(encoder.get_backbone(), encoder.encode(values))
    require_close("stored features equal computed ones", computed, stored, tolerance())
    require_close("features are stored as they were computed", stored, again)
    scores = predict_scores(model, dataset)
    what = "the model predicts the same from stored features"
    require_close(what, scores, predict_scores(model, cached), tolerance())
