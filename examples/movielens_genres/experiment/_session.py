"""One run: encoders and store from the options, every seed, the results."""

import argparse
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from multimodal_ensemble import FeatureStore, ImageEncoder

from .._errors import DataError
from .._files import write_json
from .._versions import describe_versions
from ..data import MovieData
from ._experiment import run_split
from ._recipes import RECIPES, poster_augmentation
from ._results import TRAINED_ON_FILE, write_results

# Of a backbone that is not pretrained: the same network, and so the same features, for each split.
RANDOM_WEIGHTS_SEED = 1


def use_gpu(*, mixed_precision: bool) -> str:
    """Let TensorFlow take GPU memory as it needs it; return the name of the device."""
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    if mixed_precision:
        keras.mixed_precision.set_global_policy("mixed_float16")
    return ", ".join(gpu.name for gpu in gpus) or "CPU"


def make_posters(
    options: argparse.Namespace, weights: dict[str, str], folder: Path, image_size: int | None
) -> dict[str, ImageEncoder]:
    """Return one encoder of posters a backbone; nothing is built or read yet.

    Raises
    ------
    ValueError
        If there is no such backbone.
    """
    return {
        name: ImageEncoder(
            "poster",
            column="poster_file",
            backbone=name,
            weights=None if source == "random" else source,
            image_size=image_size,
            root=folder,
            seed=RANDOM_WEIGHTS_SEED,
            on_error="blank" if options.unreadable_posters == "blank" else "raise",
            augmentation=poster_augmentation() if options.views else (),
            views=options.views or 1,
            **RECIPES[options.recipe].posters,
        )
        for name, source in weights.items()
    }


def run_session(
    data: MovieData,
    folder: Path,
    posters: dict[str, ImageEncoder],
    store: FeatureStore,
    options: argparse.Namespace,
    settings: dict[str, Any],
    out: Path,
) -> str:
    """Train on every seed, write the results, return the Markdown report."""
    _check_genres_differ(data)
    if posters:
        # Once over all posters, so that each is decoded once for all backbones.
        store.compute_features(list(posters.values()), data.movies)
    splits = []
    seeds = list(range(options.seed, options.seed + options.repeat))
    for seed in seeds:
        print(f"\n=== Seed {seed} ===")
        splits.append(
            run_split(
                data,
                settings["modalities"],
                posters,
                store,
                RECIPES[options.recipe],
                max_tags=options.max_tags,
                seed=seed,
                verbose=0 if options.quiet else 1,
            )
        )
    settings = {**settings, "seeds": seeds, "versions": describe_versions()}
    write_json(out / TRAINED_ON_FILE, settings.pop("trained_on"))
    return write_results(out, data, splits, settings, folder)


def _check_genres_differ(data: MovieData) -> None:
    genres = data.genres.to_numpy()
    if (genres == genres[0]).all():
        names = ", ".join(data.movies["genres"].iloc[0])
        msg = (
            f"All {len(genres)} movies that are left have the same genres, {names}, so that there "
            "is nothing to predict; lower --min-genre-share."
        )
        raise DataError(msg)
