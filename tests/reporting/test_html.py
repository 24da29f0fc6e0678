"""The content of HTML reports, read back with a parser, and invalid parts."""

import base64
import os
import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from multimodal_ensemble.reporting import (
    ReportFigure,
    ReportTable,
    _html,
    _style,
    write_html_report,
)
from tests.reporting.page import Page

HOSTILE = "<script>alert('x')</script> & \"quotes\" </td> 日本"


@pytest.fixture
def write(tmp_path):
    def write(sections, title="Report"):
        path = tmp_path / "report.html"
        write_html_report(path, title, sections)
        return Page(path.read_text(encoding="utf-8"))

    return write


@pytest.fixture
def figure():
    figure = Figure(figsize=(3, 2))
    figure.subplots().plot([1, 2], [3, 4])
    return figure


def test_all_texts_are_escaped(write, figure):
    table = pd.DataFrame({HOSTILE: [HOSTILE]}, index=pd.Index([HOSTILE], name=HOSTILE))
    page = write(
        {
            HOSTILE: [
                HOSTILE,
                ReportTable(table, caption=HOSTILE),
                ReportFigure(figure, HOSTILE, HOSTILE),
            ]
        },
        title=HOSTILE,
    )
    assert not page.all("script")
    for tag in ("title", "h1", "h2", "p", "th", "td", "figcaption"):
        assert set(page.texts_of(tag)) == {HOSTILE}
    assert page.all("img")[0]["alt"] == HOSTILE
    (policy,) = [meta["content"] for meta in page.all("meta") if "http-equiv" in meta]
    assert "default-src 'none'" in policy


def test_the_file_refers_to_no_external_resources(write, figure):
    page = write({"One": ReportFigure(figure, "A line."), "Two": "text"})
    targets = [
        value
        for _, attributes in page.elements
        for name, value in attributes.items()
        if name in ("src", "href")
    ]
    assert len(targets) == 3
    assert all(target.startswith(("#", "data:")) for target in targets)
    assert not re.search(r"@import|url\(", _style.STYLE)


def test_regions_have_distinct_names_and_tables_are_shown_whole(write, figure):
    table = pd.DataFrame({"x": range(99)})
    same = [table, table, ReportTable(table, "Same."), ReportTable(table, "Same.")]
    page = write({"Same.": [*same, ReportFigure(figure, "A line.")], "Other": table})
    names = [div["aria-label"] for div in page.all("div") if div.get("role") == "region"]
    assert len(set(names)) == len(names) == 6
    assert names[2] == "Table 3: Same."
    assert "max-height" not in _style.STYLE


def test_the_table_of_contents_links_to_the_sections(write):
    page = write({"First": "a", "Second": "b"})
    anchors = [link["href"].removeprefix("#") for link in page.all("a")]
    assert anchors == [section["id"] for section in page.all("section")]
    assert len(set(anchors)) == 2
    assert page.texts_of("a") == page.texts_of("h2") == ["First", "Second"]
    assert not write({"Only one": "a"}).all("nav")


def test_cells_are_formatted_by_type(write):
    table = pd.DataFrame(
        {
            "whole": [1234567, -1],
            "real": [1234.5678, np.nan],
            "maybe": pd.array([1, None], dtype="Int64"),
            "flag": [True, False],
            "list": [["a", "b"], []],
        }
    )
    page = write({"Table": ReportTable(table, digits=1)})
    assert page.texts_of("td") == [
        "1,234,567", "1,234.6", "1", "yes", "a, b", "-1", "–", "–", "no",  # noqa: RUF001
    ]  # fmt: skip
    aligned = [attributes.get("class") for attributes in page.all("td")[:5]]
    assert aligned == ["n", "n", "n", None, None]


def test_the_index_is_included_unless_it_only_numbers_the_rows(write):
    table = pd.DataFrame({"x": [1, 2]})
    assert write({"Table": table}).texts_of("th") == ["x"]
    years = table.set_index(pd.Index([1994, 1995], name="year"))
    assert write({"Table": years}).texts_of("th") == ["year", "x", "1994", "1995"]
    two = table.set_index(pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["k", "k"]))
    page = write({"Table": two})
    assert page.texts_of("th") == ["k", "k", "x", "a", "1", "b", "2"]
    assert [th["scope"] for th in page.all("th")] == ["col"] * 3 + ["row"] * 4


def test_an_empty_table_has_a_header(write):
    page = write({"Table": pd.DataFrame({"x": []})})
    assert page.texts_of("th") == ["x"]
    assert not page.all("td")


@pytest.mark.parametrize(("limit", "kind"), [(10**6, "svg+xml"), (10, "png")])
def test_a_figure_is_embedded_as_svg_or_as_png_if_the_svg_is_large(
    write, figure, limit, kind, monkeypatch
):
    monkeypatch.setattr(_html, "_LARGEST_SVG", limit)
    (image,) = write({"Figure": ReportFigure(figure, "A line.", "It rises.")}).all("img")
    assert image["width"] == "288"
    head, _, data = image["src"].partition(";base64,")
    assert head == f"data:image/{kind}"
    start = b"<?xml" if kind == "svg+xml" else b"\x89PNG"
    assert base64.b64decode(data, validate=True).startswith(start)


def test_reports_are_reproducible_byte_for_byte(tmp_path, figure):
    figure.axes[0].fill_between([1, 2], [3, 4], hatch="//")
    for name in ("one", "two"):
        write_html_report(tmp_path / name, "Report", {"Figure": ReportFigure(figure, "A line.")})
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_characters_that_the_font_or_utf_8_lacks_are_replaced(write, figure):
    figure.axes[0].set_title("日本")
    page = write({"Odd": [ReportFigure(figure, "A line."), "half a pair: \ud83d"]})
    assert page.texts_of("p")[0].startswith("half a pair: ")


@pytest.mark.parametrize(
    ("part", "error", "message"),
    [
        (7, TypeError, r"Received int in the section 'Here'; convert it to one of these types"),
        (pd.Series([1]), TypeError, r"Received Series"),
        (["a", None], TypeError, r"Received NoneType"),
        (ReportTable([1]), TypeError, r"must be a DataFrame. Received list"),
        (Figure(), TypeError, r"wrap the figure in ReportFigure, with an alternative text"),
        (ReportFigure(Figure(), " "), ValueError, r"needs an alternative text. Received alt=' '"),
        (ReportFigure("a.png", "A line."), TypeError, r"must be a matplotlib.*Received str"),
    ],
    ids=["number", "series", "none", "list as table", "bare figure", "no alt", "path"],
)
def test_an_invalid_part_raises_and_keeps_the_old_file(tmp_path, part, error, message):
    path = tmp_path / "report.html"
    path.write_text("old content")
    with pytest.raises(error, match=message):
        write_html_report(path, "Report", {"Here": part})
    assert path.read_text() == "old content"


def test_a_failed_write_keeps_the_old_file_and_leaves_no_other(tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("old content")

    def fail(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match=r"No space left.* older file .* unchanged.*report.html"):
        write_html_report(path, "Report", {"Here": "text"})
    assert path.read_text() == "old content"
    assert list(tmp_path.iterdir()) == [path]
