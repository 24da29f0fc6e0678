"""Rows and columns of the inputs of all metrics are paired by name, or refused."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from multimodal_ensemble.metrics import (
    apply_thresholds,
    label_report,
    mean_accuracy,
    mean_roc_auc,
    tune_thresholds,
)
from multimodal_ensemble.reporting import compare_models, label_cooccurrence

LABELS = ["war", "love", "drama"]
RNG = np.random.default_rng(1)
Y = RNG.integers(2, size=(40, 3))
SCORES = 0.3 * Y + RNG.random((40, 3))
THRESHOLDS = np.array([0.2, 0.5, 0.9])
WEIGHTS = RNG.random(40)
INDEX = [f"film {row}" for row in range(40)]

METRICS = {
    "mean_roc_auc": lambda y, s, t, w: mean_roc_auc(y, s, sample_weight=w),
    "mean_accuracy": lambda y, s, t, w: mean_accuracy(y, s, t, sample_weight=w),
    "tune_thresholds": lambda y, s, t, w: tune_thresholds(y, s, sample_weight=w),
    "label_report": lambda y, s, t, w: label_report(y, s, t).to_numpy(),
    "compare_models": lambda y, s, t, w: compare_models(y, {"a": s}, {"a": t}).to_numpy(),
}


def table(values, order=(0, 1, 2), *, names=LABELS, index=INDEX):
    """Return a table with its columns in this order; each keeps its name."""
    return pd.DataFrame(values, columns=names, index=index).iloc[:, list(order)]


def series(values, order=(0, 1, 2), *, names=LABELS):
    return pd.Series(values, index=names).iloc[list(order)]


ORDER = (2, 0, 1)
SAME = {
    "scores in another order": (table(Y), table(SCORES, ORDER), series(THRESHOLDS)),
    "labels in another order": (table(Y, ORDER), table(SCORES), series(THRESHOLDS)),
    "thresholds in another order": (table(Y), SCORES, series(THRESHOLDS, ORDER)),
    "thresholds for scores": (Y, table(SCORES), series(THRESHOLDS, ORDER)),
    "a mapping": (table(Y), SCORES, dict(series(THRESHOLDS, ORDER))),
    "names as strings": (
        table(Y, names=[1, 2, 3]),
        table(SCORES, ORDER, names=["1", "2", "3"]),
        series(THRESHOLDS, ORDER, names=[1, 2, 3]),
    ),
    "arrow": (
        table(Y),
        pa.Table.from_pandas(table(SCORES, ORDER), preserve_index=False),
        THRESHOLDS,
    ),
    "arrow labels": (
        pa.Table.from_pandas(table(Y, ORDER), preserve_index=False),
        table(SCORES),
        series(THRESHOLDS),
    ),
    "numbered columns": (pd.DataFrame(Y), table(SCORES, index=None), pd.Series(THRESHOLDS)),
}


@pytest.mark.parametrize("case", SAME)
@pytest.mark.parametrize("metric", METRICS)
def test_labels_are_paired_by_name(metric, case):
    y_true, y_score, thresholds = SAME[case]
    result = METRICS[metric](y_true, y_score, thresholds, None)
    expected = METRICS[metric](Y, SCORES, THRESHOLDS, None)
    columns = getattr(y_true, "column_names", getattr(y_true, "columns", None))
    if np.shape(result)[:1] == (3,) and list(map(str, columns if columns is not None else [])) == [
        LABELS[column] for column in ORDER
    ]:
        expected = expected[list(ORDER)]
    np.testing.assert_allclose(result, expected)


def test_predictions_are_in_the_order_of_the_scores():
    expected = (SCORES >= THRESHOLDS)[:, ORDER]
    scores = table(SCORES, ORDER)
    np.testing.assert_array_equal(apply_thresholds(scores, series(THRESHOLDS)), expected)
    np.testing.assert_array_equal(apply_thresholds(scores, dict(series(THRESHOLDS))), expected)
    np.testing.assert_array_equal(apply_thresholds(scores, THRESHOLDS[[*ORDER]]), expected)


def test_the_labels_of_a_report_pair_its_thresholds():
    report = label_report(Y, SCORES, series(THRESHOLDS, ORDER), labels=LABELS)
    assert report["threshold"].to_dict() == dict(zip(LABELS, THRESHOLDS, strict=True))
    with pytest.raises(ValueError, match="in another order"):
        label_report(table(Y), SCORES, THRESHOLDS, labels=LABELS[::-1])


def test_models_are_paired_by_name_with_each_other_also_where_y_true_has_no_names():
    scores = {"a": SCORES, "b": table(SCORES), "c": table(SCORES, ORDER)}
    thresholds = dict.fromkeys("bc", series(THRESHOLDS, ORDER)) | {"a": THRESHOLDS}
    compared = compare_models(Y, scores, thresholds)
    assert (compared == compared.loc["a"]).all(axis=None)
    arrays = {"a": SCORES, "b": SCORES}
    thresholds = {"a": series(THRESHOLDS), "b": series(THRESHOLDS, ORDER)}
    assert compare_models(Y, arrays, thresholds).equals(compared.loc[["a", "b"]])


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize(
    ("scores", "match"),
    [
        (table(SCORES, names=["war", "love", "noir"]), r"Without a value: \['drama'\]. Not a lab"),
        (table(SCORES, names=["war", "war", "love"]), r"More than once: \['war'\]"),
        (table(SCORES).iloc[::-1], r"rows of y_score and of y_true have different index.*to_numpy"),
    ],
)
def test_other_names_are_refused(metric, scores, match):
    with pytest.raises(ValueError, match=match):
        METRICS[metric](table(Y), scores, THRESHOLDS, None)


@pytest.mark.parametrize("metric", list(METRICS)[:3])
def test_weights_of_other_rows_are_refused(metric):
    weights = pd.Series(WEIGHTS, index=INDEX)
    expected = METRICS[metric](Y, SCORES, THRESHOLDS, WEIGHTS)
    for scores in (SCORES, table(SCORES)):
        result = METRICS[metric](table(Y), scores, THRESHOLDS, weights)
        np.testing.assert_allclose(result, expected)
    for y, scores in ((table(Y), SCORES), (Y, table(SCORES))):
        with pytest.raises(ValueError, match="rows of sample_weight and of y_"):
            METRICS[metric](y, scores, THRESHOLDS, weights.iloc[::-1])


@pytest.mark.parametrize(
    "thresholds", [series(THRESHOLDS, names=["war", "love", "noir"]), {"war": 1, "love": 1}]
)
def test_thresholds_of_other_labels_are_refused(thresholds):
    match = r"thresholds must have a value for each label. Without a value: \['drama'\]"
    for call in (
        lambda: apply_thresholds(table(SCORES), thresholds),
        lambda: mean_accuracy(table(Y), SCORES, thresholds),
        lambda: label_report(table(Y), SCORES, thresholds),
    ):
        with pytest.raises(ValueError, match=match):
            call()


def test_tables_of_other_libraries_are_refused():
    class OtherTable:
        columns = LABELS

        def __dataframe__(self):
            raise AssertionError

    class LazyTable:
        columns = LABELS

    for table_class in (OtherTable, LazyTable):
        match = rf"y_score is a table of type .*{table_class.__name__}.*Convert it"
        with pytest.raises(ValueError, match=match):
            mean_roc_auc(Y, table_class())


def test_cooccurrence_has_the_names_of_an_arrow_table():
    counts = label_cooccurrence(pa.table(pd.DataFrame(Y, columns=LABELS)))
    pd.testing.assert_frame_equal(counts, label_cooccurrence(Y, labels=LABELS))


@pytest.mark.parametrize("name", ["y_true", "y_score", "sample_weight", "thresholds"])
def test_masked_values_are_refused(name):
    masked = {
        "y_true": np.ma.array(Y, mask=False),
        "y_score": np.ma.array(SCORES, mask=False),
        "sample_weight": np.ma.array(WEIGHTS, mask=False),
        "thresholds": np.ma.array(THRESHOLDS, mask=False),
    }
    expected = mean_accuracy(Y, SCORES, THRESHOLDS, sample_weight=WEIGHTS)
    assert mean_accuracy(**masked) == expected
    masked[name].mask.flat[1] = True
    with pytest.raises(ValueError, match=f"{name} must not have masked values"):
        mean_accuracy(**masked)
