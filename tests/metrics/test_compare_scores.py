"""Intervals and paired differences, compared with loops over scikit-learn and with SciPy."""

from __future__ import annotations

import inspect

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import roc_auc_score

from multimodal_ensemble.metrics import (
    bootstrap_counts,
    bootstrap_interval,
    compare_scores,
    mean_accuracy,
    resample_scores,
)

N_RESAMPLES = 60


@pytest.fixture(scope="module")
def y_true():
    return np.random.default_rng(0).random((80, 3)) < [0.3, 0.5, 0.6]


@pytest.fixture(scope="module")
def models(y_true):
    rng = np.random.default_rng(1)
    tags = rng.normal(y_true, 1.0)
    return {"tags": tags, "posters": rng.normal(y_true, 2.0), "both": rng.normal(tags, 0.5)}


def compare(y_true, models, **options):
    return compare_scores(y_true, models, n_resamples=N_RESAMPLES, **options)


def test_intervals_are_those_of_a_loop_over_scikit_learn(y_true, models):
    comparison = compare(y_true, models, baseline="posters", random_state=3)
    counts = bootstrap_counts(80, N_RESAMPLES, random_state=3)
    values = {
        name: np.array([roc_auc_score(y_true, score, sample_weight=drawn) for drawn in counts])
        for name, score in models.items()
    }
    for row in comparison.table.itertuples():
        assert row.score == pytest.approx(roc_auc_score(y_true, models[row.model]), abs=1e-12)
        bounds = np.quantile(values[row.model], [0.025, 0.975])
        assert [row.low, row.high] == pytest.approx(bounds, abs=1e-12)
        assert row.n_incomplete == 0
        if row.model == "posters":
            assert np.isnan([row.difference, row.difference_low, row.difference_high]).all()
            continue
        bounds = np.quantile(values[row.model] - values["posters"], [0.025, 0.975])
        assert [row.difference_low, row.difference_high] == pytest.approx(bounds, abs=1e-12)


@pytest.mark.parametrize("method", ["percentile", "bca"])
@pytest.mark.parametrize("kind", ["rows", "groups"])
def test_intervals_agree_with_scipy(method, kind):
    # The accuracy of a rare error is a skewed mean, of rows or of groups of two equal rows.
    rng = np.random.default_rng(0)
    is_correct = rng.random(60) > 0.1
    repeats = 2 if kind == "groups" else 1
    y_score = np.repeat(is_correct, repeats)[:, np.newaxis].astype(float)
    groups = np.repeat(np.arange(60), repeats) if kind == "groups" else None
    ours = bootstrap_interval(
        np.ones(y_score.shape),
        y_score,
        metric="mean_accuracy",
        thresholds=0.5,
        n_resamples=9999,
        method=method,
        level=0.9,
        groups=groups,
    )
    # scikit-learn's loop is too slow for so many resamples; that of SciPy is vectorised.
    theirs = stats.bootstrap(
        (is_correct.astype(float),),
        np.mean,
        n_resamples=9999,
        confidence_level=0.9,
        method={"bca": "BCa"}.get(method, method),
        **_seeded(),
    ).confidence_interval
    assert ours.score == pytest.approx(is_correct.mean())
    # Neighbouring values of the mean are 1 / 60 apart.
    assert [ours.low, ours.high] == pytest.approx(list(theirs), abs=1 / 60 + 1e-9)


def _seeded():
    """Return the seed as SciPy's function takes it; the argument was renamed in 1.15."""
    known = inspect.signature(stats.bootstrap).parameters
    return {"rng" if "rng" in known else "random_state": np.random.default_rng(0)}


def test_bca_differs_from_percentile_for_a_skewed_score(y_true, models):
    options = {"metric": "roc_auc", "n_resamples": N_RESAMPLES}
    percentile = bootstrap_interval(y_true, models["tags"], **options)
    bca = bootstrap_interval(y_true, models["tags"], method="bca", **options)
    np.testing.assert_array_equal(bca.score, percentile.score)
    assert (bca.low != percentile.low).all()
    assert (bca.low < bca.score).all()
    assert (bca.score < bca.high).all()


def test_metrics_per_label_have_a_row_per_label_and_model(y_true, models):
    frame = pd.DataFrame(y_true, columns=["a", "b", "c"])
    options = {"metric": ["mean_roc_auc", "roc_auc", "f1"], "thresholds": 0.5}
    table = compare(frame, models, **options).table
    assert table["metric"].tolist() == ["mean_roc_auc"] * 3 + ["roc_auc"] * 9 + ["f1"] * 9
    assert table["label"].tolist() == [None] * 3 + list("aaabbbccc") * 2
    assert table["model"].tolist() == [*models] * 7
    by_label = table[table["metric"] == "roc_auc"].groupby("model")["score"].mean()
    means = table[table["metric"] == "mean_roc_auc"].set_index("model")["score"]
    pd.testing.assert_series_equal(by_label, means, check_like=True)


def test_each_model_may_have_thresholds_of_its_own(y_true, models):
    thresholds = {"tags": [0.1, 0.2, 0.3], "posters": 0.5, "both": [0.3, 0.2, 0.1]}
    table = compare(y_true, models, metric="mean_accuracy", thresholds=thresholds).table
    expected = [mean_accuracy(y_true, models[name], thresholds[name]) for name in models]
    assert table["score"].tolist() == pytest.approx(expected, abs=1e-12)


def test_a_callable_is_compared_as_the_same_named_metric(y_true, models):
    def by_scikit_learn(true, score):
        return roc_auc_score(true, score)

    named = compare(y_true, models).table
    called = compare(y_true, models, metric=by_scikit_learn).table
    assert set(called["metric"]) == {"by_scikit_learn"}
    pd.testing.assert_frame_equal(called.drop(columns="metric"), named.drop(columns="metric"))


def test_resamples_that_lack_a_class_are_counted_and_reported(models):
    y_true = np.zeros((80, 3), dtype=bool)
    y_true[::2] = True
    y_true[:, 0] = np.arange(80) < 2
    comparison = compare(y_true, models)
    counts = bootstrap_counts(80, N_RESAMPLES)
    n_without = int((counts[:, :2].sum(axis=1) == 0).sum())
    assert n_without > 0
    assert (comparison.table["n_incomplete"] == n_without).all()
    assert f"Up to {n_without} resamples lack a class of a label" in str(comparison)


def test_intervals_of_one_point_are_explained(y_true, models):
    constant = {"trivial": np.full(y_true.shape, 0.5)}
    perfect = compare(y_true, constant | {"model": y_true.astype(float)})
    assert "An interval of one point says that all resamples" in str(perfect)
    # That of the baseline is none of a model's.
    assert "one point" not in str(compare(y_true, constant | models))


def test_labels_of_one_class_are_left_out_with_a_warning(y_true, models):
    frame = pd.DataFrame(y_true, columns=["a", "b", "c"]).assign(b=True)
    with pytest.warns(UndefinedMetricWarning, match=r"need both: \['b'\]"):
        table = compare(frame, models, metric=["mean_roc_auc", "roc_auc"]).table
    of_b = table[table["label"] == "b"]
    assert of_b[["score", "low", "high", "difference"]].isna().all(axis=None)
    assert (of_b["n_incomplete"] == N_RESAMPLES).all()
    # The mean is over the others, in all resamples.
    assert (table["n_incomplete"][:3] == 0).all()


def test_rows_of_a_group_count_once(y_true, models):
    # Each row five times, in groups, is no more evidence than the row itself.
    repeated = {name: np.repeat(score, 5, axis=0) for name, score in models.items()}
    five = np.repeat(y_true, 5, axis=0)
    grouped = compare(five, repeated, groups=np.repeat(np.arange(80), 5))
    pd.testing.assert_frame_equal(grouped.table, compare(y_true, models).table)
    assert "400 rows in 80 groups" in str(grouped)


def test_strata_keep_their_number_of_rows(y_true, models):
    strata = y_true[:, 0]
    values = bootstrap_interval(y_true[:, :1], models["tags"][:, :1], stratify=strata)
    counts = bootstrap_counts(80, stratify=strata)
    sample = resample_scores(y_true[:, :1], models["tags"][:, :1], counts)
    assert [values.low, values.high] == pytest.approx(np.quantile(sample, [0.025, 0.975]))
    assert values.n_incomplete == 0


def test_columns_are_paired_by_name(y_true, models):
    frame = pd.DataFrame(y_true, columns=["a", "b", "c"])
    named = {name: pd.DataFrame(score, columns=["a", "b", "c"]) for name, score in models.items()}
    shuffled = named | {"both": named["both"][["c", "a", "b"]]}
    options = {"metric": "roc_auc"}
    pd.testing.assert_frame_equal(
        compare(frame, shuffled, **options).table, compare(frame, named, **options).table
    )
    with pytest.raises(ValueError, match="The columns of the models 'tags' and 'both' differ"):
        compare(y_true, shuffled)


def test_the_printed_table_says_what_was_drawn(y_true, models):
    lines = str(compare(y_true, models)).splitlines()
    assert lines[0] == "80 rows, 60 resamples, 95 % intervals (percentile)"
    assert "minus tags" in lines[2]
    assert len(lines) == 6
    described = "ScoreComparison(3 models, 80 rows, 60 resamples, baseline 'tags')"
    assert repr(compare(y_true, models)) == described


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y_scores": [1, 2]}, "y_scores must be a mapping.*Received list"),
        ({"y_scores": {}}, "y_scores must be a mapping"),
        ({"y_scores": {1: np.zeros((80, 3))}}, "y_scores must be a mapping"),
        ({"y_scores": {"tags": np.zeros((80, 2))}}, "Model 'tags': .*shape"),
        ({"y_true": [["War"], []] * 40}, r"^y_true .*MultiLabelBinarizer\(classes=names\)"),
        ({"baseline": "titles"}, "baseline must be one of .*'titles'"),
        ({"metric": "auc"}, "metric must be one of .*'auc'"),
        ({"metric": []}, "metric must name at least one metric"),
        ({"metric": ["f1", "f1"]}, "metric must not name a metric twice"),
        ({"metric": "f1"}, "metric='f1' depends on the predicted labels. Pass thresholds"),
        ({"metric": "f1", "thresholds": {"tags": 0.5}}, "one entry for each model"),
        ({"method": "basic"}, "method must be one of"),
        ({"level": 95}, "level must be between 0 and 1.*Received level=95"),
        ({"n_resamples": 0}, "n_resamples"),
        ({"groups": [1, 2]}, r"groups must have shape \(80,\)"),
        ({"stratify": [1, 2]}, r"stratify must have shape \(80,\)"),
    ],
)
def test_bad_input_is_refused(y_true, models, change, message):
    with pytest.raises(ValueError, match=message):
        compare_scores(**({"y_true": y_true, "y_scores": models} | change))
