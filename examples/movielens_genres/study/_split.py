"""The split of the movies, and what each model achieves on it."""

import dataclasses

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from .._errors import DataError
from ..data import MovieData


@dataclasses.dataclass(frozen=True)
class Split:
    """Row numbers of training, validation and test movies."""

    seed: int  # the seed that drew the split
    train: list[int]
    validation: list[int]
    test: list[int]

    def parts(self) -> dict[str, list[int]]:
        """Return the rows by the name of the part."""
        return {"train": self.train, "validation": self.validation, "test": self.test}


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What one model, control or benchmark achieves on one split."""

    model: str  # the name for tables and figures
    # The scores of the test movies, in 0..1. Shape (n_test, n_genres).
    test_scores: np.ndarray
    # The threshold of each genre, chosen on validation movies. Shape (n_genres,).
    thresholds: np.ndarray
    parameters: int  # the number of trained parameters
    seconds: float  # the duration of training in seconds
    # The validation evaluations during training; None unless it is one of the models.
    history: pd.DataFrame | None = None


@dataclasses.dataclass(frozen=True)
class SeedResult:
    """The outcomes of one seed and the split that they were measured on."""

    split: Split
    outcomes: list[Outcome]


def split_rows(genres: np.ndarray, seed: int) -> Split:
    """Split at random as the study did: 10 % validation, then 10 % of the rest for the test.

    Raises
    ------
    DataError
        If all validation movies have the same genres.
    """
    rest, validation = train_test_split(range(len(genres)), test_size=0.1, random_state=seed)
    train, test = train_test_split(rest, test_size=0.1, random_state=seed)
    if (genres[validation] == genres[validation[0]]).all():
        msg = (
            f"All validation movies of seed {seed} have the same genres, so nothing can be chosen "
            "on them; keep more genres or movies, or use another --seed."
        )
        raise DataError(msg)
    return Split(seed, train, validation, test)


def check_genres_differ(data: MovieData) -> None:
    """Check that there is something to predict.

    Raises
    ------
    DataError
        If all movies have the same genres.
    """
    if (data.genres == data.genres.iloc[0]).all(axis=None):
        names = ", ".join(data.movies["genres"].iloc[0])
        msg = (
            f"All {len(data.genres)} movies that are left have the same genres, {names}, so there "
            "is nothing to predict; lower --min-genre-share."
        )
        raise DataError(msg)
