"""Comparisons of given scores, against a plain loop over scikit-learn."""

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    f1_score,
    roc_auc_score,
)

from multimodal_ensemble.exceptions import ArtefactError
from multimodal_ensemble.metrics import bootstrap_counts, compare_scores
from multimodal_ensemble.model_selection import ComparisonResult, ComparisonSplit

LABELS = ["night", "city", "sea"]
MODELS = ["tags", "both", "none"]
N_ROWS, N_RESAMPLES = 40, 12
RNG = np.random.default_rng(0)
Y = np.array([np.arange(N_ROWS) % 2, np.arange(N_ROWS) % 3 == 0, np.arange(N_ROWS) % 5 == 1]).T
GROUPS = np.arange(N_ROWS) // 2
# The test rows of two repeats overlap, and some rows are never tested.
TESTS = [(0, range(15)), (0, range(15, 30)), (1, [*range(20, 34), 2])]
METRICS = ["mean_roc_auc", "mean_average_precision", "mean_accuracy", "macro_f1", "micro_f1"]


def draw_split(rows, repeat=0, models=MODELS):
    strengths = {"tags": 0.4, "both": 1.0, "none": 0.0}
    return ComparisonSplit(
        rows,
        {model: RNG.normal(strengths[model] * Y[list(rows)], 0.5).round(1) for model in models},
        {model: [0.5, 0.4, np.inf] for model in models},
        repeat,
        dict.fromkeys(models, 0.25),
    )


SPLITS = [draw_split(rows, repeat) for repeat, rows in TESTS]


def make(y_true=Y, splits=SPLITS, **options):
    return ComparisonResult.from_scores(
        y_true, splits, **{"labels": LABELS, "n_resamples": N_RESAMPLES, **options}
    )


@pytest.fixture(scope="module")
def result():
    return make(metrics=METRICS, groups=GROUPS, baseline="both")


def score_label(metric, y_true, y_score, predicted, weights):
    drawn = weights > 0
    classes = set(y_true[drawn])
    if metric in ("roc_auc", "average_precision"):
        function = {"roc_auc": roc_auc_score, "average_precision": average_precision_score}[metric]
        return function(y_true, y_score, sample_weight=weights) if len(classes) == 2 else np.nan
    if metric == "accuracy":
        return accuracy_score(y_true, predicted, sample_weight=weights)
    return f1_score(y_true, predicted, sample_weight=weights) if 1 in classes else np.nan


def score_split(metric, split, model, weights):
    """Return the score on the rows of a split, one per label for the metrics of labels."""
    rows = list(split.rows)
    weights, y_true, y_score = weights[rows], Y[rows] * 1, np.asarray(split.y_scores[model])
    predicted = (y_score >= split.thresholds[model]) * 1
    if metric == "micro_f1":
        weights = np.repeat(weights, len(LABELS))
        return f1_score(y_true.ravel(), predicted.ravel(), sample_weight=weights)
    of_label = metric.removeprefix("mean_").replace("macro_f1", "f1")
    values = [
        score_label(of_label, y_true[:, label], y_score[:, label], predicted[:, label], weights)
        for label in range(len(LABELS))
    ]
    return values if of_label == metric else np.nanmean(values)


@pytest.fixture(scope="module")
def weights():
    tested = sorted({row for _, rows in TESTS for row in rows})
    counts = bootstrap_counts(len(tested), N_RESAMPLES, groups=GROUPS[tested])
    weights = np.zeros((1 + N_RESAMPLES, N_ROWS))
    weights[0] = 1
    weights[1:, tested] = counts
    return weights


def loop(metric, model, weights):
    return np.array(
        [[score_split(metric, split, model, each) for split in SPLITS] for each in weights]
    )


@pytest.mark.parametrize("metric", METRICS)
def test_the_table_is_that_of_a_plain_loop(metric, result, weights):
    baseline = loop(metric, "both", weights)
    for row in result.table[result.table["metric"] == metric].itertuples():
        by_split = baseline if row.model == "both" else loop(metric, row.model, weights)
        scores = by_split.mean(axis=1)
        expected = [scores[0], *np.quantile(scores[1:], [0.025, 0.975]), scores[1:].std(ddof=1)]
        np.testing.assert_allclose([row.score, row.low, row.high, row.sd_rows], expected)
        repeats = [by_split[0, :2].mean(), by_split[0, 2]]
        np.testing.assert_allclose(row.sd_repeats, np.std(repeats, ddof=1))
        if row.model == "both":
            assert np.isnan([row.difference, row.difference_low, row.difference_sd_repeats]).all()
            continue
        differences = (by_split - baseline).mean(axis=1)
        expected = [differences[0], *np.quantile(differences[1:], [0.025, 0.975])]
        found = [row.difference, row.difference_low, row.difference_high]
        np.testing.assert_allclose(found, expected, atol=1e-12)
        repeats = (by_split - baseline)[0]
        deviation = np.std([repeats[:2].mean(), repeats[2]], ddof=1)
        np.testing.assert_allclose(row.difference_sd_repeats, deviation)


@pytest.mark.parametrize("metric", ["roc_auc", "f1"])
def test_the_table_by_label_is_that_of_a_plain_loop(metric, result, weights):
    table = result.by_label(metric)
    assert list(table["label"]) == np.repeat(LABELS, 3).tolist()
    tested = sorted({row for _, rows in TESTS for row in rows})
    assert list(table["support"][::3]) == Y[tested].sum(axis=0).tolist()
    by_split = loop(metric, "tags", weights)
    rows = table[table["model"] == "tags"]
    undefined = np.isnan(by_split).any(axis=1)[1:].sum(axis=0)
    np.testing.assert_array_equal(rows["n_incomplete"], undefined)
    scores = np.nanmean(by_split, axis=1)
    np.testing.assert_allclose(rows["score"], scores[0])
    np.testing.assert_allclose(rows["low"], np.nanquantile(scores[1:], 0.025, axis=0))


def test_incomplete_resamples_are_counted_and_explained(result, weights):
    lacking = np.zeros(N_RESAMPLES, dtype=bool)
    for split in SPLITS:
        drawn = weights[1:, list(split.rows)]
        for label in Y[list(split.rows)].T:
            lacking |= (drawn @ label == 0) | (drawn @ (1 - label) == 0)
    table = result.table.set_index("metric")
    assert set(table.loc["mean_roc_auc", "n_incomplete"]) == {lacking.sum()}
    assert set(table.loc["mean_accuracy", "n_incomplete"]) == {0}
    assert f"Up to {lacking.sum()} resamples lack a class" in str(result)
    assert "lack a class" not in str(make(metrics="mean_accuracy"))


def test_a_single_split_is_what_compare_scores_compares():
    split = draw_split(range(N_ROWS))
    table = make(splits=[split], metrics=["mean_roc_auc", "macro_f1"]).table
    expected = compare_scores(
        Y,
        split.y_scores,
        metric=["mean_roc_auc", "macro_f1"],
        thresholds=split.thresholds,
        n_resamples=N_RESAMPLES,
        labels=LABELS,
    ).table.drop(columns="label")
    pd.testing.assert_frame_equal(table[expected.columns], expected)
    assert table["sd_repeats"].isna().all()


def test_a_label_without_a_class_is_undefined():
    y_true = Y.copy()
    y_true[:, 1] = 0
    table = make(y_true).by_label()
    city = table[table["label"] == "city"]
    assert city[["score", "low", "difference", "sd_rows"]].isna().all(axis=None)
    assert set(city["n_incomplete"]) == {N_RESAMPLES}
    only = np.zeros_like(Y)
    assert "undefined" in str(make(only, metrics="mean_roc_auc"))


def test_text_has_a_sentence_per_difference():
    y_true = np.tile([[0], [1]], (20, 1))
    good, bad = y_true * 0.9, 1 - y_true
    scores = {"constant": y_true * 0.0, "good": good, "bad": bad, "same": y_true * 0.0}
    split = ComparisonSplit(range(40), scores, dict.fromkeys(scores, 0.5))
    text = str(make(y_true, [split], labels=["sea"], metrics=["mean_roc_auc"]))
    assert "4 models, 40 tested rows, 1 label, 1 split in 1 repeat, 12 resamples" in text
    assert "good beats constant by 0.500 [0.500, 0.500] in mean ROC-AUC." in text
    assert "constant beats bad by 0.500 [0.500, 0.500] in mean ROC-AUC." in text
    expected = "same against constant is not resolved in mean ROC-AUC: +0.000 [+0.000, +0.000]."
    assert expected in text
    assert "sd over repeats" not in text


def test_markdown_and_latex_escape_names():
    names = ["a|b", "50 % & $x_1$", r"[c]\{~^#}", "<d>"]
    split = ComparisonSplit(
        range(N_ROWS), {name: Y * 1.0 for name in names}, dict.fromkeys(names, 0.5)
    )
    result = make(splits=[split], metrics=["mean_accuracy"])
    lines = result.to_markdown(digits=2).splitlines()
    assert len({len(line) for line in lines}) == 1
    cells = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)] for line in lines]
    assert cells[0][1:5] == ["metric", "model", "score", r"minus a\|b"]
    assert cells[3][1:5] == ["mean accuracy", names[1], "1.00 [1.00, 1.00]", "+0.00 [+0.00, +0.00]"]
    latex = result.to_latex()
    assert r"50 \% \& \$x\_1\$ & 1.000 [1.000, 1.000] & +0.000" in latex
    assert r"& [c]\textbackslash{}\{\textasciitilde{}\textasciicircum{}\#\} &" in latex
    assert r"minus a\textbar{}b &" in latex
    assert r"& \textless{}d\textgreater{} &" in latex
    assert latex.count(r"\\") == 5
    assert "sd over repeats" in make(metrics="micro_f1").to_latex()


def test_the_figure_has_differences_with_intervals(result, tmp_path):
    figure = result.plot()
    assert [axis.get_title() for axis in figure.axes] == [
        "mean ROC-AUC", "mean average precision", "mean accuracy", "macro F1", "micro F1",
    ]  # fmt: skip
    names = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert names == MODELS
    for axis, metric in zip(figure.axes, METRICS, strict=True):
        rows = result.table[result.table["metric"] == metric].set_index("model")
        for model, bar in zip(["tags", "none"], axis.containers, strict=True):
            point, _, (interval,) = bar
            row = rows.loc[model]
            assert point.get_xdata() == [row["difference"]]
            ends = interval.get_segments()[0][:, 0]
            np.testing.assert_allclose(ends, [row["difference_low"], row["difference_high"]])
            is_resolved = row["difference_low"] > 0 or row["difference_high"] < 0
            assert (point.get_markerfacecolor() != "white") == is_resolved
    figure.savefig(tmp_path / "comparison.png")


def test_saved_comparisons_are_equal(tmp_path):
    result = make(
        pd.DataFrame(Y, index=[f"film {row}" for row in range(N_ROWS)], columns=[2, 1, 0]),
        labels=None,
        groups=list(map(str, GROUPS)),
        baseline="none",
        metrics=["micro_f1"],
        level=0.9,
        random_state=3,
    )
    result.save(tmp_path / "file")
    loaded = ComparisonResult.load(tmp_path / "file")
    pd.testing.assert_frame_equal(loaded.table, result.table)
    pd.testing.assert_frame_equal(loaded.by_label(), result.by_label())
    for field in dataclasses.fields(result):
        if field.name != "splits":
            np.testing.assert_array_equal(getattr(loaded, field.name), getattr(result, field.name))
    for one, other in zip(loaded.splits, result.splits, strict=True):
        np.testing.assert_array_equal(one.rows, other.rows)
        assert (one.repeat, one.seconds) == (other.repeat, other.seconds)
        for model in MODELS:
            np.testing.assert_array_equal(one.y_scores[model], other.y_scores[model])
            np.testing.assert_array_equal(one.thresholds[model], [0.5, 0.4, np.inf])
    content = (tmp_path / "file").read_bytes()
    (tmp_path / "file").write_bytes(content.replace(b'"y_scores"', b'"y_zcores"', 1))
    with pytest.raises(ArtefactError, match="cannot be"):
        ComparisonResult.load(tmp_path / "file")


def test_scores_with_names_are_paired_by_name():
    index = [f"film {row}" for row in range(N_ROWS)]
    y_true = pd.DataFrame(Y, index=index, columns=LABELS)
    rows = [3, 1, 8, 20]
    split = draw_split(rows, models=["tags"])
    scores = pd.DataFrame(split.y_scores["tags"], index=[index[r] for r in rows], columns=LABELS)
    thresholds = pd.Series([0.5, 0.4, 0.3], LABELS)
    shuffled = dataclasses.replace(
        split, y_scores={"tags": scores[LABELS[::-1]]}, thresholds={"tags": thresholds[::-1]}
    )
    paired = make(y_true, [shuffled], labels=None)
    np.testing.assert_array_equal(paired.splits[0].y_scores["tags"], split.y_scores["tags"])
    np.testing.assert_array_equal(paired.splits[0].thresholds["tags"], [0.5, 0.4, 0.3])
    wrong = dataclasses.replace(split, y_scores={"tags": scores[::-1]})
    with pytest.raises(ValueError, match="different index labels"):
        make(y_true, [wrong], labels=None)
    renamed = dataclasses.replace(split, y_scores={"tags": scores.rename(columns={"sea": "sky"})})
    with pytest.raises(ValueError, match=r"splits\[0\], model 'tags' must have a value for each"):
        make(y_true, [renamed], labels=None)


GOOD = draw_split(range(10), models=["tags"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rows": []}, "rows of splits[0] must be the positions of one or more test rows"),
        ({"rows": np.arange(10) > 4}, "of shape (10,) and dtype bool"),
        ({"rows": range(31, 41)}, "must be positions from 0 to 39. Received 31 to 40"),
        ({"rows": [0, *range(9)]}, "must be distinct. Received ['0'] more than once"),
        ({"repeat": -1}, "repeat of splits[0] must be a whole number of at least 0"),
        ({"y_scores": {}}, "y_scores must be a mapping with the name of each model"),
        ({"thresholds": {}}, "thresholds of splits[0] must have one entry for each model"),
        ({"thresholds": {"tags": [0.5]}}, "splits[0], model 'tags': thresholds must be one number"),
        ({"thresholds": {"tags": np.nan}}, "splits[0], model 'tags': thresholds must not be NaN"),
        ({"y_scores": {"tags": np.full((10, 3), np.nan)}}, "model 'tags': y_score must be finite"),
        ({"y_scores": {"tags": np.zeros((9, 3))}}, "(10, 3). Received (9, 3)"),
    ],
)
def test_invalid_splits_are_refused(change, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make(splits=[dataclasses.replace(GOOD, **change)])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"splits": []}, "splits must be a sequence of one or more ComparisonSplit"),
        ({"splits": [GOOD, draw_split([1])]}, r"y_scores of splits\[1\] .* \['tags'\]. Received"),
        ({"rows": ["one"]}, "rows must name all 40 rows of y_true. Received 1 names"),
        ({"labels": ["one"]}, "labels must name all 3 columns"),
        ({"groups": [1]}, r"groups must have shape \(40,\)"),
        ({"baseline": "sound"}, "baseline must be one of 'tags', 'both', 'none'"),
        ({"metrics": "f1"}, "metrics must be one of 'mean_roc_auc'"),
    ],
)
def test_invalid_arguments_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        make(**options)


def test_an_unknown_metric_of_labels_is_refused(result):
    with pytest.raises(ValueError, match=r"metric must be one of 'roc_auc', .*'mean_roc_auc'"):
        result.by_label("mean_roc_auc")


def test_the_repr_is_short(result):
    assert repr(result) == (
        "ComparisonResult(3 models, 34 tested rows, 3 labels, 3 splits in 2 repeats)"
    )


def test_selected_models_are_compared_as_before(result):
    part = result.select(["none", "tags"], baseline="tags", metrics=["mean_roc_auc"])
    assert (part.models, part.baseline) == (["none", "tags"], "tags")
    again = make(groups=GROUPS, metrics=["mean_roc_auc"], baseline="tags").table
    expected = again.set_index("model").loc[["none", "tags"]].reset_index()
    pd.testing.assert_frame_equal(part.table[expected.columns], expected)
    assert part.splits[0].seconds == {"none": 0.25, "tags": 0.25}
    assert result.select(["none", "tags"]).baseline == "none"
    assert result.select(["tags"]).metrics == tuple(METRICS)


@pytest.mark.parametrize(
    ("models", "options", "message"),
    [
        (["other"], {}, "models must be .*'other'"),
        ([], {}, "models must name at least one model"),
        (["tags", "tags"], {}, "none twice"),
        ("tags", {}, "models must be .*'t'"),
        (["tags"], {"baseline": "both"}, "baseline must be .*'both'"),
        (["tags"], {"metrics": ["loss"]}, "metrics must be .*'loss'"),
    ],
)
def test_only_known_models_are_selected(result, models, options, message):
    with pytest.raises(ValueError, match=message):
        result.select(models, **options)
