"""The scores of rows without some of their modalities, or with those of other rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from scipy.special import expit

from multimodal_ensemble._layer_names import CALIBRATION, PROBABILITIES
from multimodal_ensemble._validation import FloatArray
from multimodal_ensemble.encoders import Encoder
from multimodal_ensemble.explanation._explain_rows import parts_of
from multimodal_ensemble.explanation._network_parts import NetworkParts
from multimodal_ensemble.generators import MultimodalDataset

FULL, MISSING, ALONE, SHUFFLED = "full", "missing", "alone", "shuffled"


def modality_scores(
    model: keras.Model,
    dataset: MultimodalDataset,
    *,
    n_repeats: int,
    random_state: int,
) -> dict[tuple[str, str], list[FloatArray]]:
    """Return the scores of rows as a model sees them with other modalities.

    Parameters
    ----------
    model : keras.Model
        Made by `fuse_encoders` or `fuse_late`.
    dataset : MultimodalDataset
        The rows, encoded by the fitted encoders of the model.
    n_repeats : int
        How often a modality is shuffled.
    random_state : int
        Seeds the shuffles.

    Returns
    -------
    dict of (str, str) to list of ndarray of shape (n_rows, n_labels)
        By name of the modality (empty for all of them) and ``"full"``, ``"missing"``, ``"alone"``
        or ``"shuffled"``; one array, or one per shuffle. Encoders that read the same columns are
        one modality, which is called by these columns.

    Examples
    --------
    >>> from multimodal_ensemble import DenseEncoder, MultimodalDataset, fuse_encoders
    >>> from multimodal_ensemble.explanation import modality_scores
    >>> year = DenseEncoder("year").fit([1977, 1997])
    >>> length = DenseEncoder("length").fit([90, 120])
    >>> model = fuse_encoders([year, length], n_labels=1)
    >>> rows = MultimodalDataset({"year": [2001, 2002], "length": [80, 95]}, [year, length])
    >>> list(modality_scores(model, rows, n_repeats=1, random_state=0))[:3]
    [('', 'full'), ('year', 'missing'), ('year', 'alone')]
    """
    parts: Any = parts_of(model, dataset, random_state)
    _, states = parts.read(dataset)
    if isinstance(parts, NetworkParts) and parts.needs_background:
        parts.adopt_background(states)
    rng = np.random.default_rng(random_state)
    orders = [rng.permutation(dataset.n_samples) for _ in range(n_repeats)]
    groups = _group_modalities(dataset.encoders)
    found = {("", FULL): [parts.log_odds(states)]}
    for modality, names in groups.items():
        others = [name for name in parts.modalities if name not in names]
        found[modality, MISSING] = [parts.log_odds(states, others)]
        found[modality, ALONE] = [parts.log_odds(states, names)]
        found[modality, SHUFFLED] = [
            parts.log_odds(states.replace(states.take(order), names)) for order in orders
        ]
    return {key: [_to_scores(model, values) for values in listed] for key, listed in found.items()}


def _group_modalities(encoders: Sequence[Encoder]) -> dict[str, list[str]]:
    """Return the names of encoders by modality: those that read the same columns are one.

    A modality is called as its encoder, or as its columns if it has several encoders.
    """
    by_columns: dict[tuple[str, ...], list[str]] = {}
    for encoder in encoders:
        by_columns.setdefault(tuple(map(str, encoder.columns)), []).append(encoder.name)
    return {
        names[0] if len(names) == 1 else ", ".join(columns): names
        for columns, names in by_columns.items()
    }


def _to_scores(model: keras.Model, log_odds: FloatArray) -> FloatArray:
    # As float32, in which the model returns them: otherwise, rounding would order equal rows.
    scores: Any = expit(log_odds).astype(np.float32)
    for layer in model.layers:
        if layer.name in (CALIBRATION, PROBABILITIES):
            scores = layer(scores)
    return np.asarray(scores, dtype=np.float64)
