"""The fastest way to compute many rows with a frozen network."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import keras

from multimodal_ensemble._graphs import count_replicas, predict_batch
from multimodal_ensemble._keras import (
    has_batch_normalisation,
    has_lambda,
    is_remembered,
    remembered,
)
from multimodal_ensemble.encoders import fold_normalisation
from multimodal_ensemble.features._fingerprint import model_fingerprint

# For fewer rows, no other model is made, which takes a second or two.
_LEAST_ROWS = 256
# What is kept with a model.
_FOLDED = "folded"


def make_predictor(model: keras.Model, n_rows: int) -> Callable[[Any], Any]:
    """Return a function from encoded rows to features, for a pass of about `n_rows` rows.

    It is valid until a weight changes.
    """
    is_worth_it = n_rows >= _LEAST_ROWS or is_remembered(model, _FOLDED)
    can_gain = has_batch_normalisation(model) and not has_lambda(model)
    if not is_worth_it or not can_gain or count_replicas(model) > 1:
        return partial(predict_batch, model)
    state = model_fingerprint(model)
    folded = remembered(model, _FOLDED, state, partial(fold_normalisation, model))
    return partial(predict_batch, folded)
