"""Targets of one class per row, compared with scikit-learn's `LabelBinarizer`."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings, strategies as st
from sklearn.preprocessing import LabelBinarizer
from sklearn.utils.multiclass import type_of_target

from multimodal_ensemble._target import Target, read_classes, read_target

LETTERS = Target("multiclass", np.array(["a", "b", "c"], dtype=object))


@settings(deadline=None)
@given(
    st.one_of(
        st.lists(st.sampled_from(["war", "love", "漢", "a b", "0.5"]), min_size=2),
        st.lists(st.integers(-3, 3), min_size=2),
        st.lists(st.booleans(), min_size=2),
        st.lists(st.sampled_from([1.0, 2.0, -4.0]), min_size=2),
    ).filter(lambda rows: len(set(rows)) > 1 and 2 * len(set(rows)) <= max(len(rows), 14))
)
def test_classes_are_encoded_as_by_scikit_learn(rows):
    y, target = read_target(rows)
    oracle = LabelBinarizer()
    np.testing.assert_array_equal(y, oracle.fit_transform(rows))
    assert target.classes.tolist() == oracle.classes_.tolist()
    assert target.kind == type_of_target(np.array(rows))


@pytest.mark.parametrize(
    "make",
    [
        list,
        tuple,
        np.array,
        pd.Series,
        pd.Index,
        pd.Categorical,
        pa.array,
        lambda y: np.array(y, dtype=object),
        lambda y: pd.Series(y, index=[3] * len(y)),
        lambda y: pd.Series(y, dtype="string"),
        lambda y: pd.Series(y, dtype="category").cat.add_categories(["never"]),
    ],
    ids=range(11),
)
def test_a_column_of_strings_has_one_class_per_row(make):
    said = []
    y, target = read_target(make(["war", "love", "art", "war"]), report=said.append)
    assert target.kind == "multiclass"
    assert target.classes.tolist() == ["art", "love", "war"]
    assert y.argmax(axis=1).tolist() == [2, 1, 0, 2]
    assert said == ["y: one of 3 classes per row: ['art', 'love', 'war']"]


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        (pd.Series([0, 1, 1], dtype="Int64"), [0, 1]),
        (pd.Series([True, False, True], dtype="boolean"), [False, True]),
        (np.array([2.0, 1.0]), [1, 2]),
        (np.array([1, 1.0, 2], dtype=object), [1, 2]),
    ],
    ids=str,
)
def test_two_distinct_values_are_two_classes(y, classes):
    matrix, target = read_target(y)
    assert (target.kind, target.classes.tolist()) == ("binary", classes)
    assert [type(label) for label in target.classes.tolist()] == [type(classes[0])] * 2
    np.testing.assert_array_equal(matrix[:, 0], [value == classes[1] for value in y])
    assert target.labels.tolist() == classes[1:]


@pytest.mark.parametrize(
    "y",
    [
        ["a|b", "c", "a"],
        pd.Series(["a|b", "c"], dtype="category"),
        [["a"], ["b"], ["a", "b"]],
        [[0, 1], [1, 0]],
        pd.DataFrame({"a": [0, 1]}),
        np.array([[0], [1]]),
    ],
    ids=str,
)
def test_lists_matrices_and_delimited_strings_are_labels(y):
    assert read_target(y)[1].kind == "multilabel"


def test_with_a_delimiter_all_strings_are_lists_of_labels():
    y, target = read_target(["a", "b", "a"], delimiter="|")
    assert target.kind == "multilabel"
    np.testing.assert_array_equal(y, [[1, 0], [0, 1], [1, 0]])


def test_many_classes_are_counted_and_not_listed():
    said = []
    read_target(list(range(12)) * 2, report=said.append)
    assert said == ["y: one of 12 classes per row"]


def test_known_classes_are_found_by_value_and_as_they_are_written_to_files():
    numbers = Target("multiclass", np.array([1, 2, 3]))
    for y in ([3, 1, 4], ["3", "1", "4"], [3.0, 1.0, 4.0], pa.array([3, 1, 4])):
        assert read_classes(y, numbers).tolist() == [2, 0, -1]
    y, target = read_target(["c", "b"], LETTERS)
    assert target is LETTERS
    np.testing.assert_array_equal(y, [[0, 0, 1], [0, 1, 0]])


def test_a_single_row_or_class_may_be_read_with_known_classes():
    assert read_classes(["b"], LETTERS).tolist() == [1]
    assert read_target(["b", "b"], LETTERS)[0].tolist() == [[0, 1, 0]] * 2


@pytest.mark.parametrize(
    ("y", "match"),
    [
        ([0.5, 1, 2], r"^Unknown label type: .*such as 0.5, .*Regression is out of scope.*cut\(y"),
        (np.array([1.0, np.inf]), "not whole, such as inf"),
        (np.array([1j, 2]), "Regression is out of scope"),
        ([1, None, 2], r"no class in 1 row, the first is row 1\. Leave .*y\[y.notna\(\)\]"),
        (["a", " ", "", "b"], "no class in 2 rows, the first is row 1"),
        (np.array([np.nan, np.nan]), "no class in 2 rows, the first is row 0"),
        (pd.Series([0, 1, None], dtype="Int64"), "no class in 1 row, the first is row 2"),
        (np.ma.array([0, 1, 0], mask=[0, 0, 1]), "masked values. The first one is at position .*2"),
        (["a"] * 3, r"has one class only, 'a', in all 3 rows, so there is nothing to learn"),
        ([f"row {n}" for n in range(20)], r"20 distinct values in 20 rows.*identifier.*delimiter"),
        (list(range(40)), r"40 distinct values in 40 rows.*Regression is out of scope"),
        (["a", 1], r"all strings, all whole numbers or all booleans. Received \['int', 'str'\]"),
        (pd.to_datetime(["2020-01-01", "2021-01-01"]), r"Received \['Timestamp'\].*astype\(str\)"),
        (["a", "a "], "differ only in white space"),
        ([2**70, 1], "must fit 64 bits"),
        ([["a"], "b"], "hold a list of labels in each row"),
        (["['A' 'B']", "['A']"], "a printed list whose labels cannot be separated reliably"),
        ([], "y has no rows"),
        (None, "the target y is None"),
        ([{"a": 1}], "multi-hot matrix of shape"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_other_columns_are_refused(y, match):
    with pytest.raises(ValueError, match=match):
        read_target(y)


def test_rare_classes_are_refused_because_their_rows_would_have_none():
    rows = ["a", "b", "a", "c", "b"]
    assert read_target([*rows[:3], "b"], min_count=2)[1].kind == "binary"
    with pytest.raises(ValueError, match=r"min_label_count=2 .*fewer rows of \['c'\]; leave"):
        read_target(rows, min_count=2)


@pytest.mark.parametrize(
    ("y", "match"),
    [
        (["a", "d", "b"], r"a class that no training row has, in row 1\. .*\['a', 'b', 'c'\]"),
        ([["a"], ["b"]], r"must hold one class per row: .*Received list"),
        (np.eye(3), r"must hold one class per row: .*Received ndarray of shape \(3, 3\)"),
        (["a", None], "no class in 1 row, the first is row 1"),
    ],
    ids=str,
)
def test_rows_without_a_known_class_are_refused(y, match):
    with pytest.raises(ValueError, match=match):
        read_target(y, LETTERS)
