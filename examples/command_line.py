"""What the command lines share: errors in one sentence, warnings, output folders."""

import sys
import warnings
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from multimodal_ensemble.exceptions import MultimodalEnsembleError

# Exit statuses.
REFUSED = 2
INTERRUPTED = 130


class ExampleError(ValueError):
    """The data or the options cannot be used; the command line reports it in one sentence."""


def run_command(
    command: Callable[[], int],
    *,
    kept: str = "nothing was changed",
    hints: Mapping[type[Exception], str] | None = None,
) -> int:
    """Run a command, report its errors in one sentence each, and return the exit status.

    Parameters
    ----------
    command : callable
        The command, which returns its exit status.
    kept : str, default="nothing was changed"
        What is left after an interruption, for the message.
    hints : mapping of exception class to str, optional
        What is added to the message of an error of this class.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            # A terminal may not have all the letters of a title.
            stream.reconfigure(errors="backslashreplace")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", UserWarning)
            warnings.showwarning = _WarningPrinter()
            return command()
    except (ExampleError, MultimodalEnsembleError) as error:
        known = (hints or {}).items()
        hint = next((hint for kind, hint in known if isinstance(error, kind)), "")
        print(f"error: {error}{hint}", file=sys.stderr)
    except OSError as error:
        where = f" ({str(error.filename)!r})" if error.filename else ""
        print(f"error: {error.strerror or error}{where}.", file=sys.stderr)
    except KeyboardInterrupt:
        print(f"\nInterrupted; {kept}.", file=sys.stderr)
        return INTERRUPTED
    return REFUSED


def default_out(name: str, purpose: str) -> Path:
    """Return an output folder named after the time, the data and the purpose."""
    stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    return Path("runs") / f"{stamp}-{name}-{purpose}"


def make_out(out: Path) -> None:
    """Create the output folder before any long computation.

    Raises
    ------
    ExampleError
        If it is a file, is not empty, or cannot be created.
    """
    if out.exists() and not out.is_dir():
        msg = f"--out {str(out)!r} is a file; name a new or an empty folder."
        raise ExampleError(msg)
    try:
        if out.exists() and any(out.iterdir()):
            msg = f"The output folder {str(out)!r} is not empty; name another one with --out."
            raise ExampleError(msg)
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"The output folder {str(out)!r} cannot be made ({error.strerror})."
        raise ExampleError(msg) from error


class _WarningPrinter:
    """Prints each warning once for all models and seeds, without its place in the code."""

    def __init__(self) -> None:
        self._printed: set[str] = set()

    def __call__(self, message: Warning | str, *_: Any, **__: Any) -> None:
        text = str(message)
        if text not in self._printed:
            self._printed.add(text)
            print(f"warning: {text}", file=sys.stderr)
