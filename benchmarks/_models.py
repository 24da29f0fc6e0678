"""Training of the five models: with an empty store, with a full store, and without a store."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from benchmarks._data import N_LABELS, N_TAGS, Movies
from benchmarks._figure import Figure, at_least, time_pairs
from multimodal_ensemble import (
    BagOfWordsEncoder,
    Encoder,
    FeatureStore,
    ImageEncoder,
    MultimodalDataset,
    fit_model,
    fuse_encoders,
    predict_scores,
    tune_thresholds,
)
from multimodal_ensemble.fusion import feature_model

BATCH_SIZE = 32


@dataclass(frozen=True)
class Setting:
    """Options of the five models.

    Parameters
    ----------
    weights : mapping of str to str or None
        Weights by name of the backbone; None is random weights.
    image_size : int
        Side of the images in pixels.
    n_images, n_reference : int
        Number of rows for the five models, and for the comparison with the reference method.
    epochs : int
        Number of epochs, without early stopping.
    repeats : int
        Number of measurements per pair.
    folder : Path
        Folder for feature stores.
    """

    weights: Mapping[str, str | None]
    image_size: int
    n_images: int
    n_reference: int
    epochs: int
    repeats: int
    folder: Path

    def posters(self) -> dict[str, ImageEncoder]:
        """Return one encoder per backbone, already built, so that loading weights is not timed."""
        posters = {
            name: ImageEncoder(
                "poster", backbone=name, weights=weights, image_size=self.image_size, seed=1
            )
            for name, weights in self.weights.items()
        }
        for poster in posters.values():
            poster.get_backbone()
        return posters

    def details(self, movies: Movies) -> dict[str, object]:
        return {
            "images": len(movies.table),
            "image_size": self.image_size,
            "epochs": self.epochs,
            "batch_size": BATCH_SIZE,
            "backbones": {
                name: "random weights" if weights is None else Path(weights).name
                for name, weights in self.weights.items()
            },
        }


def measure_models(movies: Movies, setting: Setting) -> list[Figure]:
    """Return the three figures of the five models."""
    posters = setting.posters()
    return [
        _cold(movies.head(setting.n_images), posters, setting),
        _warm(movies.head(setting.n_images), posters, setting),
        _reference(movies.head(setting.n_reference), posters, setting),
    ]


def _cold(movies: Movies, posters: dict[str, ImageEncoder], setting: Setting) -> Figure:
    pixels = next(iter(posters.values())).encode(movies.table["poster"])

    def baseline() -> None:
        for poster in posters.values():
            for start in range(0, len(pixels), BATCH_SIZE):
                poster.get_backbone().predict_on_batch(pixels[start : start + BATCH_SIZE])

    numbers = itertools.count()

    def ours() -> None:
        store = FeatureStore(setting.folder / f"cold-{next(numbers)}")
        _train_five(movies, posters, store, setting.epochs)

    if setting.repeats > 1:
        # Run TensorFlow's one-time initialisation before the measurement.
        _train_five(movies.head(80), posters, FeatureStore(setting.folder / "first"), 1)
    for poster in posters.values():
        # Keras traces a function for each size of a batch.
        for size in {BATCH_SIZE, len(pixels) % BATCH_SIZE or BATCH_SIZE}:
            poster.get_backbone().predict_on_batch(pixels[:size])
    ratios, seconds = time_pairs(ours, baseline, repeats=setting.repeats, warm_up=False)
    entries = FeatureStore(setting.folder / "cold-0").entries()
    dtypes = {entry.network: entry.compute_dtype for entry in entries}
    return Figure(
        "five models, cold store",
        "one bare predict_on_batch pass of each backbone on decoded arrays, in float32",
        0.6 if "bfloat16" in dtypes.values() else 1.15,
        ratios,
        details=setting.details(movies) | {"compute_dtypes": dtypes} | seconds,
    )


def _warm(movies: Movies, posters: dict[str, ImageEncoder], setting: Setting) -> Figure:
    store = FeatureStore(setting.folder / "warm")
    train, _, _ = _split(movies)
    repeats = at_least(5, setting.repeats)
    arrays = []
    for encoders in _five(posters, movies):
        rows = MultimodalDataset(
            train.table, encoders, train.labels, store=store, verbose=0, batch_size=BATCH_SIZE
        )
        arrays.append((encoders, rows.encode_rows(np.arange(rows.n_samples)), bool(rows.features)))
    y = train.labels.astype("float32")

    def compiled_heads(encoders: list[Encoder], *, is_cut: bool) -> keras.Model:
        model = fuse_encoders(encoders, N_LABELS, seed=1)
        heads = feature_model(model) if is_cut else model
        heads.compile("adam", "binary_crossentropy")
        return heads

    # Models for the warm-up and all repetitions are built first: the baseline is `fit` alone.
    fives = [
        [(compiled_heads(encoders, is_cut=is_cut), inputs) for encoders, inputs, is_cut in arrays]
        for _ in range(repeats + (repeats > 1))
    ]

    def baseline() -> None:
        for heads, inputs in fives.pop():
            heads.fit(inputs, y, batch_size=BATCH_SIZE, epochs=setting.epochs, verbose=0)

    ratios, seconds = time_pairs(
        lambda: _train_five(movies, posters, store, setting.epochs), baseline, repeats=repeats
    )
    return Figure(
        "five models, warm store",
        "bare Keras fit of the same five heads on in-memory arrays",
        1.05,
        ratios,
        details=setting.details(movies) | seconds,
    )


def _reference(movies: Movies, posters: dict[str, ImageEncoder], setting: Setting) -> Figure:
    numbers = itertools.count()

    def ours() -> None:
        store = FeatureStore(setting.folder / f"reference-{next(numbers)}")
        _train_five(movies, posters, store, setting.epochs)

    # Both are already warmed up. The reference method takes minutes, so it is measured once.
    ratios, seconds = time_pairs(
        ours,
        lambda: _train_five(movies, posters, None, setting.epochs),
        repeats=1,
        warm_up=False,
        inverse=True,
    )
    return Figure(
        "reference method: every epoch runs the backbone",
        "this library, cold store, same epochs (speed-up)",
        15,
        ratios,
        at_least=True,
        details=setting.details(movies) | seconds,
    )


def _train_five(
    movies: Movies, posters: dict[str, ImageEncoder], store: FeatureStore | None, epochs: int
) -> None:
    """Train the five models, tune their thresholds and predict, as a user would."""
    train, validation, test = _split(movies)
    if store is not None:
        store.compute_features(list(posters.values()), movies.table, verbose=0)
    for encoders in _five(posters, train):
        rows = [
            MultimodalDataset(
                part.table,
                encoders,
                part.labels,
                batch_size=BATCH_SIZE,
                shuffle=part is train,
                store=store,
                verbose=0,
            )
            for part in (train, validation, test)
        ]
        model = fuse_encoders(encoders, N_LABELS, seed=1)
        fit_model(model, rows[0], rows[1], epochs=epochs, patience=None, verbose=0)
        tune_thresholds(rows[1].y, predict_scores(model, rows[1]))
        predict_scores(model, rows[2])


def _five(posters: dict[str, ImageEncoder], train: Movies) -> list[list[Encoder]]:
    tags = BagOfWordsEncoder("tags", max_tokens=N_TAGS).fit(train.table["tags"])
    alone = list(posters.values())
    return [[tags], *([poster] for poster in alone), *([poster, tags] for poster in alone)]


def _split(movies: Movies) -> tuple[Movies, Movies, Movies]:
    ends = [0, int(0.8 * len(movies.table)), int(0.9 * len(movies.table)), len(movies.table)]
    first, second, third = (
        Movies(movies.table.iloc[start:end], movies.labels[start:end])
        for start, end in itertools.pairwise(ends)
    )
    return first, second, third
