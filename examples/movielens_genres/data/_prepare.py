"""From a data folder to the training table: one row a movie, with everything that models see."""

import dataclasses
import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.preprocessing import MultiLabelBinarizer

from multimodal_ensemble import read_images

from .._errors import DataError
from ._filters import ALL_LANGUAGES, Filters
from ._findings import Findings
from ._folder import DataFolder
from ._genome import Genome, read_genome
from ._movielens import NO_GENRE
from ._tags import (
    MovieTags,
    collect_tags,
    drops,
    find_genre,
    genre_names,
    normalize_tag,
    sift_tags,
)

# Of fewer, some tenth that is for validation holds next to nothing.
MIN_MOVIES = 40
# From here on a tag of the genome counts as one of the movie, where tables tell of tags.
RELEVANT = 0.5
COLUMNS = [
    "movieId", "title", "title_words", "year", "language", "poster_file", "tags", "genres",
]  # fmt: skip
MODALITIES = ("poster", "tags", "title", "year", "language")
# MovieLens writes the year behind the title.
_YEAR = re.compile(r"\s*\(\d{4}(?:[-\u2013]\d{0,4})?\)\s*$")


@dataclasses.dataclass(frozen=True)
class MovieData:
    """The prepared movies.

    Parameters
    ----------
    movies : DataFrame
        One row a movie, numbered from 0: ``movieId``, ``title``, ``title_words`` (without the
        year), ``year``, ``language``, ``poster_file``, ``tags`` (lists of normalised tags, or the
        relevances of `genome_tags`) and ``genres`` (lists of the kept genres).
    genres : DataFrame of shape (n_movies, n_genres)
        Multi-hot, one column a kept genre.
    steps : DataFrame
        How many movies each filter left.
    tag_steps : DataFrame
        Rows, distinct tags and movies that each filter of tags left.
    genre_counts : DataFrame
        Count, share and fate of every genre before the genre filter.
    genre_tags : DataFrame
        Tags that name a genre; see `MovieTags`.
    findings : Findings
        What was wrong in the files, and what was done about it.
    genome_tags : list of str
        The tags whose relevances ``tags`` holds; empty where it holds tags.
    """

    movies: pd.DataFrame
    genres: pd.DataFrame
    steps: pd.DataFrame
    tag_steps: pd.DataFrame
    genre_counts: pd.DataFrame
    genre_tags: pd.DataFrame
    findings: Findings
    genome_tags: list[str] = dataclasses.field(default_factory=list)


def prepare_movies(
    content: DataFolder,
    filters: Filters,
    *,
    modalities: Collection[str] = ("poster", "tags"),
    genome: Path | None = None,
    drop_unreadable_posters: bool = False,
) -> MovieData:
    """Apply the filters to what a data folder holds, one after the other.

    Parameters
    ----------
    content : DataFolder
        The data folder's content.
    filters : Filters
        What is kept.
    modalities : collection of str
        What each movie must have: those without a poster are dropped if posters are among them.
        A movie without tags is kept, and has none.
    genome : Path, optional
        The folder of the tag genome. Default: the data folder.
    drop_unreadable_posters : bool
        Whether to read each poster, and drop the movies of those that cannot be read. Else one that
        is named and not there is an error.

    Raises
    ------
    DataError
        If a poster or a file of the tag genome is missing, or no tag is left.
    """
    folder = content.folder
    movies, steps = _select_movies(content, filters)
    counts = count_genres(movies["all_genres"], filters.min_genre_share)
    kept = sorted(counts.index[counts["kept"]])
    movies["genres"] = [[name for name in names if name in kept] for names in movies["all_genres"]]
    movies = movies[movies["genres"].map(len) > 0]
    steps[f"with one of the {len(kept)} genres kept"] = len(movies)
    if "poster" in modalities:
        movies = _with_posters(folder, movies, steps, drop_unreadable=drop_unreadable_posters)
    names = genre_names(counts.index)
    genome_tags: list[str] = []
    if filters.tags == "genome" and "tags" in modalities:
        relevances = read_genome(genome or folder, movies["movieId"], content.findings)
        movies = movies[movies["movieId"].isin(relevances.movies)]
        steps["in the tag genome"] = len(movies)
        found, vectors, genome_tags = _choose_genome_tags(relevances, movies, names, filters)
    else:
        genres = dict(zip(movies["movieId"], movies["all_genres"], strict=True))
        found, vectors = collect_tags(content.tags, genres, names, filters), None
    tags = found.tags if vectors is None else vectors
    movies = movies.assign(tags=_in_rows(tags, movies))
    if len(movies) and "tags" in modalities and not movies["tags"].map(len).any():
        option = "--min-relevance" if filters.tags == "genome" else "--min-tag-users"
        fix = f"lower {option}, or " if filters.tags == "genome" or len(content.tags) else ""
        msg = f"No movie that is left has a tag that is left; {fix}leave tags out of --modalities."
        raise DataError(msg)
    binarizer = MultiLabelBinarizer(classes=kept)
    return MovieData(
        movies=movies[COLUMNS].reset_index(drop=True),
        genres=pd.DataFrame(binarizer.fit_transform(movies["genres"]), columns=kept),
        steps=pd.DataFrame({"movies": steps}).rename_axis("filter"),
        tag_steps=found.steps,
        genre_counts=counts,
        genre_tags=found.genre_tags,
        findings=content.findings,
        genome_tags=genome_tags,
    )


def count_genres(genre_lists: pd.Series, min_share: float) -> pd.DataFrame:
    """Return how often each genre occurs, its share of all occurrences, and whether it is kept."""
    counts = genre_lists.explode().dropna().value_counts()
    share = counts / counts.sum()
    # "(no genres listed)" is an occurrence, as in the study, and never a genre to predict.
    kept = (share >= min_share) & (counts.index != NO_GENRE)
    return pd.DataFrame({"movies": counts, "share": share, "kept": kept}).rename_axis("genre")


def split_genres(genres: str) -> list[str]:
    """Return the genres of a movie, each once: MovieLens joins them by ``|``."""
    return list(dict.fromkeys(name.strip() for name in genres.split("|") if name.strip()))


def split_title(title: str) -> list[str]:
    """Return the words of a title in lower case, without the year that MovieLens puts behind it.

    Examples
    --------
    >>> split_title("Copper Café, The (1999)")
    ['copper', 'café', 'the']
    """
    return normalize_tag(re.sub(r"[-/:]", " ", _YEAR.sub("", title))).split()


def _select_movies(content: DataFolder, filters: Filters) -> tuple[pd.DataFrame, dict[str, int]]:
    """Return the movies of the language and the years, and how many each of both left."""
    movies = content.movies
    steps = {"in the data": len(movies)}
    # MovieLens lists a few movies twice; one of the two could train and the other be tested.
    repeated = _is_repeated(movies, "poster_file") | _is_repeated(movies, "tmdbId")
    if repeated.any():
        movies = movies[~repeated]
        steps["listed for the first time"] = len(movies)
    if filters.language != ALL_LANGUAGES:
        movies = movies[movies["language"] == filters.language]
        steps[f"in the language {filters.language!r}"] = len(movies)
    movies = movies[(movies["release_year"] >= filters.min_year).fillna(value=False)]
    steps[f"released in {filters.min_year} or later"] = len(movies)
    movies = movies.rename(columns={"release_year": "year"}).astype({"year": "int64"})
    return (
        movies.assign(
            all_genres=movies["genres"].map(split_genres),
            title_words=movies["title"].map(split_title),
        ),
        steps,
    )


def _is_repeated(movies: pd.DataFrame, column: str) -> pd.Series:
    if column not in movies.columns:
        return pd.Series(data=False, index=movies.index)
    return movies[column].duplicated() & (movies[column] != "")


def _with_posters(
    folder: Path, movies: pd.DataFrame, steps: dict[str, int], *, drop_unreadable: bool
) -> pd.DataFrame:
    movies = movies[movies["poster_file"] != ""]
    steps["with a poster"] = len(movies)
    if drop_unreadable:
        files = [folder / file for file in movies["poster_file"]]
        # One pixel of each will do, and all of it has to be decoded for that.
        read = read_images(files, 1, on_error="drop", workers=os.cpu_count() or 1)
        movies = movies.iloc[read.kept]
        steps["with a poster that can be read"] = len(movies)
        return movies
    is_there = movies["poster_file"].map(lambda file: (folder / file).is_file()).astype(bool)
    if not is_there.all():
        missing = movies["poster_file"][~is_there]
        msg = (
            f"{len(missing)} of {len(movies)} posters are missing in {str(folder)!r}, the first "
            f"is {missing.iloc[0]!r}; restore them, pass --unreadable-posters drop to go without "
            "these movies, or leave poster out of --modalities."
        )
        raise DataError(msg)
    return movies


def _choose_genome_tags(
    genome: Genome, movies: pd.DataFrame, names: Mapping[str, str], filters: Filters
) -> tuple[MovieTags, dict[int, np.ndarray] | None, list[str]]:
    """Return the tags of enough relevance; without a least one, also the relevances of which tags.

    What the filters leave is told of the tags of enough relevance in either case.
    """
    least = RELEVANT if filters.min_relevance is None else filters.min_relevance
    tags = np.array([normalize_tag(tag) for tag in genome.tags], dtype=object)
    rows, columns = (genome.relevance >= least).nonzero()
    pairs = pd.DataFrame({"movieId": genome.movies[rows], "tag": tags[columns]}).drop_duplicates()
    genres = dict(zip(movies["movieId"], movies["all_genres"], strict=True))
    step = {f"of relevance {least:g} at least": pairs}
    found = sift_tags(pairs, genres, names, filters.drop_genre_tags, step)
    if filters.min_relevance is not None:
        return found, None, []
    kept = [
        column
        for column, tag in enumerate(tags)
        if not ((match := find_genre(tag, names)) and drops(filters.drop_genre_tags, match[1]))
    ]
    vectors = dict(zip(genome.movies.tolist(), genome.relevance[:, kept], strict=True))
    return found, vectors, tags[kept].tolist()


def _in_rows(tags: Mapping[int, Any], movies: pd.DataFrame) -> pd.Series:
    return pd.Series(
        [tags.get(movie, []) for movie in movies["movieId"]], index=movies.index, dtype=object
    )


def check_enough(data: MovieData, folder: Path, least: int = MIN_MOVIES) -> None:
    """Check that there are movies enough, by default to train on.

    Raises
    ------
    DataError
        If there are too few.
    """
    if len(data.movies) < least:
        counts = ", ".join(f"{count} {step}" for step, count in data.steps["movies"].items())
        msg = (
            f"Too few movies of {str(folder)!r} are left after the filters, at least {least} "
            f"are needed ({counts}); loosen --language, --min-year or --min-genre-share."
        )
        raise DataError(msg)
