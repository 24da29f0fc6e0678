"""Train the five models and the ensemble, compare them, and write a report."""

import argparse
import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path

from multimodal_ensemble.exceptions import ImageReadError, WeightsUnavailableError

from ...command_line import default_out, make_out
from .._errors import UsageError
from ..options import RunOptions
from . import _arguments
from ._command import Add, Command, check_at_least

BACKBONES = ("VGG16", "InceptionV3")
# What can be trained, by recipe.
GROUPS = {
    "recommended": ("models", "ensemble", "plain", "linear"),
    "reference": ("models", "linear"),
}
SAMPLE_IMAGE_SIZE = 75  # the smallest that InceptionV3 accepts


def _add_arguments(add: Add) -> None:
    _arguments.add_data(add, "data folder, training table written by prepare")
    _arguments.add_filters(add)
    _arguments.add_inputs(add)
    add("--out", metavar="FOLDER", help="new or empty folder for results (default: in runs/)")
    add("--store", default=".feature_store", metavar="FOLDER", help="folder of the feature store")
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
        choices=GROUPS,
        default="recommended",
        help="how models are built and trained; reference is the study's",
    )
    add(
        "--loss",
        choices=["binary", "categorical"],
        help="cross-entropy that the models minimise: binary, or categorical over the genres as in "
        "the study (default: binary; categorical with the reference recipe)",
    )
    add(
        "--preprocessing",
        choices=["imagenet", "unit"],
        help="pixels that the networks of the models and linear controls receive: as in their "
        "training on ImageNet, or 0..1 as in the study (default: imagenet; unit with the "
        "reference recipe)",
    )
    add(
        "--only",
        nargs="+",
        choices=GROUPS["recommended"],
        help="train only these, and compare them with the trivial benchmark: the five models, the "
        "ensemble or the plain call of the library, linear controls (default: all; models and "
        "linear with the reference recipe)",
    )
    add(
        "--image-size",
        type=int,
        metavar="PIXELS",
        help="side of the posters (default: the size that the backbone was trained with; "
        f"{SAMPLE_IMAGE_SIZE} for the sample)",
    )
    add(
        "--text-backbone",
        metavar="FOLDER",
        help="folder of a language model, to train models that also see titles and tags as texts; "
        "needs the extra text",
    )
    add("--max-tags", type=int, default=400, help="size of the tag vocabulary")
    add(
        "--unreadable-posters",
        choices=["raise", "blank", "drop"],
        default="raise",
        help="how damaged poster files are handled",
    )
    _arguments.add_seeds(add)
    add(
        "--folds",
        type=int,
        metavar="K",
        help="cross-validate in place of random splits: each of K folds is the test set of one "
        "seed",
    )
    add(
        "--views",
        type=int,
        default=0,
        metavar="K",
        help="train on K augmented views of each poster, whose features are also stored",
    )
    add("--mixed-precision", action="store_true", help="compute in float16, which pays on a GPU")
    add("--quiet", action="store_true", help="print nothing during training")


def _parse(values: argparse.Namespace) -> RunOptions:
    source = _arguments.parse_source(values)
    check_at_least(values, image_size=1, max_tags=1, views=0, folds=2)
    if values.folds is not None and values.repeat != 1:
        msg = "--repeat draws random splits and --folds divides the movies; give one of them."
        raise UsageError(msg)
    groups = GROUPS[values.recipe]
    only = values.only or groups
    if other := [name for name in only if name not in groups]:
        msg = f"--only {other[0]} is for --recipe recommended; the reference is the study's."
        raise UsageError(msg)
    backbones = {}
    if "poster" in source.modalities:
        backbones = _parse_backbones(
            values.backbones or BACKBONES,
            values.weights or [],
            default=None if source.is_sample else "imagenet",
        )
    else:
        _check_no_poster_options(values)
    return RunOptions(
        source=source,
        out=Path(values.out) if values.out else default_out(source.name, values.recipe),
        store=Path(values.store),
        backbones=backbones,
        image_size=values.image_size or (SAMPLE_IMAGE_SIZE if source.is_sample else None),
        text_backbone=_parse_text_backbone(values),
        recipe=values.recipe,
        loss=values.loss,
        preprocessing=values.preprocessing,
        only=tuple(only),
        max_tags=values.max_tags,
        views=values.views,
        seeds=_arguments.parse_seeds(values, values.folds or values.repeat),
        in_folds=values.folds is not None,
        mixed_precision=values.mixed_precision,
        quiet=values.quiet,
        command=values.command_line,
    )


def _execute(options: RunOptions) -> int:
    start = time.perf_counter()
    make_out(options.out)
    # TensorFlow takes seconds to load, so it is imported after all options are checked.
    from ..experiment import run_experiment

    with _arguments.sample_written(options.source, options.out, seed=options.seeds[0]) as source:
        report = run_experiment(dataclasses.replace(options, source=source))
    print(f"\n{report.to_markdown(for_screen=True)}")
    print(
        f"Took {time.perf_counter() - start:.0f} s. The report is "
        f"{options.out / 'report.html'}; its tables and the models are in the same folder."
    )
    return 0


def _parse_backbones(
    names: Sequence[str], pairs: Sequence[str], *, default: str | None
) -> dict[str, str | None]:
    """Return the weights of each network; None for random ones."""
    weights = dict.fromkeys(names, default)
    if len(weights) != len(names):
        msg = f"--backbones names a network twice: {' '.join(names)}."
        raise UsageError(msg)
    for pair in pairs:
        name, _, value = pair.partition("=")
        if not value or name not in weights:
            msg = (
                f"--weights takes NAME=PATH, NAME=imagenet or NAME=random for one of the "
                f"backbones {', '.join(names)}, not {pair!r}."
            )
            raise UsageError(msg)
        weights[name] = None if value == "random" else value
    return weights


def _parse_text_backbone(values: argparse.Namespace) -> Path | None:
    if values.text_backbone is None:
        return None
    if values.recipe != "recommended":
        msg = "--text-backbone is for --recipe recommended; the study's models see no texts."
        raise UsageError(msg)
    folder = Path(values.text_backbone)
    if not folder.is_dir():
        msg = f"--text-backbone: {values.text_backbone!r} is no folder."
        raise UsageError(msg)
    return folder


def _check_no_poster_options(values: argparse.Namespace) -> None:
    for name in ("backbones", "weights", "image_size", "views", "preprocessing"):
        if getattr(values, name):
            msg = (
                f"--{name.replace('_', '-')} is for models that see posters; add poster to "
                "--modalities, or run without it."
            )
            raise UsageError(msg)


RUN = Command(
    "run",
    __doc__,
    _add_arguments,
    _parse,
    _execute,
    kept="features computed so far are kept",
    hints={
        ImageReadError: " Here: --unreadable-posters blank or drop.",
        WeightsUnavailableError: " Here: --weights NAME=PATH or NAME=random.",
    },
)
