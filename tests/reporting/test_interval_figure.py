"""The figure of intervals shows each value, its interval, and whether the interval has the line."""

import numpy as np
import pandas as pd
import pytest

from multimodal_ensemble.reporting import plot_intervals

TABLE = pd.DataFrame(
    {"score": [-0.04, 0.0, np.nan], "low": [-0.06, -0.01, np.nan], "high": [-0.02, 0.01, np.nan]},
    index=["without tags", "A $5 $x$ <b>", "no value"],
)
COLUMNS = ("score", "low", "high")


def test_dots_intervals_and_names_are_those_of_the_table(tmp_path):
    figure = plot_intervals(TABLE, columns=COLUMNS, label="difference in F1")
    (axis,) = figure.axes
    names = [text.get_text() for text in axis.get_yticklabels()]
    assert names == [name.replace("$", r"\$") for name in TABLE.index]
    dots = [line for line in axis.lines if line.get_marker() == "o"]
    assert [dot.get_xydata().tolist() for dot in dots] == [[[-0.04, 0.0]], [[0.0, -1.0]]]
    # The second interval contains 0.
    assert [dot.get_markerfacecolor() for dot in dots] == ["#4878a8", "white"]
    intervals = [bars.get_segments()[0][:, 0] for bars in axis.collections]
    np.testing.assert_allclose(intervals, TABLE[["low", "high"]][:2])
    assert axis.get_xlabel() == "difference in F1"
    figure.savefig(tmp_path / "intervals.png", dpi=40)


def test_without_a_line_all_dots_are_filled_and_numbers_have_no_sign():
    (axis,) = plot_intervals(TABLE, columns=COLUMNS, line=None).axes
    assert [text.get_text() for text in axis.texts] == ["-0.040", "0.000"]
    dots = [line for line in axis.lines if line.get_marker() == "o"]
    assert {dot.get_markerfacecolor() for dot in dots} == {"#4878a8"}


@pytest.mark.parametrize(
    ("table", "columns", "message"),
    [
        (TABLE, ("score", "low"), "columns must name a value and both ends"),
        (TABLE, ("score", "low", "top"), r"Received one without the columns \['top'\]"),
        (TABLE[:0], COLUMNS, "Received one without rows"),
    ],
)
def test_other_tables_are_refused(table, columns, message):
    with pytest.raises(ValueError, match=message):
        plot_intervals(table, columns=columns)
