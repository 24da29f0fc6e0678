"""The training table as a file, and the manifest of its inputs."""

import dataclasses
import hashlib
import json
import os
from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.preprocessing import MultiLabelBinarizer

from multimodal_ensemble.saving import replacing

from ...versions import describe_versions
from .._errors import DataError, UsageError
from .._files import write_csv, write_json
from ._filters import Filters
from ._findings import Findings
from ._folder import MANIFEST_FILE, MOVIES_FILE, TAGS_FILE
from ._genome import GENOME_TAGS_FILE, SCORES_FILE
from ._prepare import MODALITIES, MovieData
from ._tags import GENRE_TAG_COLUMNS

TABLE_NAME = "training_table"
FORMATS = ("csv", "parquet")
MANIFEST_FORMAT = 1
# Columns of lists. In a CSV file they are joined by a character that no tag or genre contains.
_LISTS = ("title_words", "tags", "genres")
_JOINT = "|"


def make_manifest(
    data: MovieData,
    folder: Path,
    filters: Filters,
    *,
    modalities: Collection[str],
    genome: Path | None = None,
) -> dict[str, Any]:
    """Return the inputs, options and versions behind a training table, ready for JSON.

    Returns
    -------
    dict
        Inputs with their SHA-256, options, versions, and the effect of each filter.
    """
    inputs = {name: _describe_file(folder / name) for name in (MOVIES_FILE, TAGS_FILE)}
    if data.genome_tags or filters.min_relevance is not None:
        inputs |= {
            name: _describe_file((genome or folder) / name)
            for name in (SCORES_FILE, GENOME_TAGS_FILE)
        }
    if "poster" in modalities:
        inputs["posters"] = _describe_posters(folder, data.movies["poster_file"])
    return {
        "format": MANIFEST_FORMAT,
        "inputs": inputs,
        "options": dataclasses.asdict(filters) | {"modalities": list(modalities)},
        "versions": describe_versions(),
        "movies": len(data.movies),
        "genres": list(data.genres.columns),
        "genome_tags": data.genome_tags,
        "steps": _to_records(data.steps.reset_index()),
        "tag_steps": _to_records(data.tag_steps.reset_index()),
        "genre_counts": _to_records(data.genre_counts.reset_index()),
        "genre_tags": _to_records(data.genre_tags),
        "findings": _to_records(data.findings.table()),
    }


def save_table(
    out: Path, data: MovieData, manifest: dict[str, Any], folder: Path, table_format: str
) -> Path:
    """Write the training table and then its manifest; return the path of the table.

    Raises
    ------
    UsageError
        If the format is Parquet and pyarrow is not installed.
    """
    table = data.movies
    path = out / f"{TABLE_NAME}.{table_format}"
    if table_format == "parquet":
        try:
            with replacing(path) as file:
                table.to_parquet(file, index=False)
        except ImportError as error:
            msg = "--format parquet needs pyarrow: pip install '.[parquet]', or use --format csv."
            raise UsageError(msg) from error
    else:
        joined = {
            name: table[name].map(lambda items: _JOINT.join(map(str, items))) for name in _LISTS
        }
        write_csv(path, table.assign(**joined))
    described = {
        "data_folder": _path_from(out.resolve(), folder.resolve()),
        "table": {"file": path.name, **_describe_file(path)},
        "columns": {name: str(dtype) for name, dtype in table.dtypes.items()},
    }
    write_json(out / MANIFEST_FILE, manifest | described)
    return path


def read_modalities(folder: Path) -> tuple[str, ...]:
    """Return the modalities of a training table; empty if there is no readable one."""
    try:
        manifest = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
        names = manifest["options"]["modalities"]
    except (OSError, LookupError, TypeError, ValueError):
        return ()
    return tuple(name for name in MODALITIES if name in names)


def load_table(out: Path) -> tuple[MovieData, dict[str, Any], Path]:
    """Read what `save_table` wrote: the movies, the manifest, and the folder of the posters.

    Raises
    ------
    DataError
        If the manifest or the table is damaged, or they do not belong together.
    """
    path = out / MANIFEST_FILE
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        if manifest["format"] != MANIFEST_FORMAT:
            msg = f"{str(path)!r} is of another version of the example; run prepare again."
            raise DataError(msg)
        table = out / Path(manifest["table"]["file"]).name
        if _describe_file(table)["sha256"] != manifest["table"]["sha256"]:
            msg = (
                f"{str(table)!r} is not the table that its manifest describes; it was changed "
                "later. Run prepare again."
            )
            raise DataError(msg)
        data = _assemble(_read_table(table), manifest)
        if len(data.movies) != manifest["movies"] or not data.genres.any(axis=1).all():
            msg = f"{str(path)!r} and its table contradict each other; run prepare again."
            raise DataError(msg)
        return data, manifest, out / manifest["data_folder"]
    except DataError:
        raise
    except (OSError, LookupError, TypeError, ValueError, AttributeError) as error:
        msg = f"{str(path)!r} or its table cannot be read ({error!r}); run prepare again."
        raise DataError(msg) from error


def check_posters(manifest: dict[str, Any], data: MovieData, folder: Path) -> None:
    """Check that the posters are the ones that the manifest describes.

    Raises
    ------
    DataError
        If a poster does not exist or has changed.
    """
    try:
        described = _describe_posters(folder, data.movies["poster_file"])
    except OSError as error:
        msg = f"A poster of the training table cannot be read ({error}); run prepare again."
        raise DataError(msg) from error
    if described != manifest["inputs"]["posters"]:
        msg = (
            f"The posters in {str(folder)!r} have changed since the training table was prepared; "
            "run prepare again."
        )
        raise DataError(msg)


def _read_table(path: Path) -> pd.DataFrame:
    if path.suffix == ".parquet":
        try:
            table = pd.read_parquet(path)
        except ImportError as error:
            msg = f"{str(path)!r} needs pyarrow: pip install '.[parquet]'."
            raise UsageError(msg) from error
        return table.assign(**{name: table[name].map(list) for name in _LISTS})
    texts = ["title", "language", "poster_file", *_LISTS]
    table = pd.read_csv(path, dtype=dict.fromkeys(texts, str), keep_default_na=False)
    return table.assign(
        **{
            name: table[name].map(lambda text: text.split(_JOINT) if text else [])
            for name in _LISTS
        }
    )


def _assemble(table: pd.DataFrame, manifest: dict[str, Any]) -> MovieData:
    if manifest["genome_tags"]:
        vectors = [np.asarray(vector, dtype=np.float32) for vector in table["tags"]]
        table = table.assign(tags=pd.Series(vectors, index=table.index, dtype=object))
    genres = manifest["genres"]
    if not set(chain.from_iterable(table["genres"])) <= set(genres):
        msg = "genres"
        raise ValueError(msg)
    hot = MultiLabelBinarizer(classes=genres).fit_transform(table["genres"])
    findings = Findings()
    for finding in manifest["findings"]:
        findings.add(**finding)
    return MovieData(
        movies=table,
        genres=pd.DataFrame(hot, columns=genres),
        steps=pd.DataFrame(manifest["steps"]).set_index("filter"),
        tag_steps=pd.DataFrame(manifest["tag_steps"]).set_index("tag"),
        genre_counts=pd.DataFrame(manifest["genre_counts"]).set_index("genre"),
        genre_tags=pd.DataFrame(manifest["genre_tags"], columns=GENRE_TAG_COLUMNS),
        findings=findings,
        genome_tags=manifest["genome_tags"],
    )


def _path_from(start: Path, folder: Path) -> str:
    """Return the path of a folder, relative if possible, so that both can move together."""
    try:
        return Path(os.path.relpath(folder, start)).as_posix()
    except ValueError:
        # The folder is on another drive of Windows.
        return folder.as_posix()


def _describe_file(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"bytes": path.stat().st_size, "sha256": digest}


def _describe_posters(folder: Path, files: Iterable[str]) -> dict[str, Any]:
    """Return the number and size of all posters, and one digest of names and contents."""
    names = sorted(files)
    with ThreadPoolExecutor() as pool:
        described = list(pool.map(lambda name: _describe_file(folder / name), names))
    lines = [f"{entry['sha256']}  {name}\n" for name, entry in zip(names, described, strict=True)]
    return {
        "files": len(names),
        "bytes": sum(entry["bytes"] for entry in described),
        "sha256": hashlib.sha256("".join(lines).encode()).hexdigest(),
    }


def _to_records(table: pd.DataFrame) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = json.loads(table.to_json(orient="records", double_precision=15))
    return records
