"""Where a fitted estimator comes from: rows, seed, date and versions."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd

from multimodal_ensemble._known_labels import label_shares
from multimodal_ensemble._table_files import TableFile, blocks_of
from multimodal_ensemble._version import __version__
from multimodal_ensemble.encoders import Encoder, ImageEncoder

# Libraries that predictions depend on.
_LIBRARIES = ("tensorflow", "keras", "numpy", "scikit-learn", "pandas", "pillow")


def describe_training(
    encoders: Sequence[Encoder], tables: Sequence[pd.DataFrame | TableFile], y: Any, seed: int
) -> dict[str, Any]:
    """Return what the provenance of all estimators has; `tables` are all rows, `y` the training."""
    return {
        "unreadable": _count_unreadable(encoders, tables),
        "label_shares": label_shares(np.asarray(y)).tolist(),
        "seed": seed,
        "trained_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": {
            "multimodal_ensemble": __version__,
            "python": platform.python_version(),
            **{name: version(name) for name in _LIBRARIES},
        },
    }


def _count_unreadable(
    encoders: Sequence[Encoder], tables: Sequence[pd.DataFrame | TableFile]
) -> dict[str, dict[str, int]]:
    """Return the numbers of unreadable images, and of rows with one, by modality."""
    counts = {}
    for encoder in encoders:
        if isinstance(encoder, ImageEncoder) and encoder.unreadable:
            values = [
                value
                for table in tables
                for part in blocks_of(table)
                for value in encoder.select(part)
            ]
            n_images, n_rows = encoder.count_unreadable(values)
            counts[encoder.name] = {"n_images": n_images, "n_rows": n_rows}
    return counts
