"""Labels as matrices, tables and lists, compared with scikit-learn's `MultiLabelBinarizer`."""

import ast
import re
import warnings

import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from hypothesis import given, settings, strategies as st
from sklearn.preprocessing import MultiLabelBinarizer

from multimodal_ensemble._labels import label_tuples, read_labels
from multimodal_ensemble._tables import as_object_array

MATRIX = np.array([[1, 0, 1], [0, 0, 1], [0, 1, 0], [0, 0, 0]])
LISTS = [["drama", "war"], ["war"], ["love"], []]
NAMES = np.array(["drama", "love", "war"], dtype=object)

# Without white space, case and accents, in which labels must not differ.
names = st.text("ab漢🎬-|1", min_size=1, max_size=3)
numbers = st.integers(-(2**40), 2**40)


def rows_of(labels):
    return st.lists(st.lists(labels, max_size=4, unique=True), min_size=1, max_size=8)


# -- matrices --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        np.asarray,
        lambda y: y.astype(bool),
        lambda y: y.astype("float32"),
        lambda y: y.astype(object),
        np.ndarray.tolist,
        lambda y: tuple(map(tuple, y.tolist())),
        list,
        scipy.sparse.csr_matrix,
        scipy.sparse.csc_array,
        pd.DataFrame,
        lambda y: pd.DataFrame(y, dtype="Int64"),
        lambda y: pd.DataFrame(y.astype(bool)).astype("boolean"),
    ],
    ids=range(12),
)
def test_labels_of_a_matrix_are_numbered(make):
    y, classes = read_labels(make(MATRIX))
    assert y.dtype == np.bool_
    np.testing.assert_array_equal(y, MATRIX)
    assert classes.tolist() == [0, 1, 2]
    assert classes.dtype.kind == "i"


def test_labels_of_a_table_are_its_columns_in_order():
    table = pd.DataFrame(MATRIX, columns=["war", "drama", "love"], index=[3, 3, 1, 0])
    y, classes = read_labels(table)
    np.testing.assert_array_equal(y, MATRIX)
    assert classes.tolist() == ["war", "drama", "love"]


def test_columns_of_a_table_may_be_numbers():
    y, classes = read_labels(pd.DataFrame(MATRIX, columns=[30, 10, 20]))
    np.testing.assert_array_equal(y, MATRIX)
    assert (classes.tolist(), classes.dtype.kind) == ([30, 10, 20], "i")


def test_columns_are_reordered_to_the_known_labels():
    table = pd.DataFrame(MATRIX[:, [2, 0, 1]], columns=["war", "drama", "love"])
    y, classes = read_labels(table, NAMES)
    np.testing.assert_array_equal(y, MATRIX)
    assert classes is NAMES


def test_numbered_columns_are_reordered_to_the_known_labels():
    table = pd.DataFrame(MATRIX[:, [2, 0, 1]], columns=[2, 0, 1])
    y, _ = read_labels(table, np.arange(3))
    np.testing.assert_array_equal(y, MATRIX)


def test_unknown_columns_are_left_out_with_a_warning():
    table = pd.DataFrame(MATRIX, columns=NAMES).assign(noir=1, **{"anime": 0})
    table[7] = 1
    match = r"y has 3 labels that no training row has.*\[7, 'anime', 'noir'\]. They are left out"
    with pytest.warns(UserWarning, match=match):
        y, _ = read_labels(table, NAMES)
    np.testing.assert_array_equal(y, MATRIX)


def test_a_warning_lists_the_first_of_many_unknown_columns():
    table = pd.DataFrame(np.ones((2, 12)), columns=["drama", *"abcdefghijk"])
    with pytest.warns(UserWarning, match=r"has 11 labels .*'d', 'e'\] and 6 more\. They"):
        read_labels(table, NAMES[:1])


@pytest.mark.parametrize("columns", [["drama", "war"], ["drama", "war", "noir"], ["x", "y", "z"]])
def test_a_table_without_a_known_column_is_refused(columns):
    table = pd.DataFrame(MATRIX[:, : len(columns)], columns=columns)
    with pytest.raises(ValueError, match=r"a column for each label.*none for \[.*'love'.*of zeros"):
        read_labels(table, NAMES)


@pytest.mark.parametrize(
    "make", [np.asarray, pd.DataFrame, scipy.sparse.csr_array, np.ndarray.tolist]
)
def test_columns_without_names_have_the_known_labels_in_order(make):
    y, classes = read_labels(make(MATRIX), NAMES)
    np.testing.assert_array_equal(y, MATRIX)
    assert classes is NAMES


def test_a_table_may_name_labels_that_were_only_numbered():
    y, classes = read_labels(pd.DataFrame(MATRIX, columns=NAMES), np.arange(3))
    np.testing.assert_array_equal(y, MATRIX)
    assert classes.tolist() == [0, 1, 2]


def test_a_matrix_with_another_number_of_columns_is_refused():
    match = r"one column for each of the 3 labels .*\['drama', 'love', 'war'\]. Received 2 columns"
    with pytest.raises(ValueError, match=match):
        read_labels(MATRIX[:, :2], NAMES)


# -- lists -----------------------------------------------------------------------------------


@settings(deadline=None)
@given(
    st.one_of(rows_of(names), rows_of(numbers)).filter(any),
    st.sampled_from([list, tuple, set, frozenset]),
)
def test_lists_are_encoded_as_by_scikit_learn(rows, kind):
    y, classes = read_labels(pd.Series([kind(row) for row in rows]))
    oracle = MultiLabelBinarizer()
    np.testing.assert_array_equal(y, oracle.fit_transform(rows))
    assert classes.tolist() == oracle.classes_.tolist()


@settings(deadline=None)
@given(rows_of(names), st.lists(names, min_size=1, max_size=6, unique=True))
def test_lists_with_known_labels_are_encoded_as_by_scikit_learn(rows, known):
    classes = np.array(known, dtype=object)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        y, _ = read_labels(rows, classes)
        expected = MultiLabelBinarizer(classes=known).fit(rows).transform(rows)
    np.testing.assert_array_equal(y, expected)


@settings(deadline=None)
@given(rows_of(names))
def test_label_tuples_restores_the_lists(rows):
    rows = [*rows, ["one"]]
    y, classes = read_labels(rows)
    assert label_tuples(y, classes) == [tuple(sorted(row)) for row in rows]


@pytest.mark.parametrize(
    "make",
    [
        list,
        tuple,
        pd.Series,
        lambda rows: pd.Series(rows, index=[7, 0, 0, "x"]),
        lambda rows: np.array(rows, dtype=object),
        lambda rows: [tuple(row) for row in rows],
        lambda rows: [set(row) for row in rows],
        lambda rows: [np.array(row, dtype=object) for row in rows],
        lambda rows: [pd.Series(row, dtype=object) for row in rows],
        lambda rows: [row * 2 for row in rows],
    ],
    ids=range(10),
)
def test_lists_of_names(make):
    y, classes = read_labels(make(LISTS))
    np.testing.assert_array_equal(y, MATRIX)
    assert classes.tolist() == NAMES.tolist()
    assert all(type(label) is str for label in classes)


def test_numpy_strings_become_python_strings():
    _, classes = read_labels([np.array(["war"]), np.array(["love", "war"])])
    assert [type(label) for label in classes] == [str, str]


def test_lists_of_equal_length_with_names_are_not_a_matrix():
    y, classes = read_labels([["war", "love"], ["love", "drama"]])
    assert classes.tolist() == NAMES.tolist()
    np.testing.assert_array_equal(y, [[0, 1, 1], [1, 1, 0]])


def test_lists_of_whole_numbers():
    y, classes = read_labels([[30, 10], [10], []])
    assert (classes.tolist(), classes.dtype.kind) == ([10, 30], "i")
    np.testing.assert_array_equal(y, [[1, 1], [1, 0], [0, 0]])


def test_lists_of_equal_length_in_a_series_are_label_lists():
    y, classes = read_labels(pd.Series([[30, 10], [10, 20]]))
    assert classes.tolist() == [10, 20, 30]
    np.testing.assert_array_equal(y, [[1, 0, 1], [1, 1, 0]])


def test_rows_of_zeros_and_ones_are_a_matrix():
    y, classes = read_labels([[0, 1], [1, 0], [1, 1]])
    np.testing.assert_array_equal(y, [[0, 1], [1, 0], [1, 1]])
    assert classes.tolist() == [0, 1]


def test_all_lists_may_be_empty_if_the_labels_are_known():
    for empty in ([[], []], pd.Series([[], []]), [(), set()]):
        y, classes = read_labels(empty, NAMES)
        assert classes is NAMES
        np.testing.assert_array_equal(y, np.zeros((2, 3)))


def test_known_labels_in_lists_are_compared_as_strings():
    matrix, _ = read_labels([["1"], ["0", "1"]], np.array([0, 1]))
    assert matrix.tolist() == [[False, True], [True, True]]


def test_a_sparse_table_of_one_label_is_read():
    y = pd.DataFrame({"war": [1, 0]}).astype("Sparse[int]")
    assert read_labels(y)[0].tolist() == [[True], [False]]


def test_unknown_labels_in_lists_are_left_out_with_a_warning():
    match = r"truth has 2 labels that no training row has.*\['noir', 'sci-fi'\]. They are left"
    with pytest.warns(UserWarning, match=match):
        y, _ = read_labels([["sci-fi", "war"], ["noir"]], NAMES, name="truth")
    np.testing.assert_array_equal(y, [[0, 0, 1], [0, 0, 0]])


# -- strings ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make", [list, pd.Series, np.array, lambda y: pd.Series(y, dtype="string")]
)
@pytest.mark.parametrize(
    ("rows", "line"),
    [
        (["a|b", "a", "", "b"], "split at '|', which 33% have"),
        ([" a | b|", "a", " ", "|b ||b"], "split at '|', which 67% have"),
        (["a;b", "a", ";", "b; "], "split at ';', which 75% have"),
        (["a\tb", "a", "\t", "b"], "split at '\\t', which 33% have"),
        (["a, b", "a", "", "b,"], "split at ',', which 67% have"),
        (["a/b", "a", "", "b"], "split at '/', which 33% have"),
        (['["a", "b"]', '["a"]', "[]", '[" b", ""]'], "lists as text"),
        (["['a', 'b']", "('a',)", "", "{'b'}"], "lists as text"),
    ],
    ids=str,
)
def test_strings_of_labels_are_split(make, rows, line):
    said = []
    y, classes = read_labels(make(rows), report=said.append)
    assert classes.tolist() == ["a", "b"]
    assert y.tolist() == [[1, 1], [1, 0], [0, 0], [0, 1]]
    assert said == [f"y: strings of labels, {line}"]


def test_missing_strings_are_rows_without_labels():
    y, _ = read_labels(pd.Series(["a|b", None, np.nan, pd.NA]))
    assert y.tolist() == [[1, 1], [0, 0], [0, 0], [0, 0]]


def test_delimiters_are_weighed_by_how_few_labels_result():
    said = []
    rows = ["Sci-Fi, Fantasy|Action/Crime", "Action/Crime", "Sci-Fi, Fantasy", "Drama|Action/Crime"]
    _, classes = read_labels(rows, report=said.append)
    assert classes.tolist() == ["Action/Crime", "Drama", "Sci-Fi, Fantasy"]
    assert said == [
        "y: strings of labels, split at '|', which 50% have, and ',' in 50%, '/' in 75%"
    ]
    with pytest.raises(ValueError, match="If each string is one label"):
        read_labels(["Paris, France", "Rome, Italy", "Oslo, Norway"])


def test_a_given_delimiter_is_used():
    said = []
    _, classes = read_labels(["a|b and c", "c"], delimiter=" and ", report=said.append)
    assert (classes.tolist(), said) == (["a|b", "c"], [])


def test_known_labels_show_how_strings_are_split():
    known = np.array(["Action/Crime", "Drama"], dtype=object)
    for rows in (["Action/Crime", "Drama"], ["Action/Crime;", "Drama; "]):
        assert read_labels(rows, known)[0].tolist() == [[1, 0], [0, 1]]
    assert read_labels(["Action/Crime|Drama"], known)[0].tolist() == [[1, 1]]
    assert read_labels(["3|1", "1"], np.array([1, 3]))[0].tolist() == [[1, 1], [1, 0]]


@settings(deadline=None)
@given(
    st.lists(st.lists(st.text("abc", min_size=1, max_size=2), min_size=1, unique=True), min_size=1),
    st.sampled_from("|;\t\n,/"),
)
def test_split_strings_have_the_labels_of_lists(rows, delimiter):
    oracle, classes = read_labels(rows)
    strings = [f" {delimiter} ".join(row) for row in rows]
    y, found = read_labels(strings, delimiter=delimiter)
    assert (y.tolist(), found.tolist()) == (oracle.tolist(), classes.tolist())
    y, found = read_labels([str(row) for row in rows])
    assert (y.tolist(), found.tolist()) == (oracle.tolist(), classes.tolist())


# -- rare labels -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        lambda table: table,
        lambda table: [table.columns[row].tolist() for row in table.to_numpy(dtype=bool)],
        lambda table: ["|".join(table.columns[row]) for row in table.to_numpy(dtype=bool)],
    ],
    ids=["table", "lists", "strings"],
)
def test_labels_of_few_rows_are_left_out(make):
    table = pd.DataFrame([[1, 0, 1], [1, 1, 0], [1, 0, 1], [0, 0, 0]], columns=["a", "b", "c"])
    said = []
    y, classes = read_labels(make(table), min_count=2, report=said.append)
    assert classes.tolist() == ["a", "c"]
    assert y.tolist() == [[1, 1], [1, 0], [1, 1], [0, 0]]
    assert said[-1] == "y: 1 label of 3 left out, with fewer than 2 rows: ['b']"
    with pytest.raises(ValueError, match=r"No label of y has min_label_count=4 rows.*'a', has 3;"):
        read_labels(make(table), min_count=4)


# -- refused input ---------------------------------------------------------------------------


def one(rows):
    return pd.Series(rows, dtype=object)


@pytest.mark.parametrize(
    ("y", "match"),
    [
        (["a, b", "c"], r"Received 'a, b' in row 0. If .*; if each holds several, .*delimiter"),
        (np.array(["a", "b"]), r"Received 'a' in row 0. If .* pass \[\[row\] for row in y\]"),
        (pd.Series(["a", "b"], dtype="category"), r"Received 'a' in row 0. If each string is one"),
        ([["a"], "b"], r"Received 'b' in row 1. If each string is one label"),
        (["['A', 'B'", "['A']"], r"a printed list whose labels cannot be separated"),
        (["['A', None]", "['A']"], r"a printed list whose labels cannot be separated"),
        (["|", ""], r"y has no labels: all of its 2 lists are empty"),
        (
            pd.DataFrame({"a": ["A|B", "B"]}),
            r"one column that holds lists or strings of labels. Pass .*y\['a'\]",
        ),
        (["array(['A', 'B'], dtype=object)"], r"a printed list whose labels cannot be separated"),
        (one(["['A' 'B']"]), r"a printed list whose labels cannot be separated reliably"),
        (["[A, B]", "[B]"], r"a printed list whose labels cannot be separated reliably"),
        (one([["A", ""], ["A"]]), r"y has the empty label ''.*empty list"),
        ([["A", " "], ["A"]], r"y has the empty label ' '"),
        (pd.DataFrame({"": [0, 1], "A": [0, 1]}), r"y has the empty label ''"),
        ([["['A', 'B']"], ["['A']"]], r"the label \"\['A', 'B'\]\", which is a printed list"),
        ([["['A'", " 'B']"], ["['A']"]], r"is a printed list or part of one"),
        ([["A", "A "], ["B"]], r"differ only in white space.*: \['A', 'A '\]"),
        ([["Am\u00e9lie"], ["Ame\u0301lie"]], "differ only in .*the Unicode normal form"),
        ([["A"], ["\ufeffA"]], "differ only in .*invisible characters"),
        ([["A"], ["A\u2060"]], "differ only in .*invisible characters"),
        ([["\u2764"], ["\u2764\ufe0f"]], "differ only in .*invisible characters"),
        ([["1", "0"], ["0", "1"]], r"only \['0', '1'\], which look like the rows of a multi-hot"),
        (one([["True", "False"]]), "matrix read as strings. Convert them to numbers"),
        (pd.DataFrame({"A": [0, 1], "A\u00a0": [0, 1]}), "differ only in white space"),
        (
            pd.DataFrame({1: [0, 1], "1": [0, 1]}),
            r"distinct names. Received \['1'\] more than once",
        ),
        ([["a"], None], r"Received None in row 1. Give an empty list where a row has no label"),
        (one([["a"], np.nan]), r"Received nan in row 1. Give an empty list"),
        (one([["a"], {"b": 1}]), r"Received \{'b': 1\} in row 1"),
        (one([b"a"]), r"Received b'a' in row 0"),
        ([["a", 1], ["b"]], r"all strings or all whole numbers. Received \['int', 'str'\]"),
        ([["a", None]], r"all strings or all whole numbers. Received \['NoneType', 'str'\]"),
        (one([[1.0], [2.0]]), r"all strings or all whole numbers. Received \['float'\]"),
        (one([[True], [False]]), r"all strings or all whole numbers. Received \['bool'\]"),
        (one([[["a"]], []]), r"all strings or all whole numbers. Received \['list'\]"),
        ([[], []], r"y has no labels: all of its 2 lists are empty"),
        (one([(), set()]), r"y has no labels: all of its 2 lists are empty"),
        ([], r"y has no rows"),
        (one([]), r"y has no rows"),
        (
            one([np.array([1, 0, 0]), np.array([0, 1, 1])]),
            r"more than once in row 0: \[1, 0, 0\].*numpy.stack\(y\)",
        ),
        (
            pd.DataFrame(MATRIX[:, :2], columns=["a", "a"]),
            r"columns of y must have distinct names. Received \['a'\] more than once",
        ),
        ([[0.5, 1]], r"hold only 0 and 1. Received 0.5 in row 0, column 0"),
        (np.array([[1, np.nan]]), r"hold only 0 and 1. Received nan in row 0, column 1"),
        (pd.DataFrame({"a": [1, None]}), r"hold only 0 and 1. Received nan in row 1, column 0"),
        ([[1, 2], [2, 3]], r"hold only 0 and 1. Received 2 in row 0, column 1"),
        (pd.DataFrame({"a": ["x"]}), r"one column that holds lists or strings of labels"),
        (np.array([0, 1]), r"multi-hot matrix of shape .*shape \(2,\).*reshape\(-1, 1\)"),
        ([0, 1], r"multi-hot matrix of shape .*shape \(2,\)"),
        (pd.Series([0, 1]), r"multi-hot matrix of shape .*shape \(2,\)"),
        (pd.Series([0, 1], dtype="Int64"), r"multi-hot matrix of shape .*shape \(2,\)"),
        (np.array([["a"], ["b"]]), r"Received strings"),
        (np.zeros((2, 2, 2)), r"shape \(2, 2, 2\)"),
        (np.zeros((0, 3)), r"at least one row and one label. Received shape \(0, 3\)"),
        (pd.DataFrame({"a": []}), r"at least one row and one label. Received shape \(0, 1\)"),
        (scipy.sparse.csr_array((2, 0)), r"at least one row and one label"),
        ({"a": [1]}, r"multi-hot matrix of shape"),
        ("ab", r"multi-hot matrix of shape"),
        (None, r"the target y is None"),
    ],
    ids=lambda value: re.sub(r"\s+", " ", str(value))[:40],
)
def test_other_targets_are_refused(y, match):
    with pytest.raises(ValueError, match=match):
        read_labels(y)


@pytest.mark.parametrize("make", [list, one, np.array])
@pytest.mark.parametrize(
    "rows",
    [
        ["a", None, "b"],
        [["a"], None, ("a", "b")],
    ],
    ids=str,
)
def test_the_advice_of_an_error_gives_label_lists_where_rows_have_no_labels(make, rows):
    if make is np.array:
        make = as_object_array
    y = make(rows)
    with pytest.raises(ValueError, match="hold a list of labels in each row") as info:
        read_labels(y)
    advice = re.search(r"\[\S*(row|re)\b.* for row in y\]", str(info.value)).group()
    converted = eval(advice, {"ast": ast, "re": re, "numpy": np, "y": y})
    matrix, classes = read_labels(converted)
    assert classes.tolist() == ["a", "b"]
    assert matrix.any(axis=1).tolist() == [row not in (None, "") and row == row for row in rows]


def test_errors_use_the_given_name_of_y():
    with pytest.raises(ValueError, match=r"^y of validation_data must be a multi-hot matrix or"):
        read_labels([["a"], None], name="y of validation_data")


def test_an_empty_y_is_refused_even_if_the_labels_are_known():
    with pytest.raises(ValueError, match="y has no rows"):
        read_labels([], NAMES)


def test_labels_that_differ_in_case_only_are_kept_with_a_warning():
    with pytest.warns(UserWarning, match=r"upper and lower case.*\['Drama', 'drama'\]"):
        _, classes = read_labels([["Drama"], ["drama"]])
    assert classes.tolist() == ["Drama", "drama"]


@pytest.mark.parametrize("label", ["(no genres listed)", "[REC]", "A|B", "it's", "C[1]", "a, b"])
def test_other_strings_are_labels(label):
    assert read_labels([[label], ["other"]])[1].tolist() == sorted([label, "other"])


@pytest.mark.parametrize("y", [[["A "], ["B"]], pd.DataFrame({"A\n": [1, 0], "B": [0, 1]})])
def test_labels_that_differ_from_the_known_ones_in_white_space_are_refused(y):
    with pytest.raises(ValueError, match="y has labels that differ only in white space"):
        read_labels(y, np.array(["A", "B"], dtype=object))


def test_columns_are_matched_to_numbers_as_they_are_written_to_files():
    table = pd.DataFrame(MATRIX[:, [2, 0, 1]], columns=["2", "0", "1"])
    np.testing.assert_array_equal(read_labels(table, np.arange(3))[0], MATRIX)


@pytest.mark.parametrize(
    ("rows", "classes"), [([["20"], ["10", "20"]], [10, 20]), ([[20], [10, 20]], ["10", "20"])]
)
def test_lists_are_matched_to_numbers_as_they_are_written_to_files(rows, classes):
    assert read_labels(rows, np.array(classes, dtype=object))[0].tolist() == [[0, 1], [1, 1]]


@pytest.mark.parametrize("label", [2**70, 2**63, -(2**63) - 1])
@pytest.mark.parametrize(
    "make",
    [lambda label: [[label], [1, 2]], lambda label: pd.DataFrame({1: [0, 1], label: [1, 0]})],
)
def test_a_whole_number_of_more_than_64_bits_is_refused(make, label):
    with pytest.raises(ValueError, match=rf"must fit 64 bits.*{label}.*as strings"):
        read_labels(make(label))


def test_the_largest_and_smallest_labels_keep_their_values():
    limits = [-(2**63), 2**63 - 1]
    _, classes = read_labels([limits, [0]])
    assert classes.tolist() == [limits[0], 0, limits[1]]


def test_one_unknown_label_is_singular():
    _, classes = read_labels([["a"], ["b"]])
    with pytest.warns(UserWarning, match=r"y has 1 label that no .*: \['c'\]. It is left out"):
        read_labels([["c"], ["a"]], classes)


def test_rows_without_a_string_are_counted():
    said = []
    y, _ = read_labels(["a|b", None, "c", float("nan")], delimiter="|", report=said.append)
    assert y.sum(axis=1).tolist() == [2, 0, 1, 0]
    assert said == ["y: 2 rows without a value, so without any label"]
