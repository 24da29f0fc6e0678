"""Filter the data into a training table, with a manifest of what it was made of."""

import argparse
import time
from pathlib import Path
from typing import Any

from ..data import FORMATS, describe_data, save_table
from . import _options


def add_parser(commands: Any) -> None:
    """Add the command's options."""
    parser = _options.add_command(commands, "prepare", __doc__)
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
        help="what a poster leads to that is not there or, with drop, cannot be read",
    )


def execute(options: argparse.Namespace) -> int:
    """Run the command; return the exit status."""
    modalities = _options.modalities_from(options)
    _options.filters_from(options)
    out = _options.make_out(options.out, Path())
    folder = _options.choose_data(options, out)
    start = time.perf_counter()
    data, manifest = _options.prepare(options, folder, modalities)
    print(f"\n{describe_data(data)}\n")
    table = save_table(out, data, manifest, folder, options.format)
    seconds = time.perf_counter() - start
    rows = data.steps["movies"].iloc[0] + data.tag_steps["rows"].iloc[0]
    print(
        f"Took {seconds:.1f} s for {rows:,} rows. The training table is {table}; "
        f"`run --data {out}` trains on it."
    )
    return 0
