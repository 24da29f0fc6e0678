"""Files that are seen whole or not at all."""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pandas as pd


@contextlib.contextmanager
def replacing(path: Path, mode: str = "w") -> Iterator[IO]:
    """Open a file whose content takes the place of `path` in one step, at the end.

    Until then, and if anything goes wrong, what is at `path` stays as it is.

    Parameters
    ----------
    path : Path
        The file.
    mode : {"w", "wb"}
        Text in UTF-8 whose line ends are written as they are, or bytes.
    """
    text = {"encoding": "utf-8", "newline": ""} if mode == "w" else {}
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open(mode, **text) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_csv(path: Path, table: pd.DataFrame) -> None:
    """Write a table without its index, whole or not at all, with the same bytes on each system."""
    with replacing(path) as file:
        table.to_csv(file, index=False, lineterminator="\n")


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write strict JSON, whole or not at all."""
    text = json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False)
    with replacing(path) as file:
        file.write(text + "\n")
