"""Numbers and labels in texts."""

import pandas as pd
import pytest

from multimodal_ensemble.cli._errors import CommandError
from multimodal_ensemble.cli._values import (
    join_label_columns,
    keep_frequent,
    read_number,
    read_numbers,
    split_labels,
)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("2002", 2002),
        ("-1,234.5", -1234.5),
        ("12,345,678", 12_345_678),
        ("3 %", 3),
        ("0.5%", 0.5),
        (".5", 0.5),
        ("1e-3", 0.001),
        ("0", 0),
        ("007", None),
        ("12,34", None),
        ("1.2.3", None),
        ("2021-03-05", None),
        ("inf", None),
        ("", None),
    ],
)
def test_numbers_as_text(text, number):
    assert read_number(text) == number


def test_a_column_is_turned_as_a_whole_or_value_by_value():
    table = pd.DataFrame({"a": ["1", None, "x"], "b": ["1", None, "2 %"]}, dtype=object)
    read_numbers(table, ["a", "b", "absent"], only_whole=True)
    assert table["a"].tolist() == ["1", None, "x"]
    assert table["b"].tolist() == [1, None, 2]
    read_numbers(table, ["a"], only_whole=False)
    assert table["a"].tolist() == [1, None, "x"]


@pytest.mark.parametrize(
    ("values", "delimiter", "rows"),
    [
        ([" a | b||", "a", "", None], "|", [["a", "b"], ["a"], [], []]),
        (["a, b", "a,a", float("nan")], ",", [["a", "b"], ["a"], []]),
        (["a, b; c", "d; e"], ";", [["a, b", "c"], ["d", "e"]]),
        (["a b", "c"], None, [["a b"], ["c"]]),
        ([[" a", "b"], ("c",), None], None, [["a", "b"], ["c"], []]),
        ([1, 2], None, [["1"], ["2"]]),
    ],
)
def test_labels_of_a_row(values, delimiter, rows):
    assert split_labels(values, None) == (rows, delimiter)


def test_a_delimiter_can_be_given():
    assert split_labels(["a, b|c"], "|") == ([["a, b", "c"]], "|")


def test_a_column_without_labels_is_refused():
    with pytest.raises(CommandError, match="No row has a label in this column"):
        split_labels(["", None], None)


def test_rare_labels_are_left_out():
    assert keep_frequent([["a", "b"], ["a"], []], 2) == [["a"], ["a"], []]
    with pytest.raises(CommandError, match="No label is in 3 training rows"):
        keep_frequent([["a", "b"], ["a"], []], 3)


def test_columns_of_labels_hold_zeros_and_ones():
    table = pd.DataFrame({"a": ["1", "no", None], "b": [True, 0, 1.0]}, index=[1, 2, 3])
    assert join_label_columns(table, ["a", "b"]) == [["a", "b"], [], ["b"]]
    with pytest.raises(CommandError, match="'a' has 'maybe' in row 1"):
        join_label_columns(pd.DataFrame({"a": ["maybe"]}, index=[1]), ["a"])
