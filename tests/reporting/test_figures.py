"""The content of the figures, not their appearance."""

import sys

import numpy as np
import pandas as pd
import pytest

from multimodal_ensemble.reporting import (
    plot_comparison,
    plot_histories,
    plot_predictions,
    plot_trials,
)

HISTORY = pd.DataFrame(
    {
        "step": [10, 20, 30],
        "loss": [0.7, 0.6, 0.5],
        "mean_roc_auc": [0.6, 0.8, 0.7],
        "mean_accuracy": [0.7, 0.75, 0.8],
    }
)


def test_each_model_has_a_curve_with_its_best_evaluation_marked(tmp_path):
    figure = plot_histories({"tags": HISTORY, "posters": HISTORY})
    for axis, column in zip(figure.axes, ["loss", "mean_roc_auc", "mean_accuracy"], strict=True):
        assert len(axis.lines) == 2
        for curve in axis.lines:
            np.testing.assert_array_equal(curve.get_ydata(), HISTORY[column])
            assert curve.get_markevery() == [1]
        styles = {(curve.get_linestyle(), curve.get_marker()) for curve in axis.lines}
        assert len(styles) == 2
    assert figure.legends[0].get_title().get_text() == "markers: best validation ROC-AUC"
    figure.savefig(tmp_path / "histories.png")


def test_dots_are_at_the_scores_and_the_axis_shows_their_differences(tmp_path):
    table = pd.DataFrame({"mean_roc_auc": [0.85, 0.88], "mean_accuracy": [0.9, 0.6]}, ["a", "b"])
    figure = plot_comparison(table, spread=table / 100)
    for axis, column in zip(figure.axes, table.columns, strict=True):
        assert axis.lines[0].get_xdata().tolist() == table[column].tolist()
        assert [text.get_text() for text in axis.texts] == [f"{x:.3f}" for x in table[column]]
    assert figure.axes[0].get_xlim()[0] > 0.8
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["a", "b"]
    figure.savefig(tmp_path / "comparison.png")


def test_trials_are_drawn_with_the_best_score_so_far(tmp_path):
    trials = pd.DataFrame(
        {
            "number": [0, 1, 2, 3, 4],
            "score": [0.6, 0.8, np.nan, 0.5, 0.7],
            "state": ["complete", "complete", "failed", "pruned", "complete"],
        }
    )
    figure = plot_trials(trials)
    best, complete, pruned = figure.axes[0].lines
    assert list(best.get_xdata()) == [0, 1, 4]
    assert list(best.get_ydata()) == [0.6, 0.8, 0.8]
    assert list(complete.get_ydata()) == [0.6, 0.8, 0.7]
    assert list(pruned.get_xdata()) == [3]
    figure.savefig(tmp_path / "trials.png")


@pytest.mark.parametrize("count", [1, 6, 8])
def test_each_image_has_its_labels_below(count, tmp_path):
    images = [np.full((9, 6, 3), level, dtype=np.uint8) for level in range(count)]
    titles = [f"A film for ${level}$" for level in range(count)]
    figure = plot_predictions(images, titles, [["Crime"]] * count, [["Crime", "Drama"]] * count)
    assert len(figure.axes) == count
    # At 96 pixels per inch, 8.25 points are 11 pixels.
    assert all(axis.xaxis.label.get_fontsize() >= 8.25 for axis in figure.axes)
    assert figure.axes[0].get_xlabel() == "true: Crime\npredicted: Crime, +Drama"
    figure.savefig(tmp_path / "predictions.png")


def test_without_matplotlib_the_error_explains_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match="pip install matplotlib"):
        plot_histories({"tags": HISTORY})
