"""New processes that share no state with this one and do not import TensorFlow again."""

from __future__ import annotations

import functools
import multiprocessing
import os
import sys
import traceback
from multiprocessing import forkserver
from multiprocessing.connection import Connection
from typing import Any
from unittest import mock

# Libraries that take seconds to import. This package is not among them, because some tests check
# its first import.
_LIBRARIES = ["keras", "pandas", "scipy.sparse", "sklearn.metrics", "sklearn.model_selection"]
# On other systems, a fork after importing TensorFlow is not known to be safe.
METHOD = "forkserver" if sys.platform == "linux" else "spawn"


class FreshProcess:
    """Run code in a new process with text pipes, like `subprocess.Popen`.

    The process is forked from a server that has only imported libraries, with another hash seed
    than this process. An exception that ends the process is printed to its standard output.
    """

    def __init__(self, code: str, *arguments: object) -> None:
        context = start_server()
        stdin, there_in = context.Pipe(duplex=False)
        there_out, stdout = context.Pipe(duplex=False)
        self._process = context.Process(
            target=_run, args=(code, [str(each) for each in arguments], stdin, stdout)
        )
        self._process.start()
        stdin.close()
        stdout.close()
        self.stdin = os.fdopen(os.dup(there_in.fileno()), "w")
        self.stdout = os.fdopen(os.dup(there_out.fileno()))
        there_in.close()
        there_out.close()

    def __enter__(self) -> FreshProcess:
        return self

    def __exit__(self, *error: object) -> None:
        if error[0] is not None:
            self.kill()
        self.wait()

    @property
    def is_running(self) -> bool:
        return self._process.is_alive()

    def kill(self) -> None:
        """Send a signal that no process can catch."""
        self._process.kill()

    def send_signal(self, number: int) -> None:
        os.kill(int(self._process.pid), number)

    def wait(self) -> int:
        """Wait until the process ends, and return its exit status."""
        self.stdin.close()
        if not self.stdout.closed:
            # The process would block on a full pipe.
            self.stdout.read()
        self._process.join()
        self.stdout.close()
        return int(self._process.exitcode)

    def wait_for(self, line: str) -> None:
        """Wait until the process prints a line, or fail with everything it printed."""
        printed = []
        for printed_line in self.stdout:
            if printed_line.strip() == line:
                return
            printed.append(printed_line)
        raise AssertionError("".join(printed))


def run_fresh(code: str, *arguments: object) -> str:
    """Run code in a new process and return what it prints."""
    process = FreshProcess(code, *arguments)
    printed = process.stdout.read()
    assert process.wait() == 0, printed
    return printed


@functools.cache
def start_server() -> Any:
    """Start the server that forks new processes, unless it is running; return its context."""
    context: Any = multiprocessing.get_context(METHOD)
    if METHOD == "forkserver":
        context.set_forkserver_preload(_LIBRARIES)
        with mock.patch.dict(os.environ, PYTHONHASHSEED="1"):
            forkserver.ensure_running()
    return context


def _run(code: str, arguments: list[str], stdin: Connection, stdout: Connection) -> None:
    for pipe, number in ((stdin, 0), (stdout, 1)):
        os.dup2(pipe.fileno(), number)
        pipe.close()
    sys.stdin, sys.stdout = os.fdopen(0), os.fdopen(1, "w")
    sys.argv = ["-c", *arguments]
    try:
        exec(code, {"__name__": "__main__"})
    except BaseException:
        traceback.print_exc(file=sys.stdout)
        raise
