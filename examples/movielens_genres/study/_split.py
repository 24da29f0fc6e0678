"""The split of the movies, and what each model achieves on it."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from multimodal_ensemble.model_selection import MultilabelStratifiedKFold

from .._errors import DataError
from ..data import MovieData

MIN_FOLD = 10  # the smallest number of movies in a fold


@dataclasses.dataclass(frozen=True)
class Split:
    """Row numbers of training, validation and test movies."""

    seed: int  # the seed of the split and of initial weights
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
    # The threshold of each genre, chosen on validation movies or, by an ensemble, by leave-one-out
    # scores. Shape (n_genres,).
    thresholds: np.ndarray
    roc_auc: float  # the mean ROC-AUC where the thresholds were chosen
    parameters: int  # the number of trained parameters
    seconds: float  # the duration of training in seconds
    # The validation evaluations during training; None unless it is a network.
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
    _check_validation(genres, validation, seed)
    return Split(seed, train, validation, test)


def split_into_folds(genres: np.ndarray, seeds: Sequence[int]) -> list[Split]:
    """Divide the movies into one fold per seed, each of which is the test set of one split.

    A random tenth of all other movies is for validation.

    Raises
    ------
    DataError
        If there are too few movies, or all validation movies have the same genres.
    """
    if len(genres) < MIN_FOLD * len(seeds):
        msg = (
            f"{len(genres)} movies are too few for {len(seeds)} folds of at least {MIN_FOLD}; "
            "lower --folds."
        )
        raise DataError(msg)
    folds = MultilabelStratifiedKFold(len(seeds), random_state=seeds[0])
    splits = []
    for seed, (rest, test) in zip(seeds, folds.split(genres, genres), strict=True):
        train, validation = train_test_split(rest.tolist(), test_size=0.1, random_state=seed)
        _check_validation(genres, validation, seed)
        splits.append(Split(seed, train, validation, test.tolist()))
    return splits


def _check_validation(genres: np.ndarray, validation: list[int], seed: int) -> None:
    if (genres[validation] == genres[validation[0]]).all():
        msg = (
            f"All validation movies of seed {seed} have the same genres, so nothing can be chosen "
            "on them; keep more genres or movies, or use another --seed."
        )
        raise DataError(msg)


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
