"""The reliability curve, compared with scikit-learn, SciPy and a loop."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest
from sklearn.calibration import calibration_curve

from multimodal_ensemble.metrics import label_report, reliability_curve
from multimodal_ensemble.metrics._calibration import bin_rows


@pytest.fixture(scope="module")
def scored():
    rng = np.random.default_rng(0)
    y_score = rng.random((200, 2))
    return (rng.random((200, 2)) < y_score**2).astype(int), y_score


def test_means_and_shares_equal_scikit_learn_for_distinct_scores(scored):
    y_true, y_score = scored
    curve = reliability_curve(y_true, y_score, labels=["war", "love"])
    for column, label in enumerate(["war", "love"]):
        part = curve[curve["label"] == label]
        shares, means = calibration_curve(
            y_true[:, column], y_score[:, column], n_bins=10, strategy="quantile"
        )
        assert part["bin"].tolist() == list(range(10))
        assert part["n_rows"].tolist() == [20] * 10
        np.testing.assert_allclose(part["mean_score"], means)
        np.testing.assert_allclose(part["share"], shares)


def test_intervals_equal_those_of_scipy(scored):
    curve = reliability_curve(*scored, n_bins=7)
    for row in curve.itertuples():
        interval = binomtest(round(row.share * row.n_rows), row.n_rows).proportion_ci(
            method="wilson"
        )
        assert (row.low, row.high) == pytest.approx((interval.low, interval.high), abs=1e-12)


def test_the_calibration_error_of_the_report_sums_up_the_curve(scored):
    curve = reliability_curve(*scored)
    weighted = (curve["mean_score"] - curve["share"]).abs() * curve["n_rows"] / 200
    expected = weighted.groupby(curve["label"]).sum()
    report = label_report(*scored, 0.5)
    np.testing.assert_allclose(report["calibration_error"], expected[report.index])


def test_equal_scores_share_a_bin_whatever_the_order_of_the_rows():
    y_score = np.array([0.2] * 6 + [0.7] * 3 + [0.9])[:, np.newaxis]
    y_true = np.arange(10)[:, np.newaxis] % 2
    curve = reliability_curve(y_true, y_score, n_bins=5)
    assert curve["n_rows"].tolist() == [6, 3, 1]
    assert curve["mean_score"].tolist() == pytest.approx([0.2, 0.7, 0.9])
    order = np.random.default_rng(0).permutation(10)
    again = reliability_curve(y_true[order], y_score[order], n_bins=5)
    pd.testing.assert_frame_equal(curve, again)


def test_shares_of_0_and_1_have_intervals():
    curve = reliability_curve([[0], [0], [1], [1]], [[0.0], [0.0], [1.0], [1.0]])
    assert curve["share"].tolist() == [0, 1]
    assert curve["low"].iloc[0] == 0 < curve["high"].iloc[0]
    assert curve["low"].iloc[1] < 1 == curve["high"].iloc[1]


def test_more_bins_than_rows_and_labels_without_positives():
    curve = reliability_curve([[0], [0]], [[0.25], [0.5]], n_bins=50)
    assert curve["n_rows"].tolist() == [1, 1]
    assert curve["bin"].tolist() == [0, 1]


def test_columns_are_paired_by_name(scored):
    y_true, y_score = (pd.DataFrame(each, columns=["war", "love"]) for each in scored)
    expected = reliability_curve(y_true, y_score)
    assert expected["label"].unique().tolist() == ["war", "love"]
    pd.testing.assert_frame_equal(reliability_curve(y_true, y_score[["love", "war"]]), expected)


@pytest.mark.parametrize(
    ("y_score", "options", "message"),
    [
        ([[0.1], [1.5]], {}, r"from 0 to 1\. Received 1\.5 for label '0' in row 1, and 1 such"),
        ([[-0.5], [0.5]], {"labels": ["war"]}, r"Received -0\.5 for label 'war' in row 0"),
        ([[0.1], [0.5]], {"n_bins": 0}, "n_bins must be a whole number of at least 1"),
        ([[0.1], [0.5]], {"labels": ["a", "b"]}, "labels must name all 1 columns"),
        ([[0.1, 0.2], [0.5, 0.2]], {}, "same shape"),
    ],
)
def test_invalid_input_raises(y_score, options, message):
    with pytest.raises(ValueError, match=message):
        reliability_curve([[0], [1]], y_score, **options)


@pytest.mark.parametrize("n_bins", [1, 2, 7, 10, 40])
@pytest.mark.parametrize("digits", [1, 2, 6])
def test_the_bin_of_a_row_is_that_of_the_first_row_of_equal_score(n_bins, digits):
    generator = np.random.default_rng(digits)
    for n_rows in (1, 2, 9, 50, 203):
        scores = generator.random(n_rows).round(digits)
        first = (scores[:, np.newaxis] > scores).sum(axis=1)
        _, expected = np.unique(first * n_bins // n_rows, return_inverse=True)
        bins, n_in_bin = bin_rows(scores, n_bins)
        np.testing.assert_array_equal(bins, expected)
        np.testing.assert_array_equal(n_in_bin, np.bincount(expected))
