"""The experiment: whether posters and tags predict genres better together than alone.

This is the whole study; read it from top to bottom. `run_experiment` prepares the movies, computes
the features of all posters once, and draws the splits. `run_split` then trains every model on a
split, and compares them with the ensemble and the plain call of the library, linear controls and a
trivial benchmark.
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
    MultimodalEnsemble,
    TextEncoder,
    fit_model,
    fuse_encoders,
    predict_scores,
    tune_thresholds,
)

from ..report import Report
from . import study
from .data import Movies, describe_data, load_movies
from .options import RunOptions
from .study import Outcome, Recipe, SeedResult, Split


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
    # The same for titles and tags as texts, where a language model is given.
    modalities = options.source.modalities
    texts = study.make_texts(
        options.text_backbone, movies.data, modalities, study.RECIPES[options.recipe].encoders
    )
    print(f"\n{describe_data(movies.data)}\n")
    study.check_genres_differ(movies.data)

    # Each seed draws a split and initial weights. With folds, one of them is its test set.
    genres = movies.data.genres.to_numpy()
    if options.in_folds:
        splits = study.split_into_folds(genres, options.seeds)
    else:
        splits = [study.split_rows(genres, seed) for seed in options.seeds]
    if frozen := [*posters.values(), *texts.values()]:
        store.compute_features(frozen, movies.data.movies)

    # Everything is trained on each split; the report averages over them.
    results = [run_split(options, movies, posters, texts, store, split) for split in splits]
    return study.write_report(options, movies, posters, texts, results, device)


def run_split(
    options: RunOptions,
    movies: Movies,
    posters: Mapping[str, ImageEncoder],
    texts: Mapping[str, TextEncoder],
    store: FeatureStore,
    split: Split,
) -> SeedResult:
    """Train and score everything on the split of one seed."""
    print(f"\n=== Seed {split.seed} ===")
    data, modalities = movies.data, options.source.modalities
    recipe = study.RECIPES[options.recipe]
    y = {part: data.genres.to_numpy()[rows] for part, rows in split.parts().items()}

    # Whatever encoders learn, such as the vocabulary of the tags, comes from training movies.
    encoders = study.make_encoders(data, modalities, recipe.encoders, max_tags=options.max_tags)
    study.fit_on_training_rows(encoders, data, split)
    if options.views:
        # Only training posters are augmented.
        store.compute_features(list(posters.values()), data.movies.iloc[split.train], augment=True)

    # The models: each modality alone, then all of them together, once per network.
    outcomes = []
    models = study.list_models(encoders, posters, texts) if "models" in options.only else {}
    for name, seen in models.items():
        if not options.quiet:
            print(f"\nTraining: {name}")
        datasets = {
            part: MultimodalDataset(
                data.movies.iloc[rows],
                seen,
                data.genres.iloc[rows],
                batch_size=recipe.batch_size,
                shuffle=part == "train",
                seed=split.seed,
                store=store,
            )
            for part, rows in split.parts().items()
        }
        outcomes.append(
            train_model(name, seen, datasets, recipe, split.seed, verbose=not options.quiet)
        )

    # What the models are compared with: the library's ensemble and its plain call, whose encoders
    # have no options, ...
    if not {"ensemble", "plain"}.isdisjoint(options.only):
        plain = study.make_encoders(data, modalities, study.EncoderOptions())
        plain_posters = study.make_posters(
            options.backbones, movies.folder, study.EncoderOptions(), image_size=options.image_size
        )
        plain_texts = study.make_texts(
            options.text_backbone, data, modalities, study.EncoderOptions()
        )
    if "ensemble" in options.only:
        for name, seen in study.list_ensembles(plain, plain_posters, plain_texts).items():
            outcomes.append(fit_ensemble(name, seen, movies, split, store))
    if "plain" in options.only:
        for suffix, seen in study.list_together(plain, plain_posters, plain_texts).items():
            outcomes.append(call_plainly(f"plain call{suffix}", seen, movies, split, store))

    # ... linear models on the same features, and the same scores for every movie.
    if "linear" in options.only:
        together = study.list_together(encoders, posters, texts)
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
    return Outcome(
        name,
        scores,
        thresholds,
        result.best_roc_auc,
        result.n_trainable,
        result.seconds,
        result.history,
    )


def fit_ensemble(
    name: str, encoders: Sequence[Encoder], movies: Movies, split: Split, store: FeatureStore
) -> Outcome:
    """Fit a `MultimodalEnsemble`, which chooses by leave-one-out scores and holds out no movies.

    It therefore also learns from the validation movies of the other models.
    """
    X, y = movies.data.movies, movies.data.genres
    rows = [*split.train, *split.validation]
    start = time.perf_counter()
    ensemble = MultimodalEnsemble(
        encoders, threshold="accuracy", store=store, random_state=split.seed, verbose=0
    )
    ensemble.fit(X.iloc[rows], y.iloc[rows])
    seconds = time.perf_counter() - start
    scores = ensemble.predict_proba(X.iloc[split.test])
    roc_auc = ensemble.provenance_["mean_roc_auc"]
    n_trained = count_trained(ensemble)
    return Outcome(name, scores, ensemble.thresholds_, roc_auc, n_trained, seconds)


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
    scores = classifier.predict_proba(X.iloc[split.test])
    roc_auc = classifier.provenance_["validation_mean_roc_auc"]
    n_trained = count_trained(classifier)
    return Outcome(name, scores, classifier.thresholds_, roc_auc, n_trained, seconds)


def count_trained(estimator: MultimodalClassifier | MultimodalEnsemble) -> int:
    """Return the number of trained parameters."""
    return sum(int(np.prod(weight.shape)) for weight in estimator.model_.trainable_weights)
