"""Two linear controls and the trivial benchmark, which the models have to beat."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from multimodal_ensemble import FeatureStore, mean_roc_auc, tune_thresholds
from multimodal_ensemble.encoders import Encoder

from ..data import MovieData
from ._outcome import Outcome

T = TypeVar("T")

TRIVIAL = "trivial (same scores for all)"
# Strengths of the penalty of the linear controls; the best on validation rows is taken.
INVERSE_PENALTIES = (0.0003, 0.001, 0.003, 0.01)


def linear_inputs(
    data: MovieData,
    encoders: Sequence[Encoder],
    store: FeatureStore,
    rows: dict[str, list[int]],
) -> dict[Encoder, dict[str, np.ndarray]]:
    """Return what the controls see: the models' inputs, standardised on training rows.

    Tags too: one penalty serves all modalities, and what suits some hundred posters' features
    would silence tags that are mostly 0.
    """
    inputs = {}
    for encoder in encoders:
        column = data.movies[encoder.column or encoder.name]
        if encoder.get_backbone() is None:
            values = encoder.encode(column)
        else:
            features = store.get_features(encoder, column)
            values = np.sign(features) * np.log1p(np.abs(features))
        scaler = StandardScaler().fit(values[rows["train"]])
        inputs[encoder] = {
            part: scaler.transform(values[numbers]) for part, numbers in rows.items()
        }
    return inputs


def linear_controls(
    inputs: Mapping[Encoder, dict[str, np.ndarray]],
    together: Mapping[str, Sequence[Encoder]],
    y: dict[str, np.ndarray],
) -> list[Outcome]:
    """Fit logistic regressions: modalities joined in one, and the sum of one a modality.

    Parameters
    ----------
    inputs : mapping of Encoder to dict of str to ndarray
        See `linear_inputs`.
    together : mapping of str to sequence of Encoder
        Which are joined or summed, by how the name of the control ends.
    y : dict of str to ndarray
        The genres of each part.
    """
    alone = {encoder: _timed(_fit_linear, values, y) for encoder, values in inputs.items()}
    outcomes = []
    for suffix, encoders in together.items():
        n_features = sum(inputs[encoder]["train"].shape[1] for encoder in encoders)
        parameters = (n_features + 1) * y["train"].shape[1]
        fitted = [alone[encoder] for encoder in encoders]
        summed = {
            part: sum(logits[part] for logits, _ in fitted) for part in ("validation", "test")
        }
        seconds = sum(seconds for _, seconds in fitted)
        if len(encoders) == 1:
            outcomes.append(_control(f"linear{suffix}", summed, y, parameters, seconds))
            continue
        stacked = {part: np.hstack([inputs[encoder][part] for encoder in encoders]) for part in y}
        joined, joined_seconds = _timed(_fit_linear, stacked, y)
        outcomes += [
            _control(f"linear, joined{suffix}", joined, y, parameters, joined_seconds),
            _control(f"linear, summed{suffix}", summed, y, parameters, seconds),
        ]
    return outcomes


def _timed(function: Callable[..., T], *arguments: Any) -> tuple[T, float]:
    start = time.perf_counter()
    result = function(*arguments)
    return result, time.perf_counter() - start


def _fit_linear(x: dict[str, np.ndarray], y: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return validation and test logits of one regression a label, the penalty from validation."""
    best, best_score = {}, -np.inf
    for inverse_penalty in INVERSE_PENALTIES:
        # These products are so small that BLAS threads spend their time waiting for each other:
        # on two busy cores one thread was some fifty times faster.
        with threadpool_limits(1, user_api="blas"):
            models = [_fit_label(x["train"], column, inverse_penalty) for column in y["train"].T]
        logits = {
            part: np.column_stack([_logits(model, x[part]) for model in models])
            for part in ("validation", "test")
        }
        score = mean_roc_auc(y["validation"], logits["validation"])
        if score > best_score:
            best, best_score = logits, score
    return best


def _fit_label(x: np.ndarray, y: np.ndarray, inverse_penalty: float) -> LogisticRegression | None:
    """Return a regression, or None where all rows are alike and there is nothing to learn."""
    if len(np.unique(y)) < 2:
        return None
    return LogisticRegression(C=inverse_penalty, max_iter=1000).fit(x, y)


def _logits(model: LogisticRegression | None, x: np.ndarray) -> np.ndarray:
    return np.zeros(len(x)) if model is None else model.decision_function(x)


def _control(
    name: str,
    logits: dict[str, np.ndarray],
    y: dict[str, np.ndarray],
    parameters: int,
    seconds: float,
) -> Outcome:
    scores = {part: 1 / (1 + np.exp(-values)) for part, values in logits.items()}
    return Outcome(
        model=name,
        kind="control",
        validation_scores=scores["validation"],
        test_scores=scores["test"],
        thresholds=tune_thresholds(y["validation"], scores["validation"]),
        parameters=parameters,
        seconds=seconds,
    )


def trivial_benchmark(y: dict[str, np.ndarray]) -> Outcome:
    """Give every movie the same scores; each genre is then always or, mostly, never predicted."""
    validation = np.full(y["validation"].shape, 0.5)
    return Outcome(
        model=TRIVIAL,
        kind="benchmark",
        validation_scores=validation,
        test_scores=np.full(y["test"].shape, 0.5),
        thresholds=tune_thresholds(y["validation"], validation),
        parameters=0,
        seconds=0.0,
    )
