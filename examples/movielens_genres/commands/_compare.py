"""Compare finished runs on the same test movies, with paired intervals.

Runs with other recipes, losses or preprocessing have the same test movies if they have the same
data, filters, modalities and seeds.
"""

import argparse
from pathlib import Path

from ...command_line import default_out, make_out
from .._errors import UsageError
from ..options import CompareOptions
from ._command import Add, Command


def _add_arguments(add: Add) -> None:
    add(
        "runs",
        nargs="+",
        metavar="RUN",
        help="folder that the command run wrote, or NAME=FOLDER to name the run in the tables; two "
        "or more",
    )
    add(
        "--baseline",
        metavar="MODEL",
        help="also subtract this model from all others; for example, 'reference: tags'",
    )
    add("--out", metavar="FOLDER", help="new or empty folder for results (default: in runs/)")


def _parse(values: argparse.Namespace) -> CompareOptions:
    runs: dict[str, Path] = {}
    for value in values.runs:
        # The names of folders may have this sign also.
        name, _, folder = ("", "", value) if Path(value).is_dir() else value.rpartition("=")
        path = Path(folder)
        name = name or path.resolve().name
        if ": " in name:
            # It stands between the names of runs and models.
            msg = f"The run name {name!r} has ': '; name the run with NAME=FOLDER."
            raise UsageError(msg)
        if name in runs:
            msg = f"Two runs are named {name!r}; name them with NAME=FOLDER."
            raise UsageError(msg)
        runs[name] = path
    if len(runs) < 2:
        msg = "compare takes two or more runs."
        raise UsageError(msg)
    return CompareOptions(
        runs=runs,
        baseline=values.baseline,
        out=Path(values.out) if values.out else default_out("runs", "compared"),
        command=values.command_line,
    )


def _execute(options: CompareOptions) -> int:
    # Keras takes seconds to load, so it is imported after all options are checked.
    from ..study import compare_runs

    make_out(options.out)
    report = compare_runs(options)
    print(report.to_markdown(for_screen=True))
    print(f"The report is {options.out / 'report.html'}; its tables are in the same folder.")
    return 0


COMPARE = Command("compare", __doc__, _add_arguments, _parse, _execute)
