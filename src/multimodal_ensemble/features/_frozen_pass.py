"""The fastest way to compute many rows with a frozen network."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import keras

from multimodal_ensemble._graphs import count_replicas, predict_batch
from multimodal_ensemble._keras import all_layers, get_remembered, has_lambda, remember
from multimodal_ensemble.encoders import fold_normalisation
from multimodal_ensemble.features._fingerprint import model_fingerprint

# For fewer rows, no other model is made, which takes a second or two.
_LEAST_ROWS = 256


def make_predictor(model: keras.Model, n_rows: int) -> Callable[[Any], Any]:
    """Return a function from encoded rows to features, for a pass of about `n_rows` rows.

    It is valid until a weight changes.
    """
    has_any = any(type(layer) is keras.layers.BatchNormalization for layer in all_layers(model))
    if not has_any or has_lambda(model) or count_replicas(model) > 1:
        return partial(predict_batch, model)
    fingerprint = model_fingerprint(model)
    known, folded = get_remembered(model, "folded")
    if known != fingerprint:
        if n_rows < _LEAST_ROWS:
            return partial(predict_batch, model)
        folded = fold_normalisation(model)
        remember(model, "folded", fingerprint, folded)
    return partial(predict_batch, folded)
