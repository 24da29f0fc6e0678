"""The common job: movies of a data folder, split into training and test rows, as files."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from examples.movielens_genres.data import Filters, prepare_movies, read_folder
from multimodal_ensemble.model_selection import stratified_holdout

TEST_SHARE = 0.2


@dataclasses.dataclass(frozen=True)
class Movies:
    """All movies of a data folder after the filters of the MovieLens example."""

    table: pd.DataFrame  # poster, the path of an image, and tags, separated by |
    labels: pd.DataFrame  # 0 or 1, one column per genre


@dataclasses.dataclass(frozen=True)
class Split:
    """The rows of one seed, and the folder of their files."""

    seed: int
    test: np.ndarray  # positions in `Movies`
    n_train: int
    n_labels: int
    inputs: Path


def read_movies(folder: Path, min_year: int) -> Movies:
    """Read a data folder of the MovieLens example."""
    filters = Filters(min_year=min_year)
    data = prepare_movies(read_folder(folder), filters, modalities=("poster", "tags"))
    posters = [str((folder / name).resolve()) for name in data.movies["poster_file"]]
    return Movies(
        pd.DataFrame({"poster": posters, "tags": data.movies["tags"].map("|".join)}), data.genres
    )


def write_split(
    movies: Movies, folder: Path, *, n_rows: int, seed: int, settings: dict[str, Any]
) -> Split:
    """Draw rows and a stratified split with a seed, and write what the contestants read.

    All rows are taken if `n_rows` is 0. The labels of the test rows are not written.

    Raises
    ------
    SystemExit
        If the folder holds other files, whose runs must not be resumed.
    """
    rows = np.random.default_rng(seed).permutation(len(movies.table))[: n_rows or None]
    rows.sort()
    parts = stratified_holdout(movies.labels.to_numpy()[rows], TEST_SHARE, random_state=seed)
    train, test = (rows[part] for part in parts)
    files = {
        "train.csv": movies.table.iloc[train].to_csv(index=False),
        "test.csv": movies.table.iloc[test].to_csv(index=False),
        "labels.csv": movies.labels.iloc[train].to_csv(index=False),
        "settings.json": json.dumps({**settings, "seed": seed}),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = folder / name
        if not path.exists():
            path.write_text(content)
        elif path.read_text() != content:
            msg = f"{folder} holds another job; choose another --work."
            raise SystemExit(msg)
    return Split(seed, test, len(train), movies.labels.shape[1], folder)
