"""Paired differences between ensembles and networks."""

import numpy as np
import pytest

from examples.movielens_genres.study import Outcome, SeedResult, Split, split_into_folds
from examples.movielens_genres.study._differences import (
    list_differences,
    readable_differences,
)
from multimodal_ensemble import mean_accuracy, mean_roc_auc

THRESHOLDS = np.full(2, 0.5)


def make_results(y, tests, models):
    """Return one result per test set, with the scores of each model."""
    return [
        SeedResult(
            Split(seed, [], [], test),
            [
                Outcome(name, scores[test], THRESHOLDS, roc_auc=0, parameters=0, seconds=0)
                for name, scores in models.items()
            ],
        )
        for seed, test in enumerate(tests)
    ]


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


def test_samples_agree_with_scores_of_repeated_rows(y, models):
    # The test sets of two seeds share movies, and both repeat a movie as often as it was drawn.
    tests = [list(range(25)), list(range(15, 40))]
    results = make_results(y, tests, models)
    table = list_differences(y, results, ["poster", "tags"], ["A"], n_samples=60)
    drawn = np.random.default_rng(0).multinomial(40, np.full(40, 1 / 40), 60)
    expected = []
    for weights in [np.ones(40, dtype=int), *drawn]:
        rows = [np.repeat(test, weights[test]) for test in tests]
        scores = {
            name: np.mean([mean_roc_auc(y[each], score[each]) for each in rows])
            for name, score in models.items()
        }
        expected.append(scores["ensemble (A)"] - scores["posters and tags (A)"])
    (row,) = table.to_dict("records")
    assert row["mean_roc_auc"] == pytest.approx(expected[0])
    low, high = np.quantile(expected[1:], [0.025, 0.975])
    assert row["mean_roc_auc_low"] == pytest.approx(low)
    assert row["mean_roc_auc_high"] == pytest.approx(high)
    accuracies = {
        name: np.mean([mean_accuracy(y[test], score[test], THRESHOLDS) for test in tests])
        for name, score in models.items()
    }
    difference = accuracies["ensemble (A)"] - accuracies["posters and tags (A)"]
    assert row["mean_accuracy"] == pytest.approx(difference)


def test_all_networks_are_compared_with_each_of_them(y, models):
    scores = models["ensemble (A)"]
    names = [
        "posters and tags (A)", "posters and tags (B)",
        "ensemble (A)", "ensemble (B)", "ensemble (A, B)",
    ]  # fmt: skip
    results = make_results(y, [list(range(40))], dict.fromkeys(names, scores))
    table = list_differences(y, results, ["poster", "tags"], ["A", "B"])
    assert list(table.index) == [
        "ensemble (A) minus posters and tags (A)",
        "ensemble (B) minus posters and tags (B)",
        "ensemble (A, B) minus posters and tags (A)",
        "ensemble (A, B) minus posters and tags (B)",
    ]
    assert readable_differences(table).iloc[0, 0] == "+0.000 [+0.000, +0.000]"


def test_nothing_is_compared_with_models_that_were_not_trained(y, models):
    only = {"ensemble (A)": models["ensemble (A)"]}
    assert list_differences(y, make_results(y, [[0, 1]], only), ["poster", "tags"], ["A"]).empty


def test_each_movie_is_tested_in_one_fold(y):
    splits = split_into_folds(y, range(7, 10))
    assert [split.seed for split in splits] == [7, 8, 9]
    assert sorted(row for split in splits for row in split.test) == list(range(40))
    for split in splits:
        assert sorted([*split.train, *split.validation, *split.test]) == list(range(40))
        assert len(split.validation) == 3
