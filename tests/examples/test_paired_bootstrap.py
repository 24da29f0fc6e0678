"""Scores of bootstrap samples, against the scores of repeated rows."""

import numpy as np
import pandas as pd
import pytest

from examples.paired_bootstrap import SplitScores, draw_weights, score_samples, summarize
from multimodal_ensemble.reporting import compare_models

N_ROWS = 40
# The test rows of two splits, which share rows; two rows are tested by none.
TESTS = [list(range(25)), list(range(13, 38))]


@pytest.fixture
def y():
    return np.random.default_rng(1).integers(2, size=(N_ROWS, 3))


@pytest.fixture
def scores(y):
    # Few distinct scores, so that there are ties.
    return (np.random.default_rng(2).integers(6, size=y.shape) + y) / 7


def test_every_score_is_that_of_repeated_rows(y, scores):
    weights = draw_weights(TESTS, N_ROWS, 8)
    assert weights[0].tolist() == [1] * N_ROWS
    assert (weights[1:].sum(axis=1) == 38).all()
    assert (weights[1:, 38:] == 0).all()
    splits = [SplitScores(test, scores[test], scores[test] >= 0.5) for test in TESTS]
    samples = score_samples(y, splits, weights)
    for sample, drawn in enumerate(weights.astype(int)):
        rows = [np.repeat(test, drawn[test]) for test in TESTS]
        tables = [
            compare_models(y[each], {"model": scores[each]}, {"model": [0.5] * 3}) for each in rows
        ]
        expected = pd.concat(tables).mean()
        np.testing.assert_allclose(samples.loc[sample, expected.index], expected)


def test_a_label_that_is_never_predicted_has_an_f1_of_zero(y, scores):
    weights = draw_weights(TESTS, N_ROWS, 5)
    splits = [SplitScores(test, scores[test], np.zeros(y[test].shape)) for test in TESTS]
    samples = score_samples(y, splits, weights)
    assert (samples[["micro_f1", "macro_f1"]] == 0).all(axis=None)


def test_samples_without_a_test_row_are_left_out(y, scores):
    weights = np.ones((3, N_ROWS))
    weights[1, TESTS[0]] = 0
    weights[2] = 0
    splits = [SplitScores(test, scores[test], scores[test] >= 0.5) for test in TESTS]
    samples = score_samples(y, splits, weights)
    second = score_samples(y, splits[1:], weights)
    assert samples.loc[1].tolist() == second.loc[1].tolist()
    assert samples.loc[2].isna().all()


def test_the_interval_does_not_include_the_rows_themselves():
    samples = pd.DataFrame({"mean_roc_auc": [9.0, *np.linspace(0, 1, 201)]})
    (row,) = summarize(samples).to_dict("records")
    assert row == pytest.approx({"value": 9, "low": 0.025, "high": 0.975})
