"""Measurements in new processes, whose memory nothing else has used."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]


def run_python(*arguments: str) -> str:
    """Run Python with these arguments, and return what it prints."""
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout


def measure_module(module: str, *arguments: object) -> dict[str, Any]:
    """Run a module, and return the JSON of the last line that it prints."""
    printed = run_python("-m", module, *map(str, arguments))
    measured: dict[str, Any] = json.loads(printed.splitlines()[-1])
    return measured


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
