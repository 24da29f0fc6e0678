"""Measurements in new processes, whose memory nothing else has used."""

import contextlib
import io
import json
import runpy
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

ROOT = Path(__file__).parents[1]
_is_trial = False


def stay_in_this_process() -> None:
    """Run scripts and modules in this process from now on, so that they need no imports.

    This is for a trial run, whose figures are meaningless.
    """
    global _is_trial
    _is_trial = True


def run_python(*arguments: str) -> str:
    """Run Python with these arguments, and return what it prints."""
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout


def run_script(code: str, *arguments: object) -> str:
    """Run code in a new process, and return what it prints."""
    words = [str(word) for word in arguments]
    if _is_trial:
        return _run_here(words, lambda: exec(code, {"__name__": "__main__"}))
    return run_python("-c", code, *words)


def measure_module(module: str, *arguments: object) -> dict[str, Any]:
    """Run a module, and return the JSON of the last line that it prints."""
    words = [str(word) for word in arguments]
    if _is_trial:
        printed = _run_here(words, lambda: runpy.run_module(module, run_name="__main__"))
    else:
        printed = run_python("-m", module, *words)
    measured: dict[str, Any] = json.loads(printed.splitlines()[-1])
    return measured


def _run_here(arguments: list[str], run: Callable[[], object]) -> str:
    with contextlib.redirect_stdout(io.StringIO()) as printed, warnings.catch_warnings():
        # The module has been imported already, under its own name.
        warnings.filterwarnings("ignore", "'benchmarks", RuntimeWarning)
        with mock.patch.object(sys, "argv", ["", *arguments]):
            run()
    return printed.getvalue()


def peak_mib() -> float:
    """Return the peak resident memory of this process.

    getrusage is not used, because its value in a new process starts at that of its parent.
    """
    return _status_mib("self", "VmHWM")


def resident_mib(process: int) -> float:
    """Return the resident memory of another process."""
    return _status_mib(str(process), "VmRSS")


def _status_mib(process: str, name: str) -> float:
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition(f"{name}:")[2].split()[0]) / 1024
