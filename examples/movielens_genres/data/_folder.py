"""The data folder: movies with their posters, and tags."""

import dataclasses
import re
from pathlib import Path

import pandas as pd

from .._errors import DataError
from ._findings import Findings
from ._movielens import drop_repeated_ids, note_gaps, note_unknown_movies, parse_ids, read_tags
from ._tables import read_table

MOVIES_FILE = "extended_movie_data_with_local_files.csv"
TAGS_FILE = "tags.csv"
# The longest file name of common systems, in bytes.
MAX_NAME = 255
# An absolute path, a path that leads upwards, a drive of Windows.
_OUTSIDE = re.compile(r"^/|(^|/)\.\.(/|$)|[:\0]")
# These files mark a training table and a folder made by retrieve.
MANIFEST_FILE = "manifest.json"
FINDINGS_FILE = "findings.csv"
MOVIE_COLUMNS = ["movieId", "title", "genres", "release_year", "language", "poster_file"]


@dataclasses.dataclass(frozen=True)
class DataFolder:
    """The content of a data folder."""

    folder: Path
    # One row per movie: movieId, title, genres (as in the file, joined by |), release_year (NA
    # where unknown), language and poster_file (empty where unknown), and tmdbId if the file has it.
    movies: pd.DataFrame
    tags: pd.DataFrame  # one row for each time that a user gave a tag: userId, movieId, tag
    findings: Findings  # the problems in the files


def is_prepared(folder: Path) -> bool:
    """Return whether a folder holds a training table with its manifest."""
    return (folder / MANIFEST_FILE).is_file()


def read_folder(folder: Path) -> DataFolder:
    """Read a data folder.

    Raises
    ------
    DataError
        If the folder or a file does not exist, is not a table, or lacks a column.
    """
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        msg = f"The data folder {str(folder)!r} {what}."
        raise DataError(msg)
    if is_prepared(folder):
        msg = f"{str(folder)!r} holds a training table, which only the command run accepts."
        raise DataError(msg)
    for name in (MOVIES_FILE, TAGS_FILE):
        if not (folder / name).is_file():
            msg = (
                f"The data folder {str(folder)!r} has no {name}; it must hold {MOVIES_FILE}, "
                f"{TAGS_FILE} and the posters that the former names. The command retrieve makes "
                "such a folder from MovieLens files."
            )
            raise DataError(msg)
    findings = Findings()
    _add_earlier_findings(folder / FINDINGS_FILE, findings)
    movies = read_table(folder / MOVIES_FILE, MOVIE_COLUMNS, findings, optional=["tmdbId"])
    movies = parse_ids(movies, "movieId", MOVIES_FILE, findings)
    movies = drop_repeated_ids(movies, "movieId", MOVIES_FILE, findings)
    movies = movies.assign(
        release_year=_parse_years(movies["release_year"], findings),
        language=movies["language"].str.strip(),
        poster_file=_check_files(movies["poster_file"], findings),
    )
    movies = movies.reset_index(drop=True)
    note_gaps(movies, MOVIES_FILE, findings)
    tags = read_tags(folder / TAGS_FILE, findings)
    note_unknown_movies(tags, movies, TAGS_FILE, findings)
    return DataFolder(folder, movies, tags, findings)


def _add_earlier_findings(path: Path, findings: Findings) -> None:
    """Add the problems that the command retrieve found in the MovieLens files."""
    if path.is_file():
        columns = ["file", "problem", "rows", "rule", "example"]
        for row in read_table(path, columns, findings).to_dict("records"):
            rows = int(row.pop("rows")) if str(row["rows"]).isdecimal() else 0
            findings.add(**row, rows=rows)


def _check_files(files: pd.Series, findings: Findings) -> pd.Series:
    """Return files with forward slashes, and "" for paths that lead out of the folder."""
    files = files.str.strip().str.replace("\\", "/", regex=False)
    leads_out = files.map(_leads_out).astype(bool)
    if leads_out.any():
        findings.add(
            MOVIES_FILE,
            "poster file is outside the folder",
            int(leads_out.sum()),
            "kept, poster unknown",
            files[leads_out].iloc[0],
        )
    return files.mask(leads_out, "")


def _leads_out(file: str) -> bool:
    too_long = any(len(part.encode()) > MAX_NAME for part in file.split("/"))
    return too_long or _OUTSIDE.search(file) is not None


def _parse_years(texts: pd.Series, findings: Findings) -> pd.Series:
    years = pd.to_numeric(texts.str.strip(), errors="coerce")
    years = years.where((years % 1 == 0) & years.between(1, 9999))
    if (wrong := texts[years.isna() & (texts.str.strip() != "")]).size:
        findings.add(
            MOVIES_FILE,
            "release year is not a year",
            len(wrong),
            "kept, year unknown",
            repr(wrong.iloc[0])[:60],
        )
    return years.astype("Int64")
