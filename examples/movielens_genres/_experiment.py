"""Five models, two linear controls and the trivial benchmark, on one split."""

import dataclasses
import time
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from multimodal_ensemble import (
    BagOfWordsEncoder,
    FeatureStore,
    ImageEncoder,
    MultimodalDataset,
    build_concat_fusion,
    fit_model,
    mean_roc_auc,
    predict_scores,
    tune_thresholds,
)
from multimodal_ensemble.encoders import Encoder

from ._data import MovieData, split_rows
from ._recipes import Recipe

TRIVIAL = "trivial (same scores for all)"
# Strengths of the penalty of the linear controls; the best on validation rows is taken.
INVERSE_PENALTIES = (0.0003, 0.001, 0.003, 0.01)


@dataclasses.dataclass
class Outcome:
    """What one model, control or benchmark came to on one split."""

    model: str
    kind: str
    validation_scores: np.ndarray
    test_scores: np.ndarray
    thresholds: np.ndarray
    parameters: int
    seconds: float
    history: pd.DataFrame | None = None


@dataclasses.dataclass
class Split:
    """The outcomes of one seed, with the rows that they were measured on."""

    seed: int
    train: list[int]
    validation: list[int]
    test: list[int]
    outcomes: list[Outcome]


def run_split(
    data: MovieData,
    posters: Mapping[str, ImageEncoder],
    store: FeatureStore,
    recipe: Recipe,
    *,
    max_tags: int,
    seed: int,
    verbose: int = 1,
) -> Split:
    """Train and score everything on the split of one seed; the test rows are only scored."""
    train, validation, test = split_rows(len(data.movies), seed)
    rows = {"train": train, "validation": validation, "test": test}
    tags = BagOfWordsEncoder("tags", max_tokens=max_tags, **recipe.tags)
    tags.fit(data.movies["tags"].iloc[train])
    five: dict[str, list[Encoder]] = {"tags": [tags]}
    five |= {f"posters ({name})": [poster] for name, poster in posters.items()}
    five |= {f"posters and tags ({name})": [poster, tags] for name, poster in posters.items()}
    outcomes = []
    for name, encoders in five.items():
        if verbose:
            print(f"\nTraining: {name}")
        datasets = {
            part: MultimodalDataset(
                data.movies.iloc[numbers],
                encoders,
                data.genres.iloc[numbers],
                batch_size=recipe.batch_size,
                shuffle=part == "train",
                seed=seed,
                store=store,
            )
            for part, numbers in rows.items()
        }
        outcomes.append(_train_model(name, encoders, datasets, recipe, seed, verbose))
    inputs = _linear_inputs(data, tags, posters, store, rows)
    y = {part: data.genres.to_numpy()[numbers] for part, numbers in rows.items()}
    outcomes += _linear_controls(inputs, list(posters), y)
    outcomes.append(_trivial(y))
    return Split(seed, train, validation, test, outcomes)


def _train_model(
    name: str,
    encoders: list[Encoder],
    datasets: dict[str, MultimodalDataset],
    recipe: Recipe,
    seed: int,
    verbose: int,
) -> Outcome:
    validation, test = datasets["validation"], datasets["test"]
    model = build_concat_fusion(
        encoders, len(validation.labels), modality_dropout=recipe.modality_dropout, seed=seed
    )
    result = fit_model(
        model,
        datasets["train"],
        validation,
        epochs=recipe.epochs,
        optimizer=recipe.optimizer(),
        loss=recipe.loss,
        evaluate_every=recipe.evaluate_every,
        patience=recipe.patience,
        verbose=verbose,
    )
    validation_scores = predict_scores(model, validation)
    return Outcome(
        model=name,
        kind="model",
        validation_scores=validation_scores,
        test_scores=predict_scores(model, test),
        thresholds=tune_thresholds(validation.y, validation_scores),
        parameters=result.n_trainable,
        seconds=result.seconds,
        history=result.history,
    )


def _linear_inputs(
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


def _linear_controls(
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
            models = [
                LogisticRegression(C=inverse_penalty, max_iter=1000).fit(x["train"], column)
                for column in y["train"].T
            ]
        logits = {
            part: np.column_stack([model.decision_function(x[part]) for model in models])
            for part in ("validation", "test")
        }
        score = mean_roc_auc(y["validation"], logits["validation"])
        if score > best_score:
            best, best_score = logits, score
    return best


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


def _trivial(y: dict[str, np.ndarray]) -> Outcome:
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
