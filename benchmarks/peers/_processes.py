"""Environments of contestants, and their runs as processes of their own."""

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np

from benchmarks.peers._contestants import Contestant

CHILD = Path(__file__).parent / "_child.py"
ROOT = Path(__file__).parents[2]
FINISHED = "run.json"


class ContestantError(Exception):
    """What stopped an installation or a run, in one line."""


@dataclasses.dataclass(frozen=True)
class Run:
    """One finished run; `peak_mib` is that of its main process."""

    scores: np.ndarray
    cpu_seconds: float
    wall_seconds: float
    peak_mib: float
    versions: dict[str, str]


def install(contestant: Contestant, environments: Path, limit: float) -> Path:
    """Return the Python of the contestant's environment, which is made if it is not complete.

    Raises
    ------
    ContestantError
        If it cannot be installed within the limit, in seconds.
    """
    folder = environments.resolve() / contestant.environment
    python, done = folder / "bin" / "python", folder / "installed.json"
    wanted = json.dumps(contestant.requirements)
    if done.exists() and done.read_text() == wanted:
        return python
    log = environments / f"{contestant.environment}.log"
    environments.mkdir(parents=True, exist_ok=True)
    for command in (
        [sys.executable, "-m", "venv", "--clear", str(folder)],
        [str(python), "-m", "pip", "install", "--quiet", *contestant.requirements],
    ):
        # The requirement "." is this repository.
        _run(command, log.absolute(), limit, ROOT)
    done.write_text(wanted)
    return python


def run(
    contestant: Contestant, python: Path, inputs: Path, folder: Path, out: Path, limit: float
) -> Run:
    """Run a contestant's script and measure it, unless `out` holds a finished run.

    The script may write to `folder`, and finds there what its earlier runs have written.

    Raises
    ------
    ContestantError
        If it fails, or is not finished within the limit, in seconds.
    """
    finished = out / FINISHED
    if not is_finished(out):
        for path in (folder, out):
            path.mkdir(parents=True, exist_ok=True)
        # The folder of this file would hide packages of the same names.
        paths = [contestant.script, inputs, folder, out]
        paths = [path.absolute() for path in paths]
        command = [str(python.absolute()), "-P", str(CHILD), *map(str, paths), *contestant.packages]
        start = time.perf_counter()
        # Some libraries write to the current folder.
        usage = _run(command, out / "log", limit, out)
        used = {
            "cpu_seconds": usage.ru_utime + usage.ru_stime,
            "wall_seconds": time.perf_counter() - start,
            "peak_mib": int((out / "peak_kib").read_text()) / 1024,
            "versions": json.loads((out / "versions.json").read_text()),
        }
        finished.write_text(json.dumps(used))
    return Run(np.load(out / "scores.npy"), **json.loads(finished.read_text()))


def is_finished(out: Path) -> bool:
    """Return whether a folder holds a finished run."""
    return (out / FINISHED).exists()


def _run(command: list[str], log: Path, limit: float, folder: Path) -> "os.struct_rusage":  # type: ignore[name-defined]
    """Run a command in a folder, and return what it and the processes it waited for have used."""
    stopped = threading.Event()
    with log.open("w") as file:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        )

        def stop() -> None:
            stopped.set()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

        timer = threading.Timer(limit, stop)
        timer.start()
        try:
            # Its own usage alone, which that of all children would mix with that of others.
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            stop()
            raise
        finally:
            timer.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
    if stopped.is_set():
        msg = f"not finished after {limit:g} s"
        raise ContestantError(msg)
    if process.returncode:
        lines = [line.strip() for line in log.read_text(errors="replace").splitlines()]
        lines = [line for line in lines if line]
        msg = lines[-1] if lines else f"exit status {process.returncode}"
        raise ContestantError(msg)
    return usage
