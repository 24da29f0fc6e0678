"""The fastest way to compute many rows with a frozen network."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import keras

from multimodal_ensemble._graphs import (
    count_replicas,
    has_gpu,
    predict_batch,
    trace_with_constants,
)
from multimodal_ensemble._keras import all_layers
from multimodal_ensemble.features._fingerprint import model_fingerprint

# For fewer rows, another graph takes longer to make than it saves.
_LEAST_ROWS = 256
# Of 512 MiB: a graph has a copy of its constants, and TensorFlow limits graphs to 2 GiB.
_MAX_WEIGHTS = 2**27
# The attribute in which a model keeps its graph with constants.
_CACHE = "_multimodal_ensemble_constants"


def make_predictor(model: keras.Model, n_rows: int) -> Callable[[Any], Any]:
    """Return a function from encoded rows to features, for a pass of about `n_rows` rows.

    On a processor, TensorFlow merges a batch normalisation with the convolution before it where
    both are constants: networks that have them take about a quarter less time. The features differ
    by rounding. The function is valid until a weight changes.
    """
    if n_rows < _LEAST_ROWS or not _gains_from_constants(model):
        return partial(predict_batch, model)

    def predict(batch: Any) -> Any:
        known, traced = getattr(model, _CACHE, ("", None))
        if known != fingerprint:
            traced = trace_with_constants(model, batch)
            # Keras would search an attribute that is set in the usual way for layers.
            object.__setattr__(model, _CACHE, (fingerprint, traced))
        return traced(batch)

    fingerprint = model_fingerprint(model)
    return predict


def _gains_from_constants(model: keras.Model) -> bool:
    return (
        not (model.run_eagerly or model.jit_compile or has_gpu())
        and count_replicas(model) == 1
        and model.count_params() <= _MAX_WEIGHTS
        and any(
            isinstance(layer, keras.layers.BatchNormalization) and layer.compute_dtype == "float32"
            for layer in all_layers(model)
        )
    )
