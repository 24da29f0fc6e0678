"""Command line: ``python -m examples.icon_categories run [options]``."""

import argparse
import os
import shlex
import sys
import time
from collections.abc import Sequence
from pathlib import Path

# This must be set before TensorFlow is imported, whose start-up messages would hide ours.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from multimodal_ensemble.exceptions import WeightsUnavailableError

from ..command_line import ExampleError, default_out, make_out, run_command
from .options import COMPARISONS, RunOptions

NAME = "python -m examples.icon_categories"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    values = _parser().parse_args(arguments)
    command = shlex.join([*NAME.split(), *arguments])
    return run_command(
        lambda: _run(_parse(values, command)),
        kept="features computed so far are kept",
        hints={
            WeightsUnavailableError: " Here: --weights FILE or random for pictures, and for "
            "--text-backbone a folder with config.json in it."
        },
    )


def _run(options: RunOptions) -> int:
    start = time.perf_counter()
    make_out(options.out)
    # TensorFlow takes seconds to load, so it is imported after all options are checked.
    from .experiment import run_experiment

    report = run_experiment(options)
    print(f"\n{report.to_markdown(for_screen=True)}")
    print(
        f"Took {time.perf_counter() - start:.0f} s. The report is {options.out / 'report.html'}; "
        "its tables are in the same folder."
    )
    return 0


def _parse(values: argparse.Namespace, command: str) -> RunOptions:
    for name in ("seeds", "image_size"):
        value = getattr(values, name)
        if value is not None and value < 1:
            msg = f"--{name.replace('_', '-')} must be at least 1, not {value}."
            raise ExampleError(msg)
    if values.text_backbone is not None and not Path(values.text_backbone).is_dir():
        msg = f"--text-backbone {values.text_backbone!r} is not a folder."
        raise ExampleError(msg)
    return RunOptions(
        data=Path(values.data) if values.data else None,
        out=Path(values.out) if values.out else default_out("icons", values.backbone),
        store=Path(values.store),
        backbone=values.backbone,
        weights=values.weights,
        image_size=values.image_size,
        text_backbone=Path(values.text_backbone) if values.text_backbone else None,
        compare=tuple(values.compare),
        n_seeds=values.seeds,
        command=command,
    )


def _parser() -> argparse.ArgumentParser:
    description = "Predict the categories of icons from their pictures, search terms and names."
    parser = argparse.ArgumentParser(prog=NAME, description=description, allow_abbrev=False)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser(
        "run",
        help="fit and compare all models, and write a report",
        allow_abbrev=False,
    )
    run.add_argument(
        "--data",
        metavar="PATH",
        help="wheel of the package fontawesomefree, or a folder that it is unpacked in (default: "
        "the installed package)",
    )
    run.add_argument(
        "--backbone",
        default="MobileNet",
        metavar="NAME",
        help="network of keras.applications for pictures (default: MobileNet)",
    )
    run.add_argument(
        "--weights",
        help="its weights: a path, 'imagenet' or 'random' (default: imagenet, or random where that "
        "cannot be downloaded)",
    )
    run.add_argument(
        "--image-size",
        type=int,
        metavar="PIXELS",
        help="side of the pictures (default: the size that the network was trained with)",
    )
    run.add_argument(
        "--text-backbone",
        metavar="FOLDER",
        help="folder of a language model, for search terms and names (default: no text encoder)",
    )
    run.add_argument(
        "--compare",
        nargs="*",
        choices=COMPARISONS,
        default=COMPARISONS,
        metavar="NAME",
        help="what the ensembles are compared with, apart from the trivial benchmark: network, "
        "logistic, or nothing (default: network logistic)",
    )
    run.add_argument(
        "--seeds",
        type=int,
        default=1,
        metavar="K",
        help="number of seeds; each draws a split and initial weights (default: 1)",
    )
    run.add_argument(
        "--out", metavar="FOLDER", help="new or empty folder for results (default: in runs/)"
    )
    run.add_argument(
        "--store",
        default=".feature_store",
        metavar="FOLDER",
        help="folder of the feature store (default: .feature_store)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
