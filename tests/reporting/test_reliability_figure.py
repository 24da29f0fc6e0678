"""The figure of reliability curves shows the table that it is made of."""

import numpy as np
import pytest

from multimodal_ensemble.metrics import reliability_curve
from multimodal_ensemble.reporting import plot_reliability

LABELS = ["Drama", "A $5 <b>", "Crime", "War", "Western"]


@pytest.fixture(scope="module")
def curve():
    rng = np.random.default_rng(0)
    y_score = np.round(rng.random((1203, 5)), 2)
    return reliability_curve(rng.random((1203, 5)) < y_score, y_score, labels=LABELS)


def test_each_panel_shows_the_points_intervals_and_numbers_of_rows_of_a_label(curve, tmp_path):
    figure = plot_reliability(curve, unit="movies")
    assert len(figure.axes) == 5
    for axis, label in zip(figure.axes, LABELS, strict=True):
        part = curve[curve["label"] == label]
        diagonal, points = axis.lines[:2]
        assert diagonal.get_xydata().tolist() == [[0, 0], [1, 1]]
        np.testing.assert_array_equal(points.get_xydata(), part[["mean_score", "share"]])
        (bars,) = axis.collections
        limits = np.array([segment[:, 1] for segment in bars.get_segments()])
        np.testing.assert_allclose(limits, part[["low", "high"]])
        name, numbers = axis.get_title().split("\n")
        assert name == label.replace("$", r"\$")
        assert numbers.startswith("1,203 movies, ")
        assert numbers.endswith(f"{part['n_rows'].max():,} per point")
    assert figure.get_supylabel() == "share of movies with the label"
    figure.savefig(tmp_path / "reliability.png", dpi=40)


def test_a_single_label_and_a_single_bin(tmp_path):
    figure = plot_reliability(reliability_curve([[0], [1]], [[0.5], [0.5]]))
    assert figure.axes[0].get_title() == "0\n2 rows, 2 per point"
    figure.savefig(tmp_path / "one.png", dpi=30)


def test_other_tables_are_refused(curve):
    with pytest.raises(ValueError, match=r"Received one without the columns \['low', 'high'\]"):
        plot_reliability(curve.drop(columns=["low", "high"]))
    with pytest.raises(ValueError, match="Received one without rows"):
        plot_reliability(curve[:0])
    with pytest.raises(ValueError, match="must be a table from reliability_curve"):
        plot_reliability(np.zeros((2, 2)))
