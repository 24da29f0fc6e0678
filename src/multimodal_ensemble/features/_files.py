"""Writing the files of a store."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from multimodal_ensemble.exceptions import FeatureStoreError
from multimodal_ensemble.saving import replacing


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file of a store completely or not at all."""
    with explaining_write_errors(path), replacing(path, tidy=False) as file:
        file.write(json.dumps(value, indent=2).encode())


@contextmanager
def explaining_write_errors(path: Path) -> Iterator[None]:
    """Create the folder of a file, and turn any OSError in the block into a FeatureStoreError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        msg = (
            f"The feature store cannot write {str(path)!r}: {reason}. The features in it are "
            "kept. Make room, or use a store in another folder."
        )
        raise FeatureStoreError(msg) from error
