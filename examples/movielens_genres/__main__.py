"""Command line: ``python -m examples.movielens_genres run [options]``."""

import argparse
import dataclasses
import os
import shlex
import sys
import time
import warnings
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

# Before TensorFlow is imported: its start-up lines would bury the example's own.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


from sklearn.exceptions import UndefinedMetricWarning

from multimodal_ensemble.exceptions import (
    ImageReadError,
    MultimodalEnsembleError,
    WeightsUnavailableError,
)

from ._data import DataError, Filters, prepare_movies
from ._sample import write_sample

SAMPLE = "sample"
SAMPLE_IMAGE_SIZE = 75  # the smallest that InceptionV3 takes


class UsageError(ValueError):
    """The options cannot be followed; the message is one clear sentence."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    options = _parser().parse_args(arguments)
    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        with warnings.catch_warnings():
            # Each once, and not for each model and seed.
            warnings.filterwarnings("once", category=UndefinedMetricWarning)
            return _run(options, arguments)
    except ImageReadError as error:
        print(f"error: {error} Here: --unreadable-posters blank or drop.", file=sys.stderr)
        return 2
    except WeightsUnavailableError as error:
        print(f"error: {error} Here: --weights NAME=PATH or NAME=random.", file=sys.stderr)
        return 2
    except (UsageError, DataError, MultimodalEnsembleError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nInterrupted; features computed so far are kept.", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m examples.movielens_genres",
        description="Predict a movie's genres from its poster and its user-generated tags.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser(
        "run",
        help="train the five models, compare them, write tables and figures",
    )

    def add(option: str, *, help: str, default: object = None, **kwargs: Any) -> None:
        # argparse's own formatter would also print the defaults that are None.
        shown = " ".join(default) if isinstance(default, list) else default
        if default is not None:
            kwargs["default"], help = default, f"{help} (default: {shown})"
        run.add_argument(option, help=help, **kwargs)

    add(
        "--data",
        default=SAMPLE,
        metavar="FOLDER",
        help="data folder, or the synthetic 'sample'",
    )
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
        default=["VGG16", "InceptionV3"],
        metavar="NAME",
        help="networks of keras.applications",
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
        "--min-year",
        type=int,
        default=Filters.min_year,
        help="first release year",
    )
    add("--language", default=Filters.language, help="original language")
    add(
        "--min-genre-share",
        type=float,
        default=Filters.min_genre_share,
        help="share of all genre occurrences that a kept genre has at least",
    )
    add(
        "--max-tags",
        type=int,
        default=400,
        help="size of the tag vocabulary",
    )
    add(
        "--min-tag-users",
        type=int,
        default=Filters.min_tag_users,
        help="users that must have given a tag to a movie for it to count there",
    )
    add("--keep-genre-tags", action="store_true", help="keep tags that name a genre")
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
    return parser


def _run(options: argparse.Namespace, arguments: Sequence[str]) -> int:
    start = time.perf_counter()
    is_sample = options.data == SAMPLE
    _check_ranges(options)
    weights = _parse_weights(options.weights or [], options.backbones, is_sample=is_sample)
    out = _choose_out(options)
    folder = out / "data" if is_sample else Path(options.data)
    # Imported late, because TensorFlow takes seconds and a wrong option should be told at once.
    from multimodal_ensemble import FeatureStore

    from . import _session

    device = _session.use_gpu(mixed_precision=options.mixed_precision)
    image_size = options.image_size
    if image_size is None and is_sample:
        image_size = SAMPLE_IMAGE_SIZE
    try:
        posters = _session.make_posters(options, weights, folder, image_size)
    except ValueError as error:
        raise UsageError(error) from error
    store = FeatureStore(options.store)
    print(f"Device: {device}. Features are kept in {store.folder}.")
    if is_sample:
        write_sample(folder, seed=options.seed)
        print(f"Synthetic movies and posters, drawn by code: {folder}")
    filters = Filters(
        min_year=options.min_year,
        language=options.language,
        min_genre_share=options.min_genre_share,
        min_tag_users=options.min_tag_users,
        keep_genre_tags=options.keep_genre_tags,
    )
    data = prepare_movies(folder, filters)
    try:
        for poster in posters.values():
            poster.backbone()
    except ValueError as error:
        raise UsageError(error) from error
    print(f"\n{data.steps.to_string()}\n\n{data.genre_counts.to_string()}\n")
    settings = {
        "notes": _notes(weights, is_sample=is_sample),
        "data": "the synthetic sample" if is_sample else folder.resolve().name,
        "backbones": {
            name: f"{'random' if poster.weights is None else Path(poster.weights).name} weights, "
            f"{poster.input_shape[0]} pixels"
            for name, poster in posters.items()
        },
        "recipe": options.recipe,
        "views": options.views,
        "filters": dataclasses.asdict(filters) | {"max_tags": options.max_tags},
        "mixed_precision": options.mixed_precision,
        "command": shlex.join(["python", "-m", "examples.movielens_genres", *arguments]),
    }
    report = _session.run_session(data, folder, posters, store, options, settings, out)
    # The genre-by-genre tables are too long for a screen; they are in the file.
    results, _, rest = report.partition("## What each filter left")
    print(f"\n{results}{rest[rest.index('## A dozen') :]}")
    print(
        f"Took {time.perf_counter() - start:.0f} s. Tables: {out / 'report.md'}, "
        f"{out / 'results.csv'}, {out / 'results.json'}."
    )
    print(f"Figures: {out / 'training.png'}, {out / 'results.png'}, {out / 'predictions.png'}.")
    return 0


def _check_ranges(options: argparse.Namespace) -> None:
    least = {
        "image_size": 1,
        "max_tags": 1,
        "min_tag_users": 1,
        "repeat": 1,
        "seed": 0,
        "views": 0,
    }
    for name, smallest in least.items():
        value = getattr(options, name)
        if value is not None and value < smallest:
            msg = f"--{name.replace('_', '-')} must be at least {smallest}, not {value}."
            raise UsageError(msg)
    if options.seed + options.repeat > 2**32:
        msg = f"--seed must be below 4294967296, not {options.seed}."
        raise UsageError(msg)
    if not 0 <= options.min_genre_share <= 1:
        msg = f"--min-genre-share must lie in 0..1, not {options.min_genre_share}."
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
            "**Synthetic data**: movies, tags and posters are invented and drawn by code. These "
            "figures show that the pipeline works; they say nothing about real movies."
        )
    random = [name for name, source in weights.items() if source == "random"]
    if random:
        notes.append(
            f"**Random weights** in {', '.join(random)}: not pretrained, so what these rows show "
            "is how far an untrained network gets."
        )
    return notes


def _choose_out(options: argparse.Namespace) -> Path:
    if options.out is None:
        kind = SAMPLE if options.data == SAMPLE else Path(options.data).resolve().name
        stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
        out = Path("runs") / f"{stamp}-{kind}-{options.recipe}"
    else:
        out = Path(options.out)
    if out.exists() and not out.is_dir():
        msg = f"--out {str(out)!r} is a file; name a new or an empty folder."
        raise UsageError(msg)
    if out.exists() and any(out.iterdir()):
        msg = f"The output folder {str(out)!r} is not empty; name another one with --out."
        raise UsageError(msg)
    try:
        # Now, and not after an hour of work. An empty folder does no harm if the run then fails.
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"The output folder {str(out)!r} cannot be made ({error.strerror})."
        raise UsageError(msg) from error
    return out


if __name__ == "__main__":
    sys.exit(main())
