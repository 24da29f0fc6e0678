"""Command line: ``python -m examples.movielens_genres COMMAND [options]``."""

import argparse
import os
import shutil
import sys
import warnings
from collections.abc import Sequence

# Before TensorFlow is imported: its start-up lines would bury the example's own.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


from sklearn.exceptions import UndefinedMetricWarning

from multimodal_ensemble.exceptions import (
    ImageReadError,
    MultimodalEnsembleError,
    WeightsUnavailableError,
)

from ._errors import DataError, UsageError
from .commands import COMMANDS


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(arguments)
    # What the results say that they were made with.
    options.arguments = list(arguments)
    try:
        with warnings.catch_warnings():
            # Each once, and not for each model and seed.
            warnings.filterwarnings("once", category=UndefinedMetricWarning)
            return options.execute(options)
    except (UsageError, DataError, MultimodalEnsembleError) as error:
        print(f"error: {error}{_hint(error)}", file=sys.stderr)
        if options.sample is not None:
            # So that the mended command finds its output folder as this one did.
            shutil.rmtree(options.sample, ignore_errors=True)
        return 2
    except KeyboardInterrupt:
        print(f"\nInterrupted; {options.kept}.", file=sys.stderr)
        return 130


def _hint(error: Exception) -> str:
    if isinstance(error, ImageReadError):
        return " Here: --unreadable-posters blank or drop."
    if isinstance(error, WeightsUnavailableError):
        return " Here: --weights NAME=PATH or NAME=random."
    return ""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m examples.movielens_genres",
        description="Predict a movie's genres from its poster and its user-generated tags.",
    )
    # What a command keeps when it is interrupted; commands say more.
    parser.set_defaults(kept="nothing was changed", sample=None)
    commands = parser.add_subparsers(dest="command", required=True)
    for command in COMMANDS:
        command.add_parser(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
