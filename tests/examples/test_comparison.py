"""The comparison of all models, and the differences that the study lists."""

import numpy as np
import pandas as pd
import pytest

from examples.movielens_genres.study import Outcome, SeedResult, Split, split_into_folds
from examples.movielens_genres.study._comparison import (
    compare_outcomes,
    list_differences,
    readable_differences,
)
from multimodal_ensemble import mean_accuracy, mean_roc_auc

THRESHOLDS = np.full(2, 0.5)


class Data:
    """Prepared movies of which only ids and genres are needed."""

    def __init__(self, y):
        self.genres = pd.DataFrame(y, columns=["Comedy", "Drama"])
        self.movies = pd.DataFrame({"movieId": range(100, 100 + len(y))})


def compare(y, tests, models, *, in_folds=False):
    """Return the comparison of models with these scores, with one split per test set."""
    results = [
        SeedResult(
            Split(seed, [], [], test),
            [
                Outcome(name, scores[test], THRESHOLDS, roc_auc=0, parameters=0, seconds=0)
                for name, scores in models.items()
            ],
        )
        for seed, test in enumerate(tests, start=4)
    ]
    return compare_outcomes(Data(y), results, in_folds=in_folds)


@pytest.fixture
def y():
    return np.random.default_rng(1).integers(2, size=(40, 2))


@pytest.fixture
def models(y):
    # Few distinct scores, so that there are ties.
    rng = np.random.default_rng(2)
    return {
        "posters and tags (A)": (rng.integers(6, size=y.shape) + y) / 6,
        "ensemble (A)": (rng.integers(6, size=y.shape) + 2 * y) / 7,
    }


def test_a_difference_is_the_mean_over_seeds(y, models):
    # The test sets of two seeds share movies.
    tests = [list(range(25)), list(range(15, 40))]
    comparison = compare(y, tests, models)
    (row,) = list_differences(comparison, ["poster", "tags"], ["A"]).to_dict("records")
    first, second = models.values()
    aucs = [mean_roc_auc(y[t], second[t]) - mean_roc_auc(y[t], first[t]) for t in tests]
    assert row["mean_roc_auc"] == pytest.approx(np.mean(aucs))
    assert row["mean_roc_auc_low"] < row["mean_roc_auc"] < row["mean_roc_auc_high"]
    accuracies = [
        mean_accuracy(y[t], second[t], THRESHOLDS) - mean_accuracy(y[t], first[t], THRESHOLDS)
        for t in tests
    ]
    assert row["mean_accuracy"] == pytest.approx(np.mean(accuracies))


def test_rows_are_named_by_movie_and_repeats_by_seed(y, models):
    tests = [list(range(25)), list(range(15, 40))]
    comparison = compare(y, tests, models)
    assert comparison.rows.tolist() == list(range(100, 140))
    assert comparison.labels == ["Comedy", "Drama"]
    assert [split.repeat for split in comparison.splits] == [4, 5]
    folds = compare(y, tests, models, in_folds=True)
    assert [split.repeat for split in folds.splits] == [4, 4]


def test_parts_networks_and_ensembles_are_compared(y, models):
    scores = models["ensemble (A)"]
    names = [
        "tags", "posters (A)", "posters (B)", "posters and tags (A)", "posters and tags (B)",
        "ensemble (A)", "ensemble (B)", "ensemble (A, B)",
    ]  # fmt: skip
    comparison = compare(y, [list(range(40))], dict.fromkeys(names, scores))
    table = list_differences(comparison, ["poster", "tags"], ["A", "B"])
    assert list(table.index) == [
        "posters and tags (A) minus posters (A)",
        "posters and tags (A) minus tags",
        "posters and tags (B) minus posters (B)",
        "posters and tags (B) minus tags",
        "posters (A) minus posters (B)",
        "posters and tags (A) minus posters and tags (B)",
        "ensemble (A) minus ensemble (B)",
        "ensemble (A) minus posters and tags (A)",
        "ensemble (B) minus posters and tags (B)",
        "ensemble (A, B) minus posters and tags (A)",
        "ensemble (A, B) minus posters and tags (B)",
    ]
    assert readable_differences(table).iloc[0, 0] == "+0.000 [+0.000, +0.000]"


def test_a_single_modality_is_not_compared_with_itself(y, models):
    scores = models["ensemble (A)"]
    names = ["posters (A)", "posters (B)", "ensemble (A)"]
    comparison = compare(y, [list(range(40))], dict.fromkeys(names, scores))
    assert list(list_differences(comparison, ["poster"], ["A", "B"]).index) == [
        "posters (A) minus posters (B)",
        "ensemble (A) minus posters (A)",
    ]


def test_nothing_is_compared_with_models_that_were_not_trained(y, models):
    only = {"ensemble (A)": models["ensemble (A)"]}
    comparison = compare(y, [[0, 1]], only)
    assert list_differences(comparison, ["poster", "tags"], ["A"]).empty


def test_each_movie_is_tested_in_one_fold(y):
    splits = split_into_folds(y, range(7, 10))
    assert [split.seed for split in splits] == [7, 8, 9]
    assert sorted(row for split in splits for row in split.test) == list(range(40))
    for split in splits:
        assert sorted([*split.train, *split.validation, *split.test]) == list(range(40))
        assert len(split.validation) == 3
