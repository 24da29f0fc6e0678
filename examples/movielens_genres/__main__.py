"""Command line: ``python -m examples.movielens_genres COMMAND [options]``."""

import argparse
import os
import re
import shlex
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

# This must be set before TensorFlow is imported, whose start-up messages would hide ours.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from ..command_line import run_command
from .commands import COMMANDS, Command

# The two forms of TMDB's keys.
_KEY = re.compile(r"\b[0-9a-fA-F]{32}\b|\beyJ[\w.-]+")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status."""
    arguments = sys.argv[1:] if arguments is None else arguments
    values = _parser().parse_args(arguments)
    values.command_line = shlex.join(["python", "-m", "examples.movielens_genres", *arguments])
    command: Command[Any] = values.command
    return run_command(
        lambda: command.execute(command.parse(values)), kept=command.kept, hints=command.hints
    )


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
