"""Text files that are written whole or not at all."""

import contextlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import pandas as pd

from multimodal_ensemble.saving import replacing

from ._errors import DataError


@contextlib.contextmanager
def replacing_text(path: Path) -> Iterator[TextIO]:
    """Open a UTF-8 text file that takes the place of `path` once it is written whole."""
    with replacing(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        try:
            yield text
        finally:
            # This flushes, and leaves it to `replacing` to sync and to close the file.
            text.detach()


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table without its index, with the same bytes on every system."""
    with replacing_text(path) as file:
        table.to_csv(file, index=False, lineterminator="\n")


def read_json(path: Path, key: str) -> Any:
    """Return the value of a key of an object in a JSON file that `write_json` wrote.

    Raises
    ------
    DataError
        If the file is damaged.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))[key]
    except (LookupError, TypeError, ValueError) as error:
        msg = f"{str(path)!r} is damaged ({type(error).__name__}: {error}); repeat the run."
        raise DataError(msg) from error


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write strict JSON: infinity and NaN are errors."""
    text = json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False)
    with replacing_text(path) as file:
        file.write(text + "\n")
