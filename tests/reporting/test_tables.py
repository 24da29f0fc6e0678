"""Tables that compare models, and their Markdown."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score, hamming_loss, roc_auc_score

from multimodal_ensemble.reporting import compare_models, mark_predictions, to_markdown


def test_the_comparison_equals_the_metrics_of_scikit_learn():
    rng = np.random.default_rng(0)
    y_true = rng.random((80, 4)) < 0.4
    scores = {"a": rng.random((80, 4)), "b": rng.random((80, 4)) + y_true}
    thresholds = {"a": np.full(4, 0.3), "b": np.array([0.9, 1.0, np.inf, -np.inf])}
    table = compare_models(y_true, scores, thresholds)
    assert list(table.index) == ["a", "b"]
    assert table.index.name == "model"
    for model, row in table.iterrows():
        y_pred = scores[model] >= thresholds[model]
        assert row["mean_roc_auc"] == pytest.approx(roc_auc_score(y_true, scores[model]))
        assert row["mean_accuracy"] == pytest.approx(1 - hamming_loss(y_true, y_pred))
        for average in ("micro", "macro"):
            expected = f1_score(y_true, y_pred, average=average, zero_division=0)
            assert row[f"{average}_f1"] == pytest.approx(expected)


def test_one_label_has_the_f1_score_of_the_positive_class():
    y_true = [[1], [0], [0], [0]]
    row = compare_models(y_true, {"a": [[0.9], [0.1], [0.2], [0.8]]}, {"a": [0.5]}).loc["a"]
    expected = f1_score([1, 0, 0, 0], [1, 0, 0, 1])
    assert row["micro_f1"] == row["macro_f1"] == pytest.approx(expected)
    assert row["mean_accuracy"] == 0.75


def test_a_model_without_thresholds_raises():
    with pytest.raises(KeyError, match="tags"):
        compare_models([[1], [0]], {"tags": [[0.5], [0.1]]}, {})


def test_markdown_aligns_numbers_and_escapes_pipes():
    table = pd.DataFrame(
        {"count": [3, 12], "share": [0.5, 0.25], "note": ["a|b", ""]},
        index=pd.Index(["x", "longer"], name="what"),
    )
    assert to_markdown(table, digits=2).splitlines() == [
        "| what   | count | share | note |",
        "|:-------|------:|------:|:-----|",
        "| x      |     3 |  0.50 | a\\|b |",
        "| longer |    12 |  0.25 |      |",
    ]


@pytest.mark.parametrize(
    ("true", "predicted", "marked"),
    [
        ([], [], []),
        (["a"], ["a"], ["a"]),
        (["a", "b"], ["b", "c"], ["b", "+c", "-a"]),
        (["a"], [], ["-a"]),
    ],
)
def test_mark_predictions(true, predicted, marked):
    assert mark_predictions(true, predicted) == marked
