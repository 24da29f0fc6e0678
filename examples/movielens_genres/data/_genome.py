"""The tag genome: the relevance of about 1,100 tags to each movie, computed by MovieLens."""

import dataclasses
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from .._errors import DataError
from ._findings import Findings
from ._tables import read_table
from ._tags import normalize_tag

SCORES_FILE = "genome-scores.csv"
GENOME_TAGS_FILE = "genome-tags.csv"
# ml-20m has 11.7 million rows. One part takes about 16 MB.
ROWS_A_PART = 1_000_000


@dataclasses.dataclass(frozen=True)
class Genome:
    """The relevance of each tag to each movie."""

    # The ids of the movies. Shape (n_movies,).
    movies: np.ndarray
    tags: list[str]  # the tags as MovieLens names them
    # In 0..1, of dtype float32. Shape (n_movies, n_tags).
    relevance: np.ndarray


def read_genome(folder: Path, movies: Iterable[int], findings: Findings) -> Genome:
    """Read the relevances of the given movies, without movies that have none.

    Raises
    ------
    DataError
        If a file does not exist or is not a table, or holds none of the movies.
    """
    for name in (SCORES_FILE, GENOME_TAGS_FILE):
        if not (folder / name).is_file():
            msg = (
                f"{str(folder)!r} has no {name}; name the MovieLens folder that has the tag genome "
                "(ml-20m, ml-25m and ml-latest have it) with --movielens, or use --tags user."
            )
            raise DataError(msg)
    names = read_table(folder / GENOME_TAGS_FILE, ["tagId", "tag"], findings, text="tag")
    tag_ids = pd.to_numeric(names["tagId"], errors="coerce")
    columns = pd.Index(tag_ids)
    wordless = names["tag"].map(normalize_tag) == ""
    if wordless.any():
        findings.add(
            GENOME_TAGS_FILE, "tag without a letter or digit", int(wordless.sum()), "dropped"
        )
    if tag_ids.isna().any() or not columns.is_unique:
        msg = f"{GENOME_TAGS_FILE} must give each tag a number of its own; download the file again."
        raise DataError(msg)
    rows = pd.Index(sorted(set(movies)))
    relevance = np.full((len(rows), len(columns)), np.nan, dtype=np.float32)
    unused = used = 0
    for part in _read_parts(folder / SCORES_FILE):
        part = part[part["movieId"].isin(rows)]
        column = columns.get_indexer(part["tagId"])
        good = (column >= 0) & part["relevance"].between(0, 1).to_numpy()
        unused += int((~good).sum())
        used += int(good.sum())
        row = rows.get_indexer(part["movieId"])
        relevance[row[good], column[good]] = part["relevance"].to_numpy()[good]
    if unused:
        findings.add(
            SCORES_FILE, "tag without a name, or relevance outside 0..1", unused, "dropped"
        )
    known = ~np.isnan(relevance)
    if repeated := used - int(known.sum()):
        findings.add(SCORES_FILE, "repeated movie and tag", repeated, "the last is kept")
    has_any = known.any(axis=1)
    if not has_any.any():
        msg = f"{SCORES_FILE} has none of the {len(rows)} movies that are left; use --tags user."
        raise DataError(msg)
    if holes := int((~known[has_any]).sum()):
        findings.add(SCORES_FILE, "movie without the relevance of a tag", holes, "taken as 0")
    relevance = np.nan_to_num(relevance[has_any][:, ~wordless])
    return Genome(rows.to_numpy()[has_any], list(names["tag"][~wordless]), relevance)


def _read_parts(path: Path) -> Iterator[pd.DataFrame]:
    types = {"movieId": np.int64, "tagId": np.int64, "relevance": np.float32}
    try:
        with pd.read_csv(
            path, usecols=list(types), dtype=types, chunksize=ROWS_A_PART, encoding="utf-8-sig"
        ) as parts:
            yield from parts
    except (ValueError, OverflowError) as error:
        # Nobody types these numbers, so an invalid file was probably not copied whole.
        msg = (
            f"{str(path)!r} must be a table of whole numbers movieId, tagId and a number relevance "
            f"({str(error).strip()}); download the file again."
        )
        raise DataError(msg) from error
