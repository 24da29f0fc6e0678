"""Preparation of the example's training table from data of the size of MovieLens 20M."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks._figure import Figure, time_pairs
from examples.movielens_genres.data import (
    MOVIES_FILE,
    TAGS_FILE,
    Filters,
    prepare_movies,
    read_folder,
)

# The size of MovieLens 20M, with about its numbers of distinct tags and of users with tags.
N_MOVIES = 27_278
N_TAGS = 465_564
N_DISTINCT = 38_000
N_USERS = 7_800
GENRES = {
    "Drama": 0.49, "Comedy": 0.31, "Thriller": 0.15, "Romance": 0.15, "Action": 0.13,
    "Crime": 0.11, "Horror": 0.10, "Documentary": 0.09, "Adventure": 0.09, "Sci-Fi": 0.06,
    "Mystery": 0.06, "Fantasy": 0.05, "War": 0.04, "Children": 0.04, "Musical": 0.04,
    "Animation": 0.04, "Western": 0.02, "Film-Noir": 0.01,
}  # fmt: skip


def measure_preparation(folder: Path, repeats: int, scale: float) -> Iterable[Figure]:
    """Compare the preparation with reading the same files only."""
    # The example requires at least this much data.
    n_movies, n_tags = max(400, int(N_MOVIES * scale)), max(5_000, int(N_TAGS * scale))
    write_movielens(folder, n_movies, n_tags)
    # Posters are not part of the measurement, so none are written.
    ratios, details = time_pairs(
        lambda: prepare_movies(read_folder(folder), Filters(), modalities=["tags"]),
        lambda: [pd.read_csv(folder / name) for name in (MOVIES_FILE, TAGS_FILE)],
        repeats=repeats,
    )
    rows = n_movies + n_tags
    yield Figure(
        f"prepare, {n_movies:,} movies and {n_tags:,} tags",
        "pandas.read_csv of the same files",
        None,
        ratios,
        details=details
        | {
            "rows_per_second": round(rows / details["seconds"]),
            "rows_per_second_against": round(rows / details["seconds_against"]),
        },
    )


def write_movielens(folder: Path, n_movies: int, n_tags: int) -> None:
    """Write generated movies and tags with realistic frequency distributions."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    ids = np.cumsum(rng.integers(1, 8, n_movies))
    has = rng.random((n_movies, len(GENRES))) < np.array(list(GENRES.values()))
    names = np.array(list(GENRES))
    years = rng.integers(1930, 2016, n_movies)
    movies = pd.DataFrame(
        {
            "movieId": ids,
            "title": [f'Copper "Café" {i}, The ({year})' for i, year in enumerate(years)],
            "genres": ["|".join(names[row]) or "(no genres listed)" for row in has],
            "tmdbId": ids + 900_000_000,
            "release_year": years,
            "language": rng.choice(["en", "fr", "ja"], n_movies, p=[0.75, 0.15, 0.1]),
            "poster_file": [f"posters/{movie}.jpg" for movie in ids],
        }
    )
    movies.to_csv(folder / MOVIES_FILE, index=False)
    spellings = np.array(
        [
            (f"tag {i}", f"Tag-{i}, too", f'"{i}" quoted', f"é{i}!", f"{names[i % 18]} {i}")[i % 5]
            for i in range(N_DISTINCT)
        ]
    )
    # A tenth of the movies have most of the tags, and most tags are repetitions of a few.
    tags = pd.DataFrame(
        {
            "userId": rng.integers(1, N_USERS, n_tags),
            "movieId": ids[(n_movies * rng.random(n_tags) ** 3).astype(int)],
            "tag": spellings[(N_DISTINCT * rng.random(n_tags) ** 4).astype(int)],
            "timestamp": rng.integers(1_136_073_600, 1_427_760_000, n_tags),
        }
    )
    tags.to_csv(folder / TAGS_FILE, index=False)
