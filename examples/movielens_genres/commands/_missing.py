"""Compare one model for movies with or without a poster or tags with one model per case.

On the split of each seed, one classifier is trained whose modalities are both optional, and three
that each see just one case. A table and a page show how each of them does on the test movies.
"""

import argparse
from pathlib import Path

from multimodal_ensemble.exceptions import WeightsUnavailableError

from ...command_line import default_out, make_out
from ..data import Source, describe_data, prepare_source
from ..options import MissingOptions
from . import _arguments
from ._command import Add, Command, check_at_least


def _add_arguments(add: Add) -> None:
    add("--data", required=True, metavar="FOLDER", help="data folder")
    _arguments.add_filters(add)
    add("--backbone", default="VGG16", help="a network of keras.applications")
    add("--weights", default="imagenet", help="a path, 'imagenet' or 'random'")
    add(
        "--image-size",
        type=int,
        metavar="PIXELS",
        help="side of the posters (default: the size that the backbone was trained with)",
    )
    add("--out", metavar="FOLDER", help="new or empty folder for results (default: in runs/)")
    add("--store", default=".feature_store", metavar="FOLDER", help="folder of the feature store")
    _arguments.add_seeds(add)


def _parse(values: argparse.Namespace) -> MissingOptions:
    check_at_least(values, image_size=1)
    source = Source(Path(values.data), _arguments.parse_filters(values))
    return MissingOptions(
        source=source,
        out=Path(values.out) if values.out else default_out(source.name, "missing"),
        store=Path(values.store),
        backbone=values.backbone,
        weights=None if values.weights == "random" else values.weights,
        image_size=values.image_size,
        seeds=_arguments.parse_seeds(values, values.repeat),
        command=values.command_line,
    )


def _execute(options: MissingOptions) -> int:
    movies = prepare_source(options.source)
    print(f"\n{describe_data(movies.data)}\n")
    # TensorFlow takes seconds to load, so it is imported after all options are checked.
    from ..study import compare_missing

    make_out(options.out)
    print(f"\n{compare_missing(movies, options)}\n")
    print(f"The report is {options.out / 'report.html'}.")
    return 0


MISSING = Command(
    "missing",
    __doc__,
    _add_arguments,
    _parse,
    _execute,
    kept="features computed so far are kept",
    hints={WeightsUnavailableError: " Here: --weights PATH or random."},
)
