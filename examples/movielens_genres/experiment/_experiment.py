"""The models on one split, beside what they are compared with."""

from collections.abc import Collection, Mapping

import numpy as np

from multimodal_ensemble import (
    FeatureStore,
    ImageEncoder,
    MultimodalDataset,
    fit_encoders,
    fit_model,
    fuse_encoders,
    predict_scores,
    tune_thresholds,
)
from multimodal_ensemble.encoders import Encoder

from .._errors import DataError
from ..data import MovieData
from ._controls import linear_controls, linear_inputs, trivial_benchmark
from ._modalities import list_joined, list_models, make_encoders
from ._outcome import Outcome, Split
from ._recipes import Recipe
from ._split import split_rows


def run_split(
    data: MovieData,
    modalities: Collection[str],
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
    encoders = make_encoders(data, modalities, recipe, max_tags=max_tags)
    y = {part: data.genres.to_numpy()[numbers] for part, numbers in rows.items()}
    _check_varied(y["validation"], seed)
    try:
        if encoders:
            fit_encoders(list(encoders.values()), data.movies.iloc[train])
    except ValueError as error:
        msg = f"{error} Change the filters, or run with other --modalities."
        raise DataError(msg) from error
    if posters:
        # The augmented views of the training posters; all plain features are there.
        store.compute_features(list(posters.values()), data.movies.iloc[train], augment=True)
    outcomes = []
    for name, seen in list_models(encoders, posters).items():
        if verbose:
            print(f"\nTraining: {name}")
        datasets = {
            part: MultimodalDataset(
                data.movies.iloc[numbers],
                seen,
                data.genres.iloc[numbers],
                batch_size=recipe.batch_size,
                shuffle=part == "train",
                seed=seed,
                store=store,
            )
            for part, numbers in rows.items()
        }
        outcomes.append(_train_model(name, seen, datasets, recipe, seed, verbose))
    inputs = linear_inputs(data, [*encoders.values(), *posters.values()], store, rows)
    outcomes += linear_controls(inputs, list_joined(encoders, posters), y)
    outcomes.append(trivial_benchmark(y))
    return Split(seed, train, validation, test, outcomes)


def _check_varied(y: np.ndarray, seed: int) -> None:
    if not (y != y[0]).any():
        msg = (
            f"All validation movies of seed {seed} have the same genres, so that nothing can be "
            "chosen by them; keep more genres or movies, or take another --seed."
        )
        raise DataError(msg)


def _train_model(
    name: str,
    encoders: list[Encoder],
    datasets: dict[str, MultimodalDataset],
    recipe: Recipe,
    seed: int,
    verbose: int,
) -> Outcome:
    validation, test = datasets["validation"], datasets["test"]
    model = fuse_encoders(
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
