"""The data folder: movies with their posters, and tags."""

import dataclasses
from pathlib import Path

import pandas as pd

from .._errors import DataError
from ._findings import Findings
from ._movielens import drop_repeated_ids, note_gaps, note_unknown_movies, parse_ids, read_tags
from ._tables import read_table

MOVIES_FILE = "extended_movie_data_with_local_files.csv"
TAGS_FILE = "tags.csv"
MOVIE_COLUMNS = ["movieId", "title", "genres", "release_year", "language", "poster_file"]
NO_GENRE = "(no genres listed)"


@dataclasses.dataclass(frozen=True)
class DataFolder:
    """The content of a data folder.

    Parameters
    ----------
    folder : Path
        The folder.
    movies : DataFrame
        One row a movie: ``movieId``, ``title``, ``genres`` (as in the file, joined by ``|``),
        ``release_year`` (missing where unknown), ``language`` and ``poster_file`` (empty where
        unknown).
    tags : DataFrame
        One row for each time that a user gave a tag: ``userId``, ``movieId``, ``tag``.
    findings : Findings
        What was wrong in the files, and what was done about it.
    """

    folder: Path
    movies: pd.DataFrame
    tags: pd.DataFrame
    findings: Findings


def read_folder(folder: Path) -> DataFolder:
    """Read a data folder, row by row where a file is damaged.

    Raises
    ------
    DataError
        If the folder or a file is missing, is no table, or lacks a column.
    """
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        msg = f"The data folder {str(folder)!r} {what}."
        raise DataError(msg)
    for name in (MOVIES_FILE, TAGS_FILE):
        if not (folder / name).is_file():
            msg = (
                f"The data folder {str(folder)!r} has no {name}; it must hold {MOVIES_FILE}, "
                f"{TAGS_FILE} and the posters that the former names. The command retrieve makes "
                "such a folder of MovieLens."
            )
            raise DataError(msg)
    findings = Findings()
    movies = read_table(folder / MOVIES_FILE, MOVIE_COLUMNS, findings)
    movies = parse_ids(movies, "movieId", MOVIES_FILE, findings)
    movies = drop_repeated_ids(movies, "movieId", MOVIES_FILE, findings)
    movies = movies.assign(
        release_year=_parse_years(movies["release_year"], findings),
        language=movies["language"].str.strip(),
        poster_file=movies["poster_file"].str.strip(),
    )
    movies = movies.reset_index(drop=True)
    note_gaps(movies, MOVIES_FILE, findings)
    tags = read_tags(folder / TAGS_FILE, findings)
    note_unknown_movies(tags, movies, TAGS_FILE, findings)
    return DataFolder(folder, movies, tags, findings)


def _parse_years(texts: pd.Series, findings: Findings) -> pd.Series:
    years = pd.to_numeric(texts.str.strip(), errors="coerce")
    years = years.where((years % 1 == 0) & years.between(1, 9999))
    if (wrong := texts[years.isna() & (texts.str.strip() != "")]).size:
        findings.add(
            MOVIES_FILE,
            "release year is no year",
            len(wrong),
            "kept, year unknown",
            repr(wrong.iloc[0])[:60],
        )
    return years.astype("Int64")
