"""The room needs no deep learning framework."""

from __future__ import annotations

import subprocess
import sys


def test_import_does_without_tensorflow():
    code = (
        "import sys, multimodal_ensemble.metrics;"
        "print(sorted({'keras', 'tensorflow'} & {name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_all_lists_the_public_functions():
    from multimodal_ensemble import metrics

    public = [name for name, value in vars(metrics).items() if callable(value)]
    assert metrics.__all__ == sorted(name for name in public if not name.startswith("_"))
