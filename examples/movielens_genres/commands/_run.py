"""Train the five models, compare them, write tables and figures."""

import argparse
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from multimodal_ensemble.exceptions import ImageReadError, WeightsUnavailableError

from .._errors import UsageError
from ..data import (
    MovieData,
    check_posters,
    describe_data,
    is_prepared,
    load_table,
)
from . import _options

BACKBONES = ("VGG16", "InceptionV3")
SAMPLE_IMAGE_SIZE = 75  # the smallest that InceptionV3 takes


def add_parser(commands: Any) -> None:
    """Add the command's options."""
    parser = _options.add_command(commands, "run", __doc__)
    parser.set_defaults(
        execute=execute,
        kept="features computed so far are kept",
        hints={
            ImageReadError: " Here: --unreadable-posters blank or drop.",
            WeightsUnavailableError: " Here: --weights NAME=PATH or NAME=random.",
        },
    )
    add = _options.adder(parser)
    _options.add_data_option(add, "data folder, training table that prepare made")
    _options.add_filter_options(add)
    _options.add_input_options(add)
    add("--out", metavar="FOLDER", help="folder for results, new or empty (default: below runs/)")
    add(
        "--store",
        default=".feature_store",
        metavar="FOLDER",
        help="where features are kept",
    )
    add(
        "--backbones",
        nargs="+",
        metavar="NAME",
        help=f"networks of keras.applications (default: {' '.join(BACKBONES)})",
    )
    add(
        "--weights",
        nargs="+",
        metavar="NAME=WEIGHTS",
        help="weights of a backbone: a path, 'imagenet' or 'random' "
        "(default: imagenet; random for the sample)",
    )
    add(
        "--recipe",
        choices=["recommended", "reference"],
        default="recommended",
        help="how to train",
    )
    add(
        "--image-size",
        type=int,
        metavar="PIXELS",
        help=f"side of the posters (default: what the backbone was trained with; "
        f"{SAMPLE_IMAGE_SIZE} for the sample)",
    )
    add(
        "--max-tags",
        type=int,
        default=400,
        help="size of the tag vocabulary",
    )
    add(
        "--unreadable-posters",
        choices=["raise", "blank", "drop"],
        default="raise",
        help="what a damaged poster file leads to",
    )
    add(
        "--seed",
        type=int,
        default=1,
        help="seed of the split and of the initial weights",
    )
    add(
        "--repeat",
        type=int,
        default=1,
        metavar="N",
        help="run N seeds, from --seed on",
    )
    add(
        "--views",
        type=int,
        default=0,
        metavar="K",
        help="train on K augmented views of each poster, whose features are stored, too",
    )
    add("--mixed-precision", action="store_true", help="float16 arithmetic; pays on a GPU")
    add("--quiet", action="store_true", help="no lines during training")


def execute(options: argparse.Namespace) -> int:
    """Run the command; return the exit status."""
    start = time.perf_counter()
    is_sample = options.data == _options.SAMPLE
    modalities = _options.modalities_from(options)
    _check_ranges(options)
    _options.check_plots()
    if not is_prepared(Path(options.data)):
        # Told now, and not after TensorFlow and the sample.
        _options.filters_from(options)
    weights = {}
    if "poster" not in modalities:
        _check_no_poster_options(options)
    else:
        weights = _parse_weights(
            options.weights or [], options.backbones or BACKBONES, is_sample=is_sample
        )
    out = _options.make_out(options.out, _options.default_out(options, options.recipe))
    # Imported late, because TensorFlow takes seconds and a wrong option should be told at once.
    from multimodal_ensemble import FeatureStore

    from ..experiment import _session

    device = _session.use_gpu(mixed_precision=options.mixed_precision)
    store = FeatureStore(options.store)
    print(f"Device: {device}. Features are kept in {store.folder}.")
    folder = _options.choose_data(options, out, seed=options.seed)
    data, manifest, folder = _get_data(options, folder, modalities)
    image_size = options.image_size
    if image_size is None and is_sample:
        image_size = SAMPLE_IMAGE_SIZE
    try:
        posters = _session.make_posters(options, weights, folder, image_size)
        for poster in posters.values():
            poster.get_backbone()
    except ValueError as error:
        raise UsageError(error) from error
    print(f"\n{describe_data(data)}\n")
    settings = {
        "notes": _notes(weights, is_sample=is_sample),
        "data": "the synthetic sample" if is_sample else folder.resolve().name,
        "modalities": modalities,
        "backbones": {
            name: f"{'random' if poster.weights is None else Path(poster.weights).name} weights, "
            f"{poster.input_shape[0]} pixels"
            for name, poster in posters.items()
        },
        "recipe": options.recipe,
        "views": options.views,
        "max_tags": options.max_tags,
        "mixed_precision": options.mixed_precision,
        "device": device,
        "command": _options.join_arguments(options.arguments),
        "trained_on": manifest,
    }
    report = _session.run_session(data, folder, posters, store, options, settings, out)
    # The genre-by-genre tables are too long for a screen; they are in the file.
    results, _, rest = report.partition("## What each filter left")
    print(f"\n{results}{rest[rest.index('## A dozen') :]}")
    print(
        f"Took {time.perf_counter() - start:.0f} s. The report with its figures is "
        f"{out / 'report.html'}; tables and figures lie beside it."
    )
    return 0


def _get_data(
    options: argparse.Namespace, folder: Path, modalities: Collection[str]
) -> tuple[MovieData, dict[str, Any], Path]:
    """Return the movies, what they were made of, and the folder of the posters."""
    if is_prepared(folder):
        given = list(_options.given_filters(options))
        given += ["movielens"] if options.movielens else []
        given += ["unreadable-posters"] if options.unreadable_posters == "drop" else []
        if given:
            msg = (
                f"{str(folder)!r} holds a training table whose filters are settled; run without "
                f"--{given[0].replace('_', '-')}, or prepare the table again."
            )
            raise UsageError(msg)
        data, manifest, folder = load_table(folder)
        if "poster" in modalities and "poster" not in manifest["options"]["modalities"]:
            msg = (
                f"{options.data!r} was prepared without posters; run with --modalities "
                f"{','.join(manifest['options']['modalities'])}, or prepare the table again."
            )
            raise UsageError(msg)
        if "poster" in modalities:
            check_posters(manifest, data, folder)
        # The way to the posters leads from the table, and not from the results.
        return data, {k: v for k, v in manifest.items() if k != "data_folder"}, folder
    data, manifest = _options.prepare(options, folder, modalities)
    return data, manifest, folder


def _check_ranges(options: argparse.Namespace) -> None:
    _options.check_at_least(options, image_size=1, max_tags=1, views=0)
    _options.check_seeds(options)


def _check_no_poster_options(options: argparse.Namespace) -> None:
    for name in ("backbones", "weights", "image_size", "views"):
        if getattr(options, name):
            msg = (
                f"--{name.replace('_', '-')} is for models that see posters; add poster to "
                "--modalities, or run without it."
            )
            raise UsageError(msg)


def _parse_weights(
    pairs: Sequence[str], backbones: Sequence[str], *, is_sample: bool
) -> dict[str, str]:
    weights = dict.fromkeys(backbones, "random" if is_sample else "imagenet")
    if len(weights) != len(backbones):
        msg = f"--backbones names a network twice: {' '.join(backbones)}."
        raise UsageError(msg)
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not value or name not in weights:
            msg = (
                f"--weights takes NAME=PATH, NAME=imagenet or NAME=random for one of the "
                f"backbones {', '.join(backbones)}, not {pair!r}."
            )
            raise UsageError(msg)
        weights[name] = value
    return weights


def _notes(weights: dict[str, str], *, is_sample: bool) -> list[str]:
    """Say what a reader must know before believing a figure."""
    notes = []
    if is_sample:
        notes.append(
            "Synthetic data: movies, tags and posters are invented and drawn by code. These "
            "figures show that the pipeline works; they say nothing about real movies."
        )
    random = [name for name, source in weights.items() if source == "random"]
    if random:
        notes.append(
            f"Random weights in {', '.join(random)}: not pretrained, so what these rows show "
            "is how far an untrained network gets."
        )
    return notes
