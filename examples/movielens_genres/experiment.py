"""The experiment: whether posters and tags predict genres better together than alone.

This is the whole study; read it from top to bottom. `run_experiment` prepares the movies, computes
the features of all posters once, and draws the splits. `run_split` then trains every model on a
split, and compares them with the ensemble and the plain call of the library, linear controls and a
trivial benchmark.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from multimodal_ensemble import (
    FeatureStore,
    ImageEncoder,
    MultimodalClassifier,
    MultimodalEnsemble,
    TextEncoder,
)

from ..report import Report
from . import study
from .data import Movies, describe_data, load_movies
from .options import RunOptions
from .study import Outcome, SeedResult, Split


def run_experiment(options: RunOptions) -> Report:
    """Train and compare all models on every seed, and write the report."""
    device = study.use_gpu(mixed_precision=options.mixed_precision)
    store = FeatureStore(options.store)
    print(f"Device: {device}. Features are kept in {store.folder}.")

    recipe = study.choose_recipe(options.recipe, options.loss, options.preprocessing)

    # The movies: filtered, with a row of genres (0 or 1) for each.
    movies = load_movies(options.source)

    # One encoder of posters per network. Its frozen backbone sees each poster once; from then on,
    # all models of all seeds train on the stored features.
    posters = study.make_posters(
        options.backbones,
        movies.folder,
        recipe.encoders,
        image_size=options.image_size,
        on_error="blank" if options.source.unreadable_posters == "blank" else "raise",
        augmentation=study.poster_augmentation(options.views),
    )
    study.build_networks(posters.values())
    # The same for titles and tags as texts, where a language model is given.
    texts = study.make_texts(
        options.text_backbone, movies.data, options.source.modalities, recipe.encoders
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

    # Everything is trained on each split; the report averages over them. The models of the first
    # split are saved.
    results = []
    for number, split in enumerate(splits):
        is_saved = number == 0 and options.only != ("linear",)
        folder = options.out / study.MODELS_FOLDER if is_saved else None
        results.append(run_split(options, movies, posters, texts, store, split, folder))
    return study.write_report(options, movies, posters, texts, results, device, store)


def run_split(
    options: RunOptions,
    movies: Movies,
    posters: Mapping[str, ImageEncoder],
    texts: Mapping[str, TextEncoder],
    store: FeatureStore,
    split: Split,
    folder: Path | None,
) -> SeedResult:
    """Train and score everything on the split of one seed, and save the models to a folder."""
    print(f"\n=== Seed {split.seed} ===")
    data, modalities = movies.data, options.source.modalities
    recipe = study.choose_recipe(options.recipe, options.loss, options.preprocessing)
    y = {part: data.genres.to_numpy()[rows] for part, rows in split.parts().items()}

    # Whatever encoders learn, such as the vocabulary of the tags, comes from training movies.
    encoders = study.make_encoders(data, modalities, recipe.encoders, max_tags=options.max_tags)
    study.fit_on_training_rows(encoders, data, split)
    if folder is not None:
        study.write_random_weights(posters, folder)
        study.save_background(movies, split.train, folder)
    if options.views:
        # Only training posters are augmented.
        store.compute_features(list(posters.values()), data.movies.iloc[split.train], augment=True)

    # The models: each modality alone, then all of them together, once per network.
    outcomes = []
    models = study.list_models(encoders, posters, texts) if "models" in options.only else {}
    for name, seen in models.items():
        if not options.quiet:
            print(f"\nTraining: {name}")
        network = MultimodalClassifier(
            seen,
            threshold="accuracy",
            **recipe.classifier_options(),
            store=store,
            random_state=split.seed,
            verbose=0 if options.quiet else 1,
        )
        outcomes.append(train_network(name, network, movies, split, folder))

    # What the models are compared with: the library's ensemble and its plain call, whose encoders
    # have no options, ...
    if not {"ensemble", "plain"}.isdisjoint(options.only):
        no_options = study.EncoderOptions()
        plain = study.make_encoders(data, modalities, no_options)
        # The networks have the same weights, random ones included.
        plain_posters = study.make_posters(
            {network: poster.weights for network, poster in posters.items()},
            movies.folder,
            no_options,
            image_size=options.image_size,
        )
        plain_texts = study.make_texts(options.text_backbone, data, modalities, no_options)
    if "ensemble" in options.only:
        for name, seen in study.list_ensembles(plain, plain_posters, plain_texts).items():
            ensemble = MultimodalEnsemble(
                seen, threshold="accuracy", store=store, random_state=split.seed, verbose=0
            )
            outcomes.append(fit_ensemble(name, ensemble, movies, split, folder))
    if "plain" in options.only:
        for suffix, seen in study.list_together(plain, plain_posters, plain_texts).items():
            network = MultimodalClassifier(seen, store=store, random_state=split.seed, verbose=0)
            outcomes.append(train_network(f"plain call{suffix}", network, movies, split, folder))

    # ... linear models on the inputs of the recipe, and the same scores for every movie.
    if "linear" in options.only:
        together = study.list_together(encoders, posters, texts)
        outcomes += study.fit_controls(data.movies, y, split, together, store)
    outcomes.append(study.trivial_benchmark(y))
    return SeedResult(split, outcomes)


def train_network(
    name: str, network: MultimodalClassifier, movies: Movies, split: Split, folder: Path | None
) -> Outcome:
    """Train one network; validation movies choose its weights and its thresholds."""
    X, y = movies.data.movies, movies.data.genres
    network.fit(
        X.iloc[split.train],
        y.iloc[split.train],
        validation_data=(X.iloc[split.validation], y.iloc[split.validation]),
    )
    roc_auc = network.provenance_["validation_mean_roc_auc"]
    outcome = _score(name, network, roc_auc, movies, split, folder)
    return dataclasses.replace(outcome, history=network.history_)


def fit_ensemble(
    name: str, ensemble: MultimodalEnsemble, movies: Movies, split: Split, folder: Path | None
) -> Outcome:
    """Fit an ensemble, which chooses by leave-one-out scores and holds out no movies.

    It therefore also learns from the validation movies of the networks.
    """
    rows = [*split.train, *split.validation]
    ensemble.fit(movies.data.movies.iloc[rows], movies.data.genres.iloc[rows])
    roc_auc = ensemble.provenance_["mean_roc_auc"]
    return _score(name, ensemble, roc_auc, movies, split, folder)


def _score(
    name: str,
    estimator: MultimodalClassifier | MultimodalEnsemble,
    roc_auc: float,
    movies: Movies,
    split: Split,
    folder: Path | None,
) -> Outcome:
    """Score the test movies, which happens once, and save the estimator where there is a folder."""
    if folder is not None:
        study.save_model(estimator, name, folder)
    return Outcome(
        name,
        # In the order of the genres.
        estimator.predict_proba(movies.data.movies.iloc[split.test]),
        estimator.thresholds_,
        roc_auc,
        sum(int(np.prod(weight.shape)) for weight in estimator.model_.trainable_weights),
        estimator.provenance_["seconds"],
    )
