"""Show movies, genres and tags in tables and figures, on one HTML page."""

import argparse
import time
from pathlib import Path
from typing import Any

from ..analysis import analyse, write_analysis
from ..data import check_enough, describe_data, prepare_movies, read_folder
from . import _options

SYNTHETIC = (
    "Synthetic data: movies, tags and posters are invented and drawn by code. These figures say "
    "nothing about real movies."
)


def add_parser(commands: Any) -> None:
    """Add the command's options."""
    parser = _options.add_command(commands, "analyse", __doc__)
    parser.set_defaults(execute=execute)
    add = _options.adder(parser)
    _options.add_data_option(add)
    _options.add_filter_options(add)
    add("--out", metavar="FOLDER", help="folder for the page, new or empty (default: below runs/)")


def execute(options: argparse.Namespace) -> int:
    """Run the command; return the exit status."""
    start = time.perf_counter()
    filters = _options.filters_from(options)
    _options.check_plots()
    is_sample = options.data == _options.SAMPLE
    name = _options.SAMPLE if is_sample else Path(options.data).resolve().name
    out = _options.make_out(options.out, _options.default_out(options, "analysis"))
    folder = _options.choose_data(options, out)
    # Movies without tags or posters are what a look at the data is for: nothing is required.
    content = read_folder(folder)
    data = prepare_movies(content, filters, modalities=())
    check_enough(data, folder, 1)
    n_posters = int((data.movies["poster_file"] != "").sum())
    analysis = analyse(content, data, filters)
    notes = [
        *([SYNTHETIC] if is_sample else []),
        f"Nothing is required of a movie here: {n_posters:,} of the {len(data.movies):,} that are "
        "left have a poster.",
        f"Data: {name}. Command: {_options.join_arguments(options.arguments)}",
    ]
    page = write_analysis(out, analysis, data, filters, notes)
    print(f"\n{describe_data(data)}\n")
    print(
        f"Took {time.perf_counter() - start:.1f} s. The page is {page}; its tables lie beside it."
    )
    return 0
