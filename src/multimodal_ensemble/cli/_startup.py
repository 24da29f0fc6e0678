"""The import of TensorFlow without its lines about the machine."""

from __future__ import annotations

import faulthandler
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
# Errors only; TensorFlow prints the lines below all the same.
_QUIET = "3"
_START_LINE = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog"
    rb"|[IW]\d{4} \d\d:\d\d:\d\d"
    # Parts of TensorFlow 2.18 to 2.20 that are registered twice.
    rb"|E\d{4} .*(Unable to register cu\w+ factory|computation placer already registered)"
)


def set_log_level(*, is_quiet: bool) -> None:
    """Set how much TensorFlow prints, unless the environment says so."""
    os.environ.setdefault(LOG_LEVEL, _QUIET if is_quiet else "0")


def import_tensorflow() -> None:
    """Import the modules that need TensorFlow; its errors still appear on stderr."""
    if "tensorflow" in sys.modules or os.environ.get(LOG_LEVEL) != _QUIET:
        return
    with _filtered_stderr():
        import_module("multimodal_ensemble.encoders")


@contextmanager
def _filtered_stderr() -> Iterator[None]:
    # TensorFlow writes to the file descriptor, which `sys.stderr` may not be.
    try:
        saved = os.dup(2)
    except OSError:
        # It is closed.
        yield
        return
    with tempfile.TemporaryFile() as file:
        was_enabled = faulthandler.is_enabled()
        if not was_enabled:
            # A crash would lose the lines that are held back.
            faulthandler.enable(saved)
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            if not was_enabled:
                faulthandler.disable()
            os.close(saved)
            file.seek(0)
            with open(2, "wb", buffering=0, closefd=False) as stderr:
                stderr.writelines(line for line in file if not _START_LINE.match(line))
