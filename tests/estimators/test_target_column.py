"""Classes in a column of a table in files, compared with those of a table in memory."""

import numpy as np
import pandas as pd
import pytest

from multimodal_ensemble import _open_table
from multimodal_ensemble._target import Target, read_target
from multimodal_ensemble.estimators._target_column import read_class_column, read_target_column
from tests.estimators.test_tables_in_files import small_memory  # noqa: F401

pytestmark = pytest.mark.usefixtures("small_memory")


def column(values, folder):
    path = folder / "rows.parquet"
    pd.DataFrame({"number": range(len(values)), "genre": values}).to_parquet(path)
    return _open_table.split_labels(path, "genre")[1]


@pytest.mark.parametrize(
    "rows",
    [
        ["war"] * 140 + ["love", "art"] * 75,
        [2, 7] * 140,
        [True] * 280 + [False] * 9,
        ["a|b"] * 140 + ["a"] * 140,
    ],
    ids=["strings", "numbers", "booleans", "labels"],
)
def test_classes_of_a_file_are_those_of_a_table(rows, tmp_path):
    said, said_of_table = [], []
    y = column(rows, tmp_path)
    matrix, target = read_target_column(y, None, report=said.append)
    expected, of_table = read_target(rows, report=said_of_table.append)
    assert said == said_of_table
    assert (target.kind, target.classes.tolist()) == (of_table.kind, of_table.classes.tolist())
    np.testing.assert_array_equal(matrix, expected)
    np.testing.assert_array_equal(read_target_column(y, target)[0], expected)
    for other in (rows, pd.Series(rows)):
        np.testing.assert_array_equal(read_target_column(other, None)[0], expected)


def test_unknown_classes_of_a_file_are_found(tmp_path):
    y = column(["war"] * 140 + ["love", "art"] * 75, tmp_path)
    target = Target("binary", np.array(["art", "love"], dtype=object))
    assert read_class_column(y, target).tolist() == [-1] * 140 + [1, 0] * 75
    with pytest.raises(ValueError, match="has a class that no training row has, in row 0"):
        read_target_column(y, target)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["war"] * 300, "has one class only, 'war', in all 300 rows"),
        ([f"war {row}" for row in range(300)], "what separates them as label_delimiter"),
        (["war"] * 200 + [None] * 100, "has no class in 56 rows, the first is row 72"),
        ([0.5] * 300, "Regression is out of scope"),
    ],
    ids=["one class", "distinct", "missing", "fractions"],
)
def test_other_columns_of_files_are_refused(values, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        read_target_column(column(values, tmp_path), None)


def test_an_error_has_the_first_row_of_its_part(tmp_path):
    with pytest.raises(ValueError, match="has no class in") as info:
        read_target_column(column(["war"] * 200 + [None] * 100, tmp_path), None)
    assert info.value.__notes__ == ["Rows of y are counted from row 128 of X here."]
