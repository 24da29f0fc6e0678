"""Compare one model for movies with or without a poster or tags with one for each case.

On the split of each seed, a classifier is trained whose modalities are both optional, and three
that are made for just one of the cases; a table tells how each does on the test movies.
"""

import argparse
from pathlib import Path
from typing import Any

from multimodal_ensemble.exceptions import WeightsUnavailableError

from .._errors import UsageError
from ..data import check_enough, describe_data, prepare_movies, read_folder
from . import _options


def add_parser(commands: Any) -> None:
    """Add the command's options."""
    parser = _options.add_command(commands, "missing", __doc__)
    parser.set_defaults(
        execute=execute,
        kept="features computed so far are kept",
        hints={WeightsUnavailableError: " Here: --weights PATH or random."},
    )
    add = _options.adder(parser)
    add("--data", required=True, metavar="FOLDER", help="data folder")
    _options.add_filter_options(add)
    add("--backbone", default="VGG16", help="a network of keras.applications")
    add("--weights", default="imagenet", help="a path, 'imagenet' or 'random'")
    add(
        "--image-size",
        type=int,
        metavar="PIXELS",
        help="side of the posters (default: what the backbone was trained with)",
    )
    add("--store", default=".feature_store", metavar="FOLDER", help="where features are kept")
    add("--seed", type=int, default=1, help="the first seed")
    add("--repeat", type=int, default=1, metavar="N", help="how many seeds")


def execute(options: argparse.Namespace) -> int:
    """Run the command; return the exit status."""
    _options.check_at_least(options, image_size=1)
    _options.check_seeds(options)
    data = prepare_movies(read_folder(Path(options.data)), _options.filters_from(options))
    print(f"\n{describe_data(data)}\n")
    check_enough(data, Path(options.data))
    # Imported late, because TensorFlow takes seconds and a wrong option should be told at once.
    import pandas as pd

    from multimodal_ensemble import FeatureStore, ImageEncoder
    from multimodal_ensemble.reporting import to_markdown

    from ..experiment import _missing, _session

    try:
        poster = ImageEncoder(
            "poster",
            column="poster_file",
            backbone=options.backbone,
            weights=None if options.weights == "random" else options.weights,
            image_size=options.image_size,
            root=options.data,
            seed=_session.RANDOM_WEIGHTS_SEED,
            **_missing.RECOMMENDED.posters,
        )
        poster.get_backbone()
    except ValueError as error:
        raise UsageError(error) from error
    store = FeatureStore(options.store)
    rows = [
        row
        for seed in range(options.seed, options.seed + options.repeat)
        for row in _missing.compare(data, poster, store, seed)
    ]
    print(f"\n{to_markdown(_missing.summarize(pd.DataFrame(rows)))}\n")
    return 0
