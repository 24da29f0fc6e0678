"""Command line: ``python -m examples.movielens_genres COMMAND [options]``."""

import argparse
import os
import re
import shutil
import sys
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn

# Before TensorFlow is imported: its start-up lines would bury the example's own.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


from multimodal_ensemble.exceptions import MultimodalEnsembleError

from ._errors import DataError, UsageError
from .commands import COMMANDS

# Exit statuses.
REFUSED = 2
INTERRUPTED = 130
# The two forms of TMDB's keys.
_KEY = re.compile(r"\b[0-9a-fA-F]{32}\b|\beyJ[\w.-]+")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A title in letters that the terminal does not have is no reason to stop.
            stream.reconfigure(errors="backslashreplace")
    options = _parser().parse_args(arguments)
    # What the results say that they were made with.
    options.arguments = list(arguments)
    status = _execute(options)
    if status in (REFUSED, INTERRUPTED) and options.sample is not None:
        # So that the next command finds its output folder as this one did.
        shutil.rmtree(options.sample, ignore_errors=True)
    return status


def _execute(options: argparse.Namespace) -> int:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", UserWarning)
            warnings.showwarning = _Notes()
            return options.execute(options)
    except (UsageError, DataError, MultimodalEnsembleError) as error:
        hint = next((hint for kind, hint in options.hints.items() if isinstance(error, kind)), "")
        print(f"error: {error}{hint}", file=sys.stderr)
    except OSError as error:
        where = f" ({str(error.filename)!r})" if error.filename else ""
        print(f"error: {error.strerror or error}{where}.", file=sys.stderr)
    except KeyboardInterrupt:
        print(f"\nInterrupted; {options.kept}.", file=sys.stderr)
        return INTERRUPTED
    return REFUSED


class _Notes:
    """Prints each warning once, and not for each model and seed; without its place in the code."""

    def __init__(self) -> None:
        self._printed: set[str] = set()

    def __call__(self, message: Warning | str, *_: Any, **__: Any) -> None:
        text = str(message)
        if text not in self._printed:
            self._printed.add(text)
            print(f"warning: {text}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m examples.movielens_genres",
        description="Predict a movie's genres from its poster and its user-generated tags.",
    )
    # What a command keeps when it is interrupted, and what to add to its errors, by their type.
    parser.set_defaults(kept="nothing was changed", hints={}, sample=None)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_parser(commands)
    return parser


class _Parser(argparse.ArgumentParser):
    """What is not an option in full is none, and a key in the wrong place is not shown."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        super().error(_KEY.sub("[a key]", message))


if __name__ == "__main__":
    sys.exit(main())
