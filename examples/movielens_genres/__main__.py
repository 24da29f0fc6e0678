"""Command line: ``python -m examples.movielens_genres COMMAND [options]``."""

import argparse
import os
import re
import shlex
import sys
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn

# This must be set before TensorFlow is imported, whose start-up messages would hide ours.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from multimodal_ensemble.exceptions import MultimodalEnsembleError

from ._errors import DataError, UsageError
from .commands import COMMANDS, Command

# Exit statuses.
REFUSED = 2
INTERRUPTED = 130
# The two forms of TMDB's keys.
_KEY = re.compile(r"\b[0-9a-fA-F]{32}\b|\beyJ[\w.-]+")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A terminal may not have all the letters of a title.
            stream.reconfigure(errors="backslashreplace")
    values = _parser().parse_args(arguments)
    values.command_line = shlex.join(["python", "-m", "examples.movielens_genres", *arguments])
    command: Command[Any] = values.command
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", UserWarning)
            warnings.showwarning = _WarningPrinter()
            return command.execute(command.parse(values))
    except (UsageError, DataError, MultimodalEnsembleError) as error:
        hint = next((hint for kind, hint in command.hints.items() if isinstance(error, kind)), "")
        print(f"error: {error}{hint}", file=sys.stderr)
    except OSError as error:
        where = f" ({str(error.filename)!r})" if error.filename else ""
        print(f"error: {error.strerror or error}{where}.", file=sys.stderr)
    except KeyboardInterrupt:
        print(f"\nInterrupted; {command.kept}.", file=sys.stderr)
        return INTERRUPTED
    return REFUSED


class _WarningPrinter:
    """Prints each warning once for all models and seeds, without its place in the code."""

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
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add_parser(commands)
    return parser


class _Parser(argparse.ArgumentParser):
    """Accepts no abbreviated options, and does not print a key that is in the wrong place."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        super().error(_KEY.sub("[a key]", message))


if __name__ == "__main__":
    sys.exit(main())
