"""DeLong's test, compared with all pairs of rows, and Holm's correction."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import roc_auc_score

from multimodal_ensemble.metrics import delong_test

# Whether surgery did not help (1), albumin, total protein and K-G score of each patient.
_PATIENTS = """
0 3 5.8 10   1 3.2 6.3 5   1 3.9 6.8 3   0 2.8 4.8 6   1 3.2 5.8 3   0 0.9 4 5
0 2.5 5.7 8   1 1.6 5.6 5   1 3.8 5.7 5   1 3.7 6.7 6   1 3.2 5.4 4   1 3.8 6.6 6
1 4.1 6.6 5   1 3.6 5.7 5   1 4.3 7 4   0 3.6 6.7 4   1 2.3 4.4 6   0 4.2 7.6 4
0 4 6.6 6   1 3.5 5.8 6   1 3.8 6.8 7   0 3 4.7 8   1 4.5 7.4 5   1 3.7 7.4 5
1 3.1 6.6 6   1 4.1 8.2 6   1 4.3 7 5   1 4.3 6.5 4   1 3.2 5.1 5   1 2.6 4.7 6
0 3.3 6.8 6   0 1.7 4 7   1 3.7 6.1 5   1 3.3 6.3 7   1 4.2 7.7 6   1 3.5 6.2 5
0 2.9 5.7 9   1 2.1 4.8 7   0 2.8 6.2 8   1 4 7 7   1 3.3 5.7 6   1 3.7 6.9 5
1 3.6 6.6 5
"""


@pytest.fixture(scope="module")
def data():
    """Labels and correlated scores of two models, with ties."""
    rng = np.random.default_rng(0)
    y_true = rng.random((40, 3)) < [0.2, 0.5, 0.7]
    shared = y_true + rng.normal(size=y_true.shape)
    scores = [np.round(shared + rng.normal(0, spread, y_true.shape), 1) for spread in (0.5, 1.5)]
    return y_true, *scores


def _by_pairs(true, *scores):
    """Return the difference of the ROC-AUCs and its standard error from all pairs of rows."""
    wins = [
        (score[true][:, np.newaxis] > score[~true])
        + (score[true][:, np.newaxis] == score[~true]) / 2
        for score in scores
    ]
    of_positives = np.cov([each.mean(axis=1) for each in wins])
    of_negatives = np.cov([each.mean(axis=0) for each in wins])
    covariance = of_positives / true.sum() + of_negatives / (~true).sum()
    contrast = np.array([1, -1])
    return wins[0].mean() - wins[1].mean(), np.sqrt(contrast @ covariance @ contrast)


def test_values_are_those_of_all_pairs(data):
    test = delong_test(*data, level=0.9)
    for column, row in enumerate(test.itertuples()):
        true, *scores = (each[:, column] for each in data)
        assert row.roc_auc == pytest.approx(roc_auc_score(true, scores[0]), abs=1e-12)
        assert row.roc_auc_other == pytest.approx(roc_auc_score(true, scores[1]), abs=1e-12)
        difference, error = _by_pairs(true, *scores)
        assert row.difference == pytest.approx(difference, abs=1e-12)
        assert row.standard_error == pytest.approx(error, abs=1e-12)
        assert row.p_value == pytest.approx(2 * norm.sf(abs(difference / error)), abs=1e-12)
        assert [row.low, row.high] == pytest.approx(
            norm.interval(0.9, difference, error), abs=1e-12
        )


def test_values_are_those_of_a_published_example():
    """SAS/STAT User's Guide, "Comparing Receiver Operating Characteristic Curves" (LOGISTIC).

    It compares albumin and total protein with the K-G score, with data of DeLong, DeLong and
    Clarke-Pearson (1988) on 43 patients.
    """
    popind, albumin, protein, score = np.array(_PATIENTS.split(), dtype=float).reshape(-1, 4).T
    y_true = np.column_stack([popind, popind])
    test = delong_test(
        y_true, np.column_stack([albumin, protein]), np.column_stack([10 - score, 10 - score])
    )
    published = {
        "roc_auc": [0.7366, 0.6478],
        "roc_auc_other": [0.7258, 0.7258],
        "difference": [0.0108, -0.0780],
        "standard_error": [0.0953, 0.1046],
        "low": [-0.1761, -0.2830],
        "high": [0.1976, 0.1271],
        "p_value": [0.9102, 0.4561],
    }
    for column, values in published.items():
        np.testing.assert_allclose(test[column], values, atol=5.1e-5, err_msg=column)


def test_p_values_are_corrected_as_by_rejecting_one_label_after_the_other(data):
    test = delong_test(*data)
    p_values = test["p_value"].to_numpy()
    for level in (*test["p_value_holm"] - 1e-9, *test["p_value_holm"] + 1e-9):
        rejected = set()
        for number, label in enumerate(np.argsort(p_values)):
            if p_values[label] > level / (len(p_values) - number):
                break
            rejected.add(label)
        assert set(np.flatnonzero(test["p_value_holm"] <= level)) == rejected


def test_swapped_models_change_the_sign(data):
    y_true, one, two = data
    test, swapped = delong_test(y_true, one, two), delong_test(y_true, two, one)
    np.testing.assert_allclose(swapped["difference"], -test["difference"])
    np.testing.assert_allclose(swapped["low"], -test["high"])
    np.testing.assert_allclose(swapped["p_value_holm"], test["p_value_holm"])


def test_equal_models_have_a_p_value_of_1(data):
    y_true, score, _ = data
    test = delong_test(y_true, score, 2 * score)
    assert (test[["difference", "standard_error", "low", "high"]] == 0).all(axis=None)
    assert (test[["p_value", "p_value_holm"]] == 1).all(axis=None)


def test_p_values_of_models_of_equal_quality_are_uniform():
    rng = np.random.default_rng(0)
    y_true = rng.random((200, 400)) < 0.4
    scores = [y_true + rng.normal(size=y_true.shape) for _ in range(2)]
    p_values = np.sort(delong_test(y_true, *scores)["p_value"])
    expected = (np.arange(400) + 0.5) / 400
    assert np.abs(p_values - expected).max() < 1.63 / np.sqrt(400)


@pytest.mark.parametrize("n_positives", [1, 3, 4])
def test_a_label_without_a_standard_error_is_left_out_of_the_correction(n_positives):
    # With several positives, one model is perfect and the other always wrong.
    true = np.arange(8) >= 8 - n_positives
    rng = np.random.default_rng(0)
    y_true = np.column_stack([true, np.arange(8) % 2])
    one, two = (np.column_stack([sign * true, rng.normal(size=8)]) for sign in (1, -1))
    test = delong_test(y_true, one, two, labels=["rare", "other"])
    assert test.loc["rare", "difference"] == 1
    assert (
        test.loc["rare", ["standard_error", "low", "high", "p_value", "p_value_holm"]].isna().all()
    )
    assert test.loc["other", "p_value_holm"] == test.loc["other", "p_value"]


def test_a_label_of_one_class_is_named_in_a_warning():
    y_true = pd.DataFrame({"Drama": [1, 1, 1, 1], "Comedy": [0, 1, 0, 1]})
    score = [[0.1, 0.4], [0.5, 0.3], [0.2, 0.1], [0.3, 0.2]]
    with pytest.warns(UndefinedMetricWarning, match="'Drama'"):
        test = delong_test(y_true, score, np.array(score) ** 2)
    assert test.loc["Drama"].isna().all()


def test_columns_are_paired_by_name(data):
    y_true, one, two = (pd.DataFrame(each, columns=["a", "b", "c"]) for each in data)
    pd.testing.assert_frame_equal(
        delong_test(y_true, one[["c", "a", "b"]], two), delong_test(y_true, one, two)
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y_score_other": np.zeros((40, 2))}, r"shape \(40, 3\)"),
        ({"y_score": np.full((40, 3), np.nan)}, "finite"),
        ({"level": 95}, "level must be between 0 and 1.*Received level=95"),
        ({"labels": ["a", "b"]}, "labels"),
    ],
)
def test_bad_input_is_refused(data, change, message):
    given = dict(zip(["y_true", "y_score", "y_score_other"], data, strict=True)) | change
    with pytest.raises(ValueError, match=message):
        delong_test(**given)
