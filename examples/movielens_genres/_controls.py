"""Two linear controls and the trivial benchmark, which the five models have to beat."""

import time
from collections.abc import Mapping, Sequence

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from multimodal_ensemble import (
    BagOfWordsEncoder,
    FeatureStore,
    ImageEncoder,
    mean_roc_auc,
    tune_thresholds,
)

from ._data import MovieData
from ._outcome import Outcome

TRIVIAL = "trivial (same scores for all)"
# Strengths of the penalty of the linear controls; the best on validation rows is taken.
INVERSE_PENALTIES = (0.0003, 0.001, 0.003, 0.01)


def linear_inputs(
    data: MovieData,
    tags: BagOfWordsEncoder,
    posters: Mapping[str, ImageEncoder],
    store: FeatureStore,
    rows: dict[str, list[int]],
) -> dict[str, dict[str, np.ndarray]]:
    """Return what the controls see: the five models' inputs, standardised on training rows.

    Tags too: one penalty serves both modalities, and what suits some hundred posters' features
    would silence tags that are mostly 0.
    """
    inputs = {"tags": tags.encode(data.movies["tags"])}
    for name, poster in posters.items():
        features = store.get_features(poster, data.movies["poster_file"])
        inputs[name] = np.sign(features) * np.log1p(np.abs(features))
    scaled = {}
    for name, values in inputs.items():
        scaler = StandardScaler().fit(values[rows["train"]])
        scaled[name] = {part: scaler.transform(values[numbers]) for part, numbers in rows.items()}
    return scaled


def linear_controls(
    inputs: dict[str, dict[str, np.ndarray]],
    posters: Sequence[str],
    y: dict[str, np.ndarray],
) -> list[Outcome]:
    """Fit logistic regressions: modalities joined in one, and the sum of one a modality."""
    start = time.perf_counter()
    tags = _fit_linear(inputs["tags"], y)
    tags_seconds = time.perf_counter() - start
    outcomes = []
    for name in posters:
        start = time.perf_counter()
        joined = _fit_linear(
            {part: np.hstack([inputs[name][part], inputs["tags"][part]]) for part in y}, y
        )
        joined_seconds = time.perf_counter() - start
        start = time.perf_counter()
        alone = _fit_linear(inputs[name], y)
        sum_seconds = time.perf_counter() - start + tags_seconds
        parameters = (inputs[name]["train"].shape[1] + inputs["tags"]["train"].shape[1] + 1) * y[
            "train"
        ].shape[1]
        summed = {part: alone[part] + tags[part] for part in ("validation", "test")}
        outcomes += [
            _control(f"linear, joined ({name})", joined, y, parameters, joined_seconds),
            _control(f"linear, summed ({name})", summed, y, parameters, sum_seconds),
        ]
    return outcomes


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
