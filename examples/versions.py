"""Versions of the software that results depend on."""

import platform
import subprocess
from importlib import metadata
from pathlib import Path

PACKAGES = (
    "multimodal-ensemble", "tensorflow", "keras", "scikit-learn", "numpy", "pandas", "pillow",
)  # fmt: skip


def describe_versions() -> dict[str, str]:
    """Return the commit of the examples and all versions, without importing the packages."""
    versions = {"commit": _find_commit(), "python": platform.python_version()}
    return versions | {package: _find_version(package) for package in PACKAGES}


def _find_version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        # TensorFlow is also published under other names, and preparing data does not need it.
        return "not installed under this name"


def _find_commit() -> str:
    """Return the commit of the examples' code, marked if files have changed since."""
    command = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    try:
        done = subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()
