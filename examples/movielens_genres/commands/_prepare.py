"""Filter the data into a training table, with a manifest of what it was made of."""

import argparse
import time
from pathlib import Path
from typing import Any

from ..data import FORMATS, describe_data, make_manifest, prepare_movies, read_folder, save_table
from . import _options


def add_parser(commands: Any) -> None:
    """Add the command's options."""
    parser = commands.add_parser("prepare", help=__doc__.rstrip(".").lower())
    parser.set_defaults(execute=execute)
    add = _options.adder(parser)
    _options.add_data_option(add)
    _options.add_filter_options(add)
    _options.add_input_options(add)
    add("--out", required=True, metavar="FOLDER", help="folder for the table, new or empty")
    add("--format", choices=FORMATS, default="csv", help="Parquet needs the extra 'parquet'")
    add(
        "--unreadable-posters",
        choices=["raise", "drop"],
        default="raise",
        help="what a poster file leads to that is named and not there",
    )


def execute(options: argparse.Namespace) -> int:
    """Run the command; return the exit status."""
    start = time.perf_counter()
    modalities = _options.modalities_from(options)
    filters = _options.filters_from(options)
    genome = None if options.movielens is None else Path(options.movielens)
    out = _options.make_out(options.out, Path())
    folder = _options.choose_data(options, out)
    data = prepare_movies(
        read_folder(folder),
        filters,
        modalities=modalities,
        genome=genome,
        drop_missing_posters=options.unreadable_posters == "drop",
    )
    seconds = time.perf_counter() - start
    print(f"\n{describe_data(data)}\n")
    manifest = make_manifest(data, folder, filters, modalities=modalities, genome=genome)
    table = save_table(out, data, manifest, folder, options.format)
    rows = data.steps["movies"].iloc[0] + data.tag_steps["rows"].iloc[0]
    print(
        f"Took {seconds:.1f} s for {rows:,} rows, {rows / seconds:,.0f} a second, and "
        f"{time.perf_counter() - start - seconds:.1f} s to hash the inputs and to write."
    )
    print(f"The training table is {table}; `run --data {out}` trains on it.")
    return 0
