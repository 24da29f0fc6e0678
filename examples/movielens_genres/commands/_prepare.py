"""Filter the data into a training table, with a manifest of its inputs."""

import argparse
import dataclasses
import time
from pathlib import Path

from ...command_line import make_out
from ..data import FORMATS, Source, describe_data, prepare_source, save_table
from . import _arguments
from ._command import Add, Command


@dataclasses.dataclass(frozen=True)
class PrepareOptions:
    """The movies, the output folder and the format of the table."""

    source: Source
    out: Path
    table_format: str


def _add_arguments(add: Add) -> None:
    _arguments.add_data(add)
    _arguments.add_filters(add)
    _arguments.add_inputs(add)
    add("--out", required=True, metavar="FOLDER", help="new or empty folder for the table")
    add("--format", choices=FORMATS, default="csv", help="Parquet needs the extra 'parquet'")
    add(
        "--unreadable-posters",
        choices=["raise", "drop"],
        default="raise",
        help="how missing poster files are handled; with drop, also damaged ones",
    )


def _parse(values: argparse.Namespace) -> PrepareOptions:
    return PrepareOptions(_arguments.parse_source(values), Path(values.out), values.format)


def _execute(options: PrepareOptions) -> int:
    make_out(options.out)
    with _arguments.sample_written(options.source, options.out) as source:
        start = time.perf_counter()
        movies = prepare_source(source)
        print(f"\n{describe_data(movies.data)}\n")
        table = save_table(
            options.out, movies.data, movies.manifest, movies.folder, options.table_format
        )
        seconds = time.perf_counter() - start
    rows = movies.data.steps["movies"].iloc[0] + movies.data.tag_steps["rows"].iloc[0]
    print(
        f"Took {seconds:.1f} s for {rows:,} rows. The training table is {table}; "
        f"`run --data {options.out}` trains on it."
    )
    return 0


PREPARE = Command("prepare", __doc__, _add_arguments, _parse, _execute)
