"""From a data folder to the training table: one row per movie, with all that models see."""

import dataclasses
import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.preprocessing import MultiLabelBinarizer

from multimodal_ensemble.images import read_images

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

# With fewer movies, the validation tenth would hold almost none.
MIN_MOVIES = 40
# The relevance from which tables count a tag of the genome as a tag of the movie.
RELEVANT = 0.5
COLUMNS = [
    "movieId", "title", "title_words", "year", "language", "poster_file", "tags", "genres",
]  # fmt: skip
MODALITIES = ("poster", "tags", "title", "year", "language")
# MovieLens writes the year behind the title.
_YEAR = re.compile(r"\s*\(\d{4}(?:[-\u2013]\d{0,4})?\)\s*$")
# MovieLens writes the article behind the title, so that titles sort without it.
_ARTICLE = re.compile(r"^(.*), (The|A|An)$")


@dataclasses.dataclass(frozen=True)
class MovieData:
    """The prepared movies."""

    # One row per movie, numbered from 0: movieId, title, title_words (without the year), year,
    # language, poster_file, tags (lists of normalised tags, or the relevances of `genome_tags`) and
    # genres (lists of the kept genres).
    movies: pd.DataFrame
    # Multi-hot, one column per kept genre. Shape (n_movies, n_genres).
    genres: pd.DataFrame
    steps: pd.DataFrame  # the number of movies after each filter
    tag_steps: pd.DataFrame  # rows, distinct tags and movies after each filter of tags
    # Count and share of every genre before the genre filter, and whether it is kept.
    genre_counts: pd.DataFrame
    genre_tags: pd.DataFrame  # tags that name a genre; see `MovieTags`
    findings: Findings  # the problems in the files
    # The tags whose relevances tags holds; empty if it holds tags.
    genome_tags: list[str] = dataclasses.field(default_factory=list)


def prepare_movies(
    content: DataFolder,
    filters: Filters,
    *,
    modalities: Collection[str] = ("poster", "tags"),
    genome: Path | None = None,
    drop_unreadable_posters: bool = False,
) -> MovieData:
    """Apply the filters to the content of a data folder, one after the other.

    Raises
    ------
    DataError
        If a poster or a file of the tag genome does not exist, or no tag is left.
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
        msg = f"No tag is left after the filters; {fix}leave tags out of --modalities."
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
    """Return the number and share of occurrences of each genre, and whether it is kept."""
    counts = genre_lists.explode().dropna().value_counts()
    share = counts / counts.sum()
    # As in the study, "(no genres listed)" counts as an occurrence, but is not a genre to predict.
    kept = (share >= min_share) & (counts.index != NO_GENRE)
    return pd.DataFrame({"movies": counts, "share": share, "kept": kept}).rename_axis("genre")


def split_genres(genres: str) -> list[str]:
    """Return the distinct genres of a movie, which MovieLens joins by ``|``."""
    return list(dict.fromkeys(name.strip() for name in genres.split("|") if name.strip()))


def split_title(title: str) -> list[str]:
    """Return the words of a title in lower case, without the year at its end.

    Examples
    --------
    >>> split_title("Copper Café, The (1999)")
    ['copper', 'café', 'the']
    """
    return normalize_tag(re.sub(r"[-/:]", " ", _YEAR.sub("", title))).split()


def clean_title(title: str) -> str:
    """Return a title as it is spoken: without the year, and with the article in front.

    Examples
    --------
    >>> clean_title("Copper Café, The (1999)")
    'The Copper Café'
    """
    return _ARTICLE.sub(r"\2 \1", _YEAR.sub("", title).strip())


def _select_movies(content: DataFolder, filters: Filters) -> tuple[pd.DataFrame, dict[str, int]]:
    """Apply the filters of language and year; return the movies and the counts after each."""
    movies = content.movies
    steps = {"in the data": len(movies)}
    # MovieLens lists a few movies twice; one row could be in training and the other in the test.
    repeated = _is_repeated(movies, "poster_file") | _is_repeated(movies, "tmdbId")
    if repeated.any():
        movies = movies[~repeated]
        steps["without repetitions"] = len(movies)
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
        # Reading even one pixel decodes the whole poster.
        read = read_images(files, 1, on_error="drop", workers=os.cpu_count() or 1)
        movies = movies.iloc[read.kept]
        steps["with a poster that can be read"] = len(movies)
        return movies
    exists = movies["poster_file"].map(lambda file: (folder / file).is_file()).astype(bool)
    if not exists.all():
        absent = movies["poster_file"][~exists]
        msg = (
            f"{len(absent)} of {len(movies)} posters do not exist in {str(folder)!r}, the first "
            f"is {absent.iloc[0]!r}; restore them, pass --unreadable-posters drop to leave out "
            "these movies, or leave poster out of --modalities."
        )
        raise DataError(msg)
    return movies


def _choose_genome_tags(
    genome: Genome, movies: pd.DataFrame, names: Mapping[str, str], filters: Filters
) -> tuple[MovieTags, dict[int, np.ndarray] | None, list[str]]:
    """Return the tags of enough relevance or, without ``min_relevance``, the relevances.

    The counts after each filter are those of the tags of enough relevance in both cases.
    """
    least = RELEVANT if filters.min_relevance is None else filters.min_relevance
    tags = np.array([normalize_tag(tag) for tag in genome.tags], dtype=object)
    rows, columns = (genome.relevance >= least).nonzero()
    pairs = pd.DataFrame({"movieId": genome.movies[rows], "tag": tags[columns]}).drop_duplicates()
    genres = dict(zip(movies["movieId"], movies["all_genres"], strict=True))
    step = {f"of a relevance of at least {least:g}": pairs}
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
    """Check that enough movies are left, by default for training.

    Raises
    ------
    DataError
        If there are too few.
    """
    if len(data.movies) < least:
        counts = ", ".join(f"{count} {step}" for step, count in data.steps["movies"].items())
        msg = (
            f"Too few movies of {str(folder)!r} are left after the filters; at least {least} "
            f"are needed ({counts}). Relax --language, --min-year or --min-genre-share."
        )
        raise DataError(msg)
