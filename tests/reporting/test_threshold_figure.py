"""The figure of thresholds shows what scikit-learn computes at each threshold."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import f1_score, precision_score, recall_score

from multimodal_ensemble.reporting import plot_thresholds

LABELS = ["Drama", "A $5 <b>", "Crime", "War"]
METRICS = {"precision": precision_score, "recall": recall_score, "F1": f1_score}


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    # Rounded, so that scores are equal.
    y_score = pd.DataFrame(np.round(rng.random((60, 4)), 1), columns=LABELS)
    return (rng.random((60, 4)) < y_score).astype(int), y_score


def test_curves_are_the_metrics_at_each_score(rows, tmp_path):
    y_true, y_score = rows
    figure = plot_thresholds(
        y_true, y_score[LABELS[::-1]], {"War": 0.4, "Drama": 0.5, "A $5 <b>": np.inf, "Crime": 0.3}
    )
    assert len(figure.axes) == 4
    for axis, label, threshold in zip(figure.axes, LABELS, [0.5, None, 0.3, 0.4], strict=True):
        curves = {line.get_label(): line for line in axis.lines}
        for metric, function in METRICS.items():
            steps, values = curves[metric].get_xydata().T
            assert steps.tolist() == sorted(y_score[label].unique(), reverse=True)
            expected = [function(y_true[label], y_score[label] >= step) for step in steps]
            np.testing.assert_allclose(values, expected)
        vertical = curves.get("threshold in use")
        assert (vertical and vertical.get_xdata()[0]) == threshold
        name = label.replace("$", r"\$")
        assert axis.get_title() == f"{name}: {y_true[label].sum()} of 60 rows"
    figure.savefig(tmp_path / "thresholds.png", dpi=40)


def test_a_label_that_no_row_has(tmp_path):
    figure = plot_thresholds([[0], [0]], [[0.5], [0.6]])
    assert figure.axes[0].get_title() == "0: 0 of 2 rows"
    figure.savefig(tmp_path / "none.png", dpi=30)


@pytest.mark.parametrize(
    ("scores", "thresholds", "message"),
    [
        ([[0.5], [1.5]], None, r"y_score must be in 0\.\.1. Received 0.5 to 1.5"),
        ([[0.5], [0.6]], [0.1, 0.2], "thresholds must be one number or one per label"),
        ([[0.5]], None, "y_true and y_score must have the same shape"),
    ],
)
def test_other_input_is_refused(scores, thresholds, message):
    with pytest.raises(ValueError, match=message):
        plot_thresholds([[0], [1]], scores, thresholds)
