"""Linear controls and the trivial benchmark, which the models have to beat."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from multimodal_ensemble import (
    Encoder,
    FeatureStore,
    MultimodalDataset,
    mean_roc_auc,
    tune_thresholds,
)

from ._split import Outcome, Split

T = TypeVar("T")
Parts = dict[str, np.ndarray]  # by "train", "validation" and "test"

TRIVIAL = "trivial (same scores for all)"
# The candidate penalties; the best one on validation rows is used.
INVERSE_PENALTIES = (0.0003, 0.001, 0.003, 0.01)


def fit_controls(
    movies: pd.DataFrame,
    y: Parts,
    split: Split,
    together: Mapping[str, Sequence[Encoder]],
    store: FeatureStore,
) -> list[Outcome]:
    """Fit logistic regressions: one on all modalities joined, and the sum of one per modality."""
    inputs: dict[Encoder, Parts] = {}
    for encoder in dict.fromkeys(encoder for group in together.values() for encoder in group):
        inputs[encoder] = _standardized_inputs(movies, encoder, split, store)
    alone = {encoder: _timed(_fit_linear, x, y) for encoder, x in inputs.items()}
    outcomes = []
    for suffix, group in together.items():
        n_features = sum(inputs[encoder]["train"].shape[1] for encoder in group)
        parameters = (n_features + 1) * y["train"].shape[1]
        summed = {
            part: sum(alone[encoder][0][part] for encoder in group)
            for part in ("validation", "test")
        }
        seconds = sum(alone[encoder][1] for encoder in group)
        if len(group) == 1:
            outcomes.append(_outcome(f"linear{suffix}", summed, y, parameters, seconds))
            continue
        x = {part: np.hstack([inputs[encoder][part] for encoder in group]) for part in y}
        joined, joined_seconds = _timed(_fit_linear, x, y)
        outcomes += [
            _outcome(f"linear, joined{suffix}", joined, y, parameters, joined_seconds),
            _outcome(f"linear, summed{suffix}", summed, y, parameters, seconds),
        ]
    return outcomes


def trivial_benchmark(y: Parts) -> Outcome:
    """Return the outcome of giving all movies the same scores."""
    scores = {part: np.full(labels.shape, 0.5) for part, labels in y.items()}
    thresholds = tune_thresholds(y["validation"], scores["validation"])
    return Outcome(TRIVIAL, scores["test"], thresholds, roc_auc=0.5, parameters=0, seconds=0.0)


def _standardized_inputs(
    movies: pd.DataFrame, encoder: Encoder, split: Split, store: FeatureStore
) -> Parts:
    """Return the inputs of the model, standardized on training rows.

    Tags are standardized as well: one penalty serves all modalities, and a penalty that suits
    hundreds of poster features would suppress tags, most of which are 0.
    """
    dataset = MultimodalDataset(movies, [encoder], store=store, verbose=0)
    # Zeros where a movie lacks the modality.
    values = dataset.feature_matrix(encoder.name)
    values = values.toarray() if hasattr(values, "toarray") else values
    if encoder.get_backbone() is not None:
        values = np.sign(values) * np.log1p(np.abs(values))
    scaler = StandardScaler().fit(values[split.train])
    return {part: scaler.transform(values[rows]) for part, rows in split.parts().items()}


def _timed(function: Callable[..., T], *arguments: Any) -> tuple[T, float]:
    start = time.perf_counter()
    result = function(*arguments)
    return result, time.perf_counter() - start


def _fit_linear(x: Parts, y: Parts) -> Parts:
    """Return validation and test logits of one regression per genre, with the best penalty."""
    best, best_score = {}, -np.inf
    for inverse_penalty in INVERSE_PENALTIES:
        # These products are so small that BLAS threads mostly wait for each other: on two busy
        # cores, one thread was about 50 times faster.
        with threadpool_limits(1, user_api="blas"):
            models = [_fit_genre(x["train"], column, inverse_penalty) for column in y["train"].T]
        logits = {
            part: np.column_stack([_logits(model, x[part]) for model in models])
            for part in ("validation", "test")
        }
        score = mean_roc_auc(y["validation"], logits["validation"])
        if score > best_score:
            best, best_score = logits, score
    return best


def _fit_genre(x: np.ndarray, y: np.ndarray, inverse_penalty: float) -> LogisticRegression | None:
    """Return a regression, or None where all rows have the same label."""
    if len(np.unique(y)) < 2:
        return None
    return LogisticRegression(C=inverse_penalty, max_iter=1000).fit(x, y)


def _logits(model: LogisticRegression | None, x: np.ndarray) -> np.ndarray:
    return np.zeros(len(x)) if model is None else model.decision_function(x)


def _outcome(name: str, logits: Parts, y: Parts, parameters: int, seconds: float) -> Outcome:
    scores = {part: 1 / (1 + np.exp(-values)) for part, values in logits.items()}
    thresholds = tune_thresholds(y["validation"], scores["validation"])
    roc_auc = mean_roc_auc(y["validation"], scores["validation"])
    return Outcome(name, scores["test"], thresholds, roc_auc, parameters, seconds)
