"""The experiment: whether posters and tags predict genres better together than alone.

This is the whole study; read it from top to bottom. `run_experiment` prepares the movies and
computes the features of all posters once. `run_seed` then draws a split, trains every model on it,
and compares them with the plain call of the library, linear controls and a trivial benchmark.
"""

import time
from collections.abc import Mapping, Sequence

import numpy as np

from multimodal_ensemble import (
    Encoder,
    FeatureStore,
    ImageEncoder,
    MultimodalClassifier,
    MultimodalDataset,
    fit_model,
    fuse_encoders,
    predict_scores,
    tune_thresholds,
)

from . import study
from .data import Movies, describe_data, load_movies
from .options import RunOptions
from .study import Outcome, Recipe, Report, SeedResult, Split


def run_experiment(options: RunOptions) -> Report:
    """Train and compare all models on every seed, and write the report."""
    device = study.use_gpu(mixed_precision=options.mixed_precision)
    store = FeatureStore(options.store)
    print(f"Device: {device}. Features are kept in {store.folder}.")

    # The movies: filtered, with a row of genres (0 or 1) for each.
    movies = load_movies(options.source)

    # One encoder of posters per network. Its frozen backbone sees each poster once; from then on,
    # all models of all seeds train on the stored features.
    posters = study.make_posters(
        options.backbones,
        movies.folder,
        study.RECIPES[options.recipe].encoders,
        image_size=options.image_size,
        on_error="blank" if options.source.unreadable_posters == "blank" else "raise",
        augmentation=study.poster_augmentation(options.views),
    )
    print(f"\n{describe_data(movies.data)}\n")
    study.check_genres_differ(movies.data)
    if posters:
        store.compute_features(list(posters.values()), movies.data.movies)

    # Each seed draws a split and initial weights; the report averages over seeds.
    results = [run_seed(options, movies, posters, store, seed) for seed in options.seeds]
    return study.write_report(options, movies, posters, results, device)


def run_seed(
    options: RunOptions,
    movies: Movies,
    posters: Mapping[str, ImageEncoder],
    store: FeatureStore,
    seed: int,
) -> SeedResult:
    """Train and score everything on the split of one seed."""
    print(f"\n=== Seed {seed} ===")
    data, modalities = movies.data, options.source.modalities
    recipe = study.RECIPES[options.recipe]
    split = study.split_rows(data.genres.to_numpy(), seed)
    y = {part: data.genres.to_numpy()[rows] for part, rows in split.parts().items()}

    # Whatever encoders learn, such as the vocabulary of the tags, comes from training movies.
    encoders = study.make_encoders(data, modalities, recipe.encoders, max_tags=options.max_tags)
    study.fit_on_training_rows(encoders, data, split)
    if options.views:
        # Only training posters are augmented.
        store.compute_features(list(posters.values()), data.movies.iloc[split.train], augment=True)

    # The models: each modality alone, then all of them together, once per network.
    outcomes = []
    for name, seen in study.list_models(encoders, posters).items():
        if not options.quiet:
            print(f"\nTraining: {name}")
        datasets = {
            part: MultimodalDataset(
                data.movies.iloc[rows],
                seen,
                data.genres.iloc[rows],
                batch_size=recipe.batch_size,
                shuffle=part == "train",
                seed=seed,
                store=store,
            )
            for part, rows in split.parts().items()
        }
        outcomes.append(train_model(name, seen, datasets, recipe, seed, verbose=not options.quiet))

    # What the models are compared with: the library without any options, ...
    if options.recipe == "recommended":
        plain = study.make_encoders(data, modalities, study.EncoderOptions())
        plain_posters = study.make_posters(
            options.backbones, movies.folder, study.EncoderOptions(), image_size=options.image_size
        )
        for suffix, seen in study.list_together(plain, plain_posters).items():
            outcomes.append(call_plainly(f"plain call{suffix}", seen, movies, split, store))

    # ... linear models on the same features, and the same scores for every movie.
    together = study.list_together(encoders, posters)
    outcomes += study.fit_controls(data.movies, y, split, together, store)
    outcomes.append(study.trivial_benchmark(y))
    return SeedResult(split, outcomes)


def train_model(
    name: str,
    encoders: Sequence[Encoder],
    datasets: Mapping[str, MultimodalDataset],
    recipe: Recipe,
    seed: int,
    *,
    verbose: bool,
) -> Outcome:
    """Train one model; validation movies choose its weights and its thresholds."""
    validation, test = datasets["validation"], datasets["test"]
    model = fuse_encoders(
        encoders,
        len(validation.labels),
        dropout=recipe.dropout,
        modality_dropout=recipe.modality_dropout,
        seed=seed,
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
        verbose=int(verbose),
    )
    thresholds = tune_thresholds(validation.y, predict_scores(model, validation))
    # The test movies are scored once.
    scores = predict_scores(model, test)
    return Outcome(name, scores, thresholds, result.n_trainable, result.seconds, result.history)


def call_plainly(
    name: str, encoders: Sequence[Encoder], movies: Movies, split: Split, store: FeatureStore
) -> Outcome:
    """Train a `MultimodalClassifier` with the library's defaults on the same split."""
    X, y = movies.data.movies, movies.data.genres
    start = time.perf_counter()
    classifier = MultimodalClassifier(encoders, store=store, random_state=split.seed, verbose=0)
    classifier.fit(
        X.iloc[split.train],
        y.iloc[split.train],
        validation_data=(X.iloc[split.validation], y.iloc[split.validation]),
    )
    seconds = time.perf_counter() - start
    n_trained = sum(int(np.prod(weight.shape)) for weight in classifier.model_.trainable_weights)
    scores = classifier.predict_proba(X.iloc[split.test])
    return Outcome(name, scores, classifier.thresholds_, n_trained, seconds)
