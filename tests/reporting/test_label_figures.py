"""The co-occurrence table, compared with loops, and the figures of labels."""

import sys

import numpy as np
import pandas as pd
import pytest

from multimodal_ensemble.reporting import (
    label_cooccurrence,
    plot_distribution,
    plot_label_cooccurrence,
    plot_label_counts,
    plot_rank_frequency,
)

LABELS = ["Drama", "Crime", "Western", "Absent"]


@pytest.fixture
def y_true():
    y = np.random.default_rng(5).random((60, 4)) < [0.6, 0.3, 0.1, 0.0]
    return y.astype(int)


def count_by_loops(y, normalize):
    n, n_labels = y.shape
    table = np.full((n_labels, n_labels), np.nan)
    for a in range(n_labels):
        for b in range(n_labels):
            both = sum(1 for row in y if row[a] and row[b])
            has_a, has_b = sum(row[a] for row in y), sum(row[b] for row in y)
            if normalize is None:
                table[a, b] = both
            elif normalize == "row" and has_a:
                table[a, b] = both / has_a
            elif normalize == "lift" and has_a and has_b:
                table[a, b] = (both / n) / (has_a / n * has_b / n)
    return table


@pytest.mark.parametrize("normalize", [None, "row", "lift"])
def test_cooccurrence_equals_a_count_by_loops(y_true, normalize):
    table = label_cooccurrence(y_true, LABELS, normalize=normalize)
    np.testing.assert_allclose(table, count_by_loops(y_true, normalize), rtol=1e-12)
    assert list(table.index) == list(table.columns) == LABELS
    assert (table.dtypes == ("int64" if normalize is None else "float64")).all()


def test_shares_refer_to_the_row_label():
    table = label_cooccurrence([[1, 1], [1, 0], [1, 0], [1, 0]], ["a", "b"], normalize="row")
    assert table.loc["a", "b"] == 0.25
    assert table.loc["b", "a"] == 1.0


def test_names_come_from_the_columns_of_a_data_frame(y_true):
    table = label_cooccurrence(pd.DataFrame(y_true, columns=LABELS))
    assert list(table.columns) == LABELS


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[1, 0]], ["a", "b"], "column"), r"normalize must be one of None, 'row', 'lift'"),
        (([[1, 2]], ["a", "b"], None), r"must hold only 0 and 1"),
        (([[1, 0]], ["a"], None), r"labels must name all 2 columns"),
    ],
)
@pytest.mark.parametrize("function", [label_cooccurrence, plot_label_cooccurrence])
def test_invalid_labels_raise(function, arguments, message):
    y, labels, normalize = arguments
    with pytest.raises(ValueError, match=message):
        function(y, labels, normalize=normalize)


@pytest.mark.parametrize("normalize", [None, "row", "lift"])
def test_the_heat_map_shows_the_table(y_true, normalize, tmp_path):
    figure = plot_label_cooccurrence(y_true, LABELS, normalize=normalize, unit="movies")
    (axis,) = figure.axes
    expected = label_cooccurrence(y_true, LABELS, normalize=normalize).to_numpy()
    drawn = axis.images[0].get_array()
    off_diagonal = ~np.eye(len(LABELS), dtype=bool)
    np.testing.assert_array_equal(drawn.filled(np.nan)[off_diagonal], expected[off_diagonal])
    assert np.diag(drawn.mask).all()
    texts = [text.get_text() for text in axis.texts]
    digits = ",.0f" if normalize is None else ".2f"
    assert texts == ["" if np.isnan(value) else f"{value:{digits}}" for value in expected.ravel()]
    assert axis.get_ylabel() == "of the movies with"
    figure.savefig(tmp_path / "heat_map.png", dpi=40)


def test_with_many_labels_a_colour_bar_replaces_the_numbers():
    y = np.random.default_rng(0).random((30, 26)) < 0.3
    heat_map, scale = plot_label_cooccurrence(y, normalize="lift").axes
    assert not heat_map.texts
    assert [tick.get_text() for tick in scale.get_yticklabels()] == ["1/4", "1/2", "1", "2", "4"]


@pytest.mark.parametrize("normalize", [None, "row", "lift"])
def test_heat_maps_of_a_single_label_and_of_disjoint_labels(normalize, tmp_path):
    plot_label_cooccurrence([[1], [0]], normalize=normalize).savefig(tmp_path / "one.png", dpi=30)
    figure = plot_label_cooccurrence([[1, 0], [0, 1]], normalize=normalize)
    figure.savefig(tmp_path / "apart.png", dpi=30)
    assert figure.axes[0].texts[1].get_text() == ("0" if normalize is None else "0.00")


def test_bars_have_the_lengths_of_the_counts_and_dropped_ones_are_hatched(tmp_path):
    counts = pd.Series({"Drama": 1200, "A $5 & <b>": 30, "Rare": 0})
    kept = pd.Series([True, True, False], index=counts.index)
    figure = plot_label_counts(counts, shares=counts / 1230, kept=kept, unit="movies")
    (axis,) = figure.axes
    by_place = sorted(axis.patches, key=lambda bar: -bar.get_y())
    assert [bar.get_width() for bar in by_place] == [1200, 30, 0]
    assert [bool(bar.get_hatch()) for bar in by_place] == [False, False, True]
    assert [text.get_text() for text in axis.texts] == ["1,200 (97.6 %)", "30 (2.4 %)", "0 (0.0 %)"]
    names = dict(zip(axis.get_yticks(), axis.get_yticklabels(), strict=True))
    assert names[2].get_text() == "Drama"
    assert {text.get_text() for text in figure.legends[0].texts} == {"kept", "dropped"}
    figure.savefig(tmp_path / "counts.png", dpi=40)


def test_without_shares_and_kept_bars_have_counts_only():
    figure = plot_label_counts(pd.Series({"Drama": 3}))
    assert [text.get_text() for text in figure.axes[0].texts] == ["3"]
    assert not figure.legends


def test_numbers_below_the_first_kept_are_hatched(tmp_path):
    counts = pd.Series({1993: 4, 1995: 10, 1996: 1})
    figure = plot_distribution(counts, label="year", unit="movies", first_kept=1995)
    (axis,) = figure.axes
    bars = {round(bar.get_x() + bar.get_width() / 2): bar for bar in axis.patches}
    assert {year: bar.get_height() for year, bar in bars.items()} == counts.to_dict()
    assert [year for year, bar in bars.items() if bar.get_hatch()] == [1993]
    assert list(axis.lines[0].get_xdata()) == [1994.5, 1994.5]
    figure.savefig(tmp_path / "years.png", dpi=40)


def test_a_logarithmic_scale_has_dots_instead_of_bars(tmp_path):
    counts = pd.Series({1993: 4, 1994: 0, 1995: 10, 1996: 1})
    figure = plot_distribution(counts, label="year", unit="movies", first_kept=1995, log=True)
    (axis,) = figure.axes
    kept, dropped, _ = axis.lines
    assert not axis.patches
    assert kept.get_xydata().tolist() == [[1995, 10], [1996, 1]]
    assert dropped.get_xydata().tolist() == [[1993, 4]]
    assert dropped.get_markerfacecolor() == "white"
    assert axis.get_yscale() == "log"
    figure.savefig(tmp_path / "years.png", dpi=40)


def test_the_curve_passes_through_every_count():
    counts = np.random.default_rng(2).integers(1, 9, 300)
    (line,) = plot_rank_frequency({"all": counts}).axes[0].lines
    ranks = np.arange(1, 301)
    drawn = np.interp(ranks, line.get_xdata(), line.get_ydata())
    np.testing.assert_array_equal(drawn, np.sort(counts)[::-1])
    assert len(line.get_xdata()) <= 16


@pytest.mark.parametrize(
    ("draw", "error", "message"),
    [
        (lambda: plot_label_counts({"a": 1}), TypeError, r"Received dict; try pandas.Series"),
        (lambda: plot_label_counts(pd.Series(dtype=int)), ValueError, r"at least one count"),
        (
            lambda: plot_label_counts(pd.Series({"a": 1}), kept=pd.Series({"b": True})),
            ValueError,
            r"kept must have the index of counts. Received \['b'\] instead of \['a'\]",
        ),
        (
            lambda: plot_distribution(pd.Series({"a": 1}), label="x"),
            ValueError,
            r"whole numbers as its index.*use plot_label_counts",
        ),
        (lambda: plot_rank_frequency({"x": []}), ValueError, r"counts\['x'\] must hold at least"),
        (lambda: plot_rank_frequency({"x": [1, 0]}), ValueError, r"omit labels that do not occur"),
        (lambda: plot_rank_frequency({"x": [[1, 2]]}), ValueError, r"counts\['x'\]"),
    ],
    ids=["mapping", "empty", "index", "names", "no counts", "zero", "matrix"],
)
def test_invalid_counts_raise(draw, error, message):
    with pytest.raises(error, match=message):
        draw()


def test_without_matplotlib_the_error_explains_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match="pip install matplotlib"):
        plot_label_counts(pd.Series({"a": 1}))
