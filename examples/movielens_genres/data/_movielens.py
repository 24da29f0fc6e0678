"""A folder of MovieLens files as three clean tables: movies, their links, their tags."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pandas as pd

from .._errors import DataError
from ._findings import Findings
from ._tables import read_table

NO_GENRE = "(no genres listed)"
_IMDB_DIGITS = 7
_WHOLE_NUMBER = re.compile(r"\+?([0-9]+)(\.0*)?")
_MAX_ID = np.iinfo(np.int64).max


@dataclasses.dataclass(frozen=True)
class MovieLens:
    """The content of a MovieLens folder."""

    # Columns movieId (int64, each once), title and genres (str, as in the file).
    movies: pd.DataFrame
    # Columns movieId, imdbId (str of at least 7 digits) and tmdbId (str of digits); one row per
    # movie, in the order of `movies`, "" where there is no id.
    links: pd.DataFrame
    tags: pd.DataFrame  # columns userId, movieId (int64) and tag (str, as in the file)
    findings: Findings  # the problems in the files


def read_movielens(folder: Path, *, links: Path | None = None) -> MovieLens:
    """Read the files of any MovieLens release: ``.csv`` since 20M, ``.dat`` in 1M and 10M.

    Raises
    ------
    DataError
        If the folder has no movies, or a file in it cannot be used.
    """
    try:
        return _read_folder(folder, links)
    except OSError as error:
        msg = (
            f"The folder {str(folder)!r} cannot be read ({error.strerror}); check its permissions."
        )
        raise DataError(msg) from error


def _read_folder(folder: Path, links: Path | None) -> MovieLens:
    findings = Findings()
    movies = _read_movies(folder, findings)
    if links is None and (folder / "links.csv").exists():
        links = folder / "links.csv"
    if links is None:
        rule = (
            "no movie has links; --links FILE takes the links.csv of a newer MovieLens release, "
            "as movie ids are the same in all of them"
        )
        findings.add("links.csv", "the folder has none", 0, rule)
    tags_path = _find(folder, "tags", findings)
    if tags_path is None:
        findings.add("tags.csv", "the folder has none", 0, "no movie has tags")
        tags = pd.DataFrame({"userId": [], "movieId": []}, dtype=np.int64)
        tags["tag"] = pd.Series([], dtype=str)
    else:
        tags = read_tags(tags_path, findings)
        note_unknown_movies(tags, movies, tags_path.name, findings)
    return MovieLens(movies, _match_links(movies, links, findings), tags, findings)


def read_tags(path: Path, findings: Findings) -> pd.DataFrame:
    """Return ``userId``, ``movieId`` and ``tag``, without rows that lack one of the three."""
    # A tags.dat also has timestamps, and its columns are identified by position.
    optional = ["timestamp"] if path.suffix.lower() == ".dat" else []
    ids = ["userId", "movieId"]
    columns = [*ids, "tag"]
    tags = read_table(path, columns, findings, optional=optional, ids=ids, text="tag")[columns]
    for column in ids:
        tags = parse_ids(tags, column, path.name, findings)
    empty = _is_empty(tags["tag"])
    _add_rows(findings, path.name, "empty tag", tags[empty], "dropped")
    return tags[~empty].reset_index(drop=True) if empty.any() else tags


def parse_ids(table: pd.DataFrame, column: str, path_name: str, findings: Findings) -> pd.DataFrame:
    """Return the table with a column of ids as int64, without rows whose id is not a whole number.

    A decimal point followed by zeros, as spreadsheets write it, is accepted and reported.
    """
    if table[column].dtype == np.int64:
        numbers = table[column].to_numpy()
        decimal = np.zeros(len(table), dtype=bool)
    else:
        codes, uniques = pd.factorize(table[column])
        texts = uniques.tolist()
        numbers = np.array([_to_id(text) for text in texts], dtype=np.int64)[codes]
        decimal = np.array(["." in text for text in texts], dtype=bool)[codes]
    kept = numbers >= 0
    _add_rows(findings, path_name, f"{column} is not a whole number", table[~kept], "dropped")
    rule = "kept, read as whole numbers"
    _add_rows(findings, path_name, f"{column} with a decimal point", table[decimal & kept], rule)
    table = table.assign(**{column: numbers})
    return table if kept.all() else table[kept].reset_index(drop=True)


def drop_repeated_ids(
    table: pd.DataFrame, column: str, name: str, findings: Findings
) -> pd.DataFrame:
    """Return the table with the first row of each id; report whether the other rows differ."""
    repeated = table[column].duplicated()
    if not repeated.any():
        return table
    others = table[repeated]
    first = table[~repeated].set_index(column, drop=False).loc[others[column]]
    differ = (others.to_numpy() != first.to_numpy()).any(axis=1)
    rule = "the first is kept"
    _add_rows(findings, name, f"{column} repeated, the rows equal", others[~differ], rule)
    _add_rows(findings, name, f"{column} repeated, the rows differ", others[differ], rule)
    return table[~repeated].reset_index(drop=True)


def note_gaps(movies: pd.DataFrame, name: str, findings: Findings) -> None:
    """Report movies that lack something; all of them are kept."""
    for column in movies.columns.drop(["movieId", "tmdbId"], errors="ignore"):
        if column == "genres":
            lacking = _is_empty(movies[column]) | (movies[column] == NO_GENRE)
        elif pd.api.types.is_numeric_dtype(movies[column]):
            lacking = movies[column].isna()
        else:
            lacking = _is_empty(movies[column])
        what = f"no {column.removesuffix('_file').replace('_', ' ')}"
        _add_rows(findings, name, what, movies[lacking], "kept")


def note_unknown_movies(
    tags: pd.DataFrame, movies: pd.DataFrame, name: str, findings: Findings
) -> None:
    """Report tags of movies that are not in the table of movies."""
    unknown = tags[~tags["movieId"].isin(movies["movieId"])]
    _add_rows(findings, name, "movieId not in the movies", unknown, "kept, unused")


def _read_movies(folder: Path, findings: Findings) -> pd.DataFrame:
    if not folder.is_dir():
        what = "is a file; unpack it if it is an archive" if folder.exists() else "does not exist"
        msg = f"Expected a folder of MovieLens files, but {str(folder)!r} {what}."
        raise DataError(msg)
    path = _find(folder, "movies", findings)
    if path is None:
        within = sorted([*folder.glob("*/movies.csv"), *folder.glob("*/movies.dat")])
        fix = f"name {str(within[0].parent)!r}, which has it" if within else "name one that has it"
        msg = f"The folder {str(folder)!r} has no movies.csv or movies.dat; {fix}."
        raise DataError(msg)
    movies = read_table(
        path, ["movieId", "title", "genres"], findings, ids=["movieId"], text="title"
    )
    movies = parse_ids(movies, "movieId", path.name, findings)
    movies = drop_repeated_ids(movies, "movieId", path.name, findings)
    if movies.empty:
        msg = f"{str(path)!r} lists no movie; download or unpack it again."
        raise DataError(msg)
    note_gaps(movies, path.name, findings)
    return movies


def _match_links(movies: pd.DataFrame, path: Path | None, findings: Findings) -> pd.DataFrame:
    links = movies[["movieId"]].assign(imdbId="", tmdbId="")
    if path is None:
        return links
    table = read_table(path, ["movieId", "imdbId", "tmdbId"], findings, ids=["movieId"])
    table = parse_ids(table, "movieId", path.name, findings)
    table = drop_repeated_ids(table, "movieId", path.name, findings)
    known = movies["movieId"].isin(table["movieId"])
    _add_rows(findings, path.name, "movie without a row", movies[~known], "kept, without links")
    matched = table.set_index("movieId").reindex(movies["movieId"]).fillna("").reset_index()
    for column, width in (("imdbId", _IMDB_DIGITS), ("tmdbId", 0)):
        # "tt" begins the ids in the addresses of IMDb's pages.
        texts = matched[column].str.strip().str.removeprefix("tt")
        # 0 is not an id.
        digits = [(_to_digits(text) or "").removeprefix("0") for text in texts.tolist()]
        # IMDb pads its ids with zeros, which spreadsheets remove.
        links[column] = [number and number.zfill(width) for number in digits]
        without = links[column] == ""
        cases = {
            "with a decimal point": ~without & texts.str.contains(".", regex=False),
            "is not an id": without & (texts != ""),
            "is empty": without & (texts == "") & known,
        }
        for case, rows in cases.items():
            rule = "kept, read as whole numbers" if case.startswith("with") else "kept, without it"
            _add_rows(findings, path.name, f"{column} {case}", matched[rows], rule)
    return links


def _to_digits(text: str) -> str | None:
    """Return a whole number without leading zeros, or None if it is not one."""
    if not (text.isascii() and text.isdecimal()):
        match = _WHOLE_NUMBER.fullmatch(text.strip())
        if match is None:
            return None
        text = match[1]
    return text.lstrip("0") or "0"


def _to_id(text: str) -> int:
    """Return the id, or -1 if it is not one that fits into int64."""
    digits = _to_digits(text)
    # Python refuses to parse thousands of digits.
    if digits is None or len(digits) > len(str(_MAX_ID)) or int(digits) > _MAX_ID:
        return -1
    return int(digits)


def _is_empty(texts: pd.Series) -> pd.Series:
    return texts.str.isspace() | (texts == "")


def _find(folder: Path, stem: str, findings: Findings) -> Path | None:
    csv, dat = folder / f"{stem}.csv", folder / f"{stem}.dat"
    if csv.exists() and dat.exists():
        findings.add(dat.name, f"{csv.name} also exists", 0, f"{csv.name} is read instead")
    return next((path for path in (csv, dat) if path.exists()), None)


def _add_rows(findings: Findings, name: str, problem: str, rows: pd.DataFrame, rule: str) -> None:
    if len(rows):
        findings.add(name, problem, len(rows), rule, ",".join(map(str, rows.iloc[0])))
