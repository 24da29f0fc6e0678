"""The parser of the command line, and the exit status."""

from __future__ import annotations

import argparse
import re
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from typing import Any, NoReturn

from multimodal_ensemble._version import __version__
from multimodal_ensemble.cli._command import Command, make_add
from multimodal_ensemble.cli._commands import COMMANDS
from multimodal_ensemble.cli._console import Console, open_nowhere
from multimodal_ensemble.cli._errors import CommandError, UsageError
from multimodal_ensemble.cli._exit_status import INTERRUPTED, REFUSED, TERMINATED, USAGE
from multimodal_ensemble.cli._options_file import apply_options_file
from multimodal_ensemble.cli._startup import set_log_level
from multimodal_ensemble.exceptions import (
    ArtefactError,
    MultimodalEnsembleError,
    WeightsUnavailableError,
)

PROGRAM = "multimodal-ensemble"
_EPILOG = (
    "Exit status: 0 done; 1 the data or a file cannot be used; 2 an option is wrong; 130 "
    "interrupted by Ctrl-C; 143 by SIGTERM."
)
_KEPT_NOTES = ("Raised by ", "It was raised for ")


def run_command_line(arguments: Sequence[str]) -> int:
    """Parse the arguments, execute the command, and return the exit status."""
    if sys.stderr is None:
        # The caller closed it.
        sys.stderr = open_nowhere()
    try:
        values = _parse(arguments)
    except SystemExit as done:
        return int(done.code or 0)
    except BrokenPipeError:
        # The reader of a completion script has enough.
        sys.stdout = open_nowhere()
        return 0
    set_log_level(is_quiet=not values.debug)
    console = Console(as_json=values.json, is_quiet=values.quiet)
    return _run(values.command, values, console)


class _Parser(argparse.ArgumentParser):
    """Accepts no abbreviated options, and prints one line of usage with an error."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, allow_abbrev=False)

    def error(self, message: str) -> NoReturn:
        """Exit with an error of usage."""
        self.exit(USAGE, f"error: {message}\nTry {self.prog} --help.\n")


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = _Parser(
        prog=PROGRAM,
        description="Predict labels from files with images, texts, tags and numbers.",
        epilog=_EPILOG,
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    parser.add_argument(
        "--print-completion",
        metavar="SHELL",
        choices=("bash", "zsh", "tcsh"),
        help="print a completion script for bash, zsh or tcsh; needs the extra completion",
    )
    commands = parser.add_subparsers(metavar="COMMAND", dest="name")
    parsers: dict[str, argparse.ArgumentParser] = {}
    actions: dict[str, dict[str, argparse.Action]] = {}
    for command in COMMANDS:
        parsers[command.name], actions[command.name] = _add_command(commands, command)
    _read_options_file(arguments, parsers, actions)
    values = parser.parse_args(arguments)
    if values.print_completion is not None:
        _print_completion(parser, values.print_completion)
    if values.name is None:
        parser.error(f"name a command: {', '.join(parsers)}")
    return values


def _add_command(
    commands: Any, command: Command
) -> tuple[argparse.ArgumentParser, dict[str, argparse.Action]]:
    """Add the parser of a command, and return it with its options by name."""
    parser: argparse.ArgumentParser = commands.add_parser(
        command.name,
        help=command.summary,
        description=command.description,
        epilog=_EPILOG,
    )
    parser.set_defaults(command=command)
    options: dict[str, argparse.Action] = {}
    add = make_add(parser, options)
    command.add_arguments(add)
    add("--json", action="store_true", help="print the result as one JSON object on stdout")
    add("--quiet", action="store_true", help="print no notes and no progress; warnings stay")
    add(
        "--debug",
        action="store_true",
        help="print the traceback of an error, and the lines of TensorFlow",
    )
    parser.add_argument(
        "--options",
        metavar="FILE",
        help="TOML file with options; those on the command line win",
    )
    return parser, options


def _read_options_file(
    arguments: Sequence[str],
    parsers: dict[str, argparse.ArgumentParser],
    actions: dict[str, dict[str, argparse.Action]],
) -> None:
    finder = _Parser(prog=PROGRAM, add_help=False)
    finder.add_argument("--options")
    known, others = finder.parse_known_args(arguments)
    name = next((each for each in others if each in parsers), None)
    if known.options is not None and name is not None:
        try:
            apply_options_file(known.options, name, parsers[name], actions)
        except UsageError as error:
            parsers[name].error(str(error))


def _print_completion(parser: argparse.ArgumentParser, shell: str) -> NoReturn:
    try:
        import shtab
    except ImportError:
        parser.error("completion needs shtab; run pip install shtab")
    print(shtab.complete(parser, shell=shell))
    parser.exit()


def _run(command: Command, values: argparse.Namespace, console: Console) -> int:
    """Execute a command, report its errors in one sentence each, and return the exit status."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A terminal may not have all the letters of a label.
            stream.reconfigure(errors="backslashreplace")
    try:
        # The progress of the library goes to stderr, and only the result to stdout.
        with _raising_on_sigterm(), redirect_stdout(sys.stderr), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("default", UserWarning)
            warnings.showwarning = _WarningPrinter(console)
            command.execute(values, console)
        return 0
    except KeyboardInterrupt as interrupt:
        is_by_user = not isinstance(interrupt, _Terminated)
        word = "Interrupted" if is_by_user else "Terminated"
        print(f"\n{word}; {console.kept}.", file=sys.stderr)
        return INTERRUPTED if is_by_user else TERMINATED
    except BrokenPipeError:
        # Nobody reads what goes on.
        sys.stderr = open_nowhere()
        return REFUSED
    except UsageError as error:
        message, status = f"error: {error}\nTry {PROGRAM} {command.name} --help.", USAGE
        problem: Exception = error
    except Exception as error:
        message, status = f"error: {_describe(error)}", REFUSED
        problem = error
    if values.debug:
        traceback.print_exception(problem, file=sys.stderr)
    print(message, file=sys.stderr)
    return status


class _Terminated(KeyboardInterrupt):
    """The process is to end, and keeps what is done as after Ctrl-C."""


@contextmanager
def _raising_on_sigterm() -> Iterator[None]:
    """Raise _Terminated on SIGTERM, unless the process has a handler, or runs this in a thread."""

    def terminate(*_: object) -> NoReturn:
        raise _Terminated

    is_in_thread = threading.current_thread() is not threading.main_thread()
    if is_in_thread or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _describe(error: Exception) -> str:
    # Notes name the modality and the method of an encoder of another package, and its rows.
    notes = [each for each in getattr(error, "__notes__", ()) if each.startswith(_KEPT_NOTES)]
    return " ".join([_describe_alone(error), *notes])


def _describe_alone(error: Exception) -> str:
    if isinstance(error, OSError) and not isinstance(error, MultimodalEnsembleError):
        where = f" ({str(error.filename)!r})" if error.filename else ""
        return f"{(error.strerror or str(error)).rstrip('.')}{where}."
    known = CommandError | MultimodalEnsembleError | ValueError | ImportError
    if isinstance(error, WeightsUnavailableError):
        # The library names the parameter of Python.
        text = str(error).replace("weights=None", "--weights random")
        return re.sub(r"weights='([^']*)'", r"--weights \1", text)
    if isinstance(error, ArtefactError):
        # Those who write Python import the module of a class.
        text = str(error).replace("Import the package that", "Name the module that")
        text = text.replace("defines it first.", "defines it with --import.")
        return text.replace("import that package first", "name its module with --import")
    if isinstance(error, known) and str(error):
        trusted = r"pass trusted_columns=\[(.*)\]"
        advise = "name what it reads with --trusted-columns {}".format
        return re.sub(trusted, lambda found: advise(found[1].replace(",", "")), str(error))
    kind = type(error).__name__
    return f"{kind}: {error}. This was not expected; the option --debug shows where it happened."


class _WarningPrinter:
    """Prints warnings of a kind once, without their place in the code."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._printed: set[str] = set()

    def __call__(self, message: Warning | str, *_: Any, **__: Any) -> None:
        # The library counts the rows of a part, and not those of the file.
        text = re.sub(r" in row \d+\.$|, the first is row \d+\.", ".", str(message))
        kind = re.sub(r"\d+", "", text.partition(" The first one is ")[0])
        if kind not in self._printed:
            self._printed.add(kind)
            self._console.warn(text)
