"""The entry point, which imports the commands only once Ctrl-C is handled."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from multimodal_ensemble.cli._exit_status import INTERRUPTED


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status.

    Parameters
    ----------
    arguments : sequence of str, optional
        The arguments. Default: those of the process.

    Returns
    -------
    int
        0 if the command did all, 1 if the data or a file cannot be used, 2 if an option is wrong,
        130 if it was interrupted by Ctrl-C, 143 if by SIGTERM.

    Examples
    --------
    >>> from multimodal_ensemble.cli import main
    >>> main(["show", "absent.mme"])  # the reason goes to stderr
    1
    """
    try:
        # Most of the time until a command begins is that of this import.
        from multimodal_ensemble.cli._main import run_command_line

        return run_command_line(sys.argv[1:] if arguments is None else list(arguments))
    except KeyboardInterrupt:
        if sys.stderr is not None:
            print("\nInterrupted.", file=sys.stderr)
        return INTERRUPTED
