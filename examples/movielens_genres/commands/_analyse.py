"""Show movies, genres and tags in tables and figures, on one HTML page."""

import argparse
import dataclasses
import time
from pathlib import Path

from ...command_line import default_out, make_out
from ..analysis import analyse, write_analysis
from ..data import Source, check_enough, describe_data, prepare_movies, read_folder
from . import _arguments
from ._command import Add, Command, check_plots

SYNTHETIC = (
    "Synthetic data: movies, tags and posters are invented and drawn by code. These figures say "
    "nothing about real movies."
)


@dataclasses.dataclass(frozen=True)
class AnalyseOptions:
    """The movies, the output folder and the command line."""

    source: Source
    out: Path
    command: str


def _add_arguments(add: Add) -> None:
    _arguments.add_data(add)
    _arguments.add_filters(add)
    add("--out", metavar="FOLDER", help="new or empty folder for the page (default: in runs/)")


def _parse(values: argparse.Namespace) -> AnalyseOptions:
    # A movie needs neither tags nor a poster to be shown.
    folder, filters = _arguments.parse_folder(values), _arguments.parse_filters(values)
    source = Source(folder, filters, modalities=(), is_sample=folder is None)
    out = Path(values.out) if values.out else default_out(source.name, "analysis")
    return AnalyseOptions(source, out, values.command_line)


def _execute(options: AnalyseOptions) -> int:
    start = time.perf_counter()
    check_plots()
    make_out(options.out)
    with _arguments.sample_written(options.source, options.out) as source:
        content = read_folder(source.folder)
        data = prepare_movies(content, source.filters, modalities=source.modalities)
        check_enough(data, source.folder, 1)
        with_poster = int((data.movies["poster_file"] != "").sum())
        notes = [
            *([SYNTHETIC] if source.is_sample else []),
            f"A movie needs no poster to be shown here: {with_poster:,} of the "
            f"{len(data.movies):,} movies that are left have one.",
            f"Data: {source.name}. Command: {options.command}",
        ]
        analysis = analyse(content, data, source.filters)
        page = write_analysis(options.out, analysis, data, source.filters, notes)
    print(f"\n{describe_data(data)}\n")
    seconds = time.perf_counter() - start
    print(f"Took {seconds:.1f} s. The page is {page}; its tables are in the same folder.")
    return 0


ANALYSE = Command("analyse", __doc__, _add_arguments, _parse, _execute)
