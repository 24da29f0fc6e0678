"""Checks of user input that several modules share."""

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import MultiLabelBinarizer

from multimodal_ensemble._tables import check_columns
from multimodal_ensemble._validation import (
    check_at_least,
    check_fraction,
    check_label_matrix,
    check_label_names,
    check_sample_weight,
    check_scores,
    find_repeated,
)
from multimodal_ensemble.exceptions import ModalityError

# NumPy 1 has no type for strings of any length.
STRINGS = getattr(np.dtypes, "StringDType", lambda: str)()
LISTS = [["a"], ["a", "b"], []]


@pytest.mark.parametrize("sparse", [False, True])
def test_output_of_multi_label_binarizer_is_a_label_matrix(sparse):
    y = MultiLabelBinarizer(sparse_output=sparse).fit_transform(LISTS)
    assert check_label_matrix(y).tolist() == [[True, False], [True, True], [False, False]]


@pytest.mark.parametrize(
    "y",
    [
        [[0, 1]],
        np.array([[0.0, 1.0]], dtype="float32"),
        np.array([[False, True]]),
        pd.DataFrame({"a": [0], "b": [1]}, dtype="int8"),
        np.array([[0, 1]], dtype=object),
    ],
)
def test_zeros_and_ones_of_any_dtype_are_a_label_matrix(y):
    assert check_label_matrix(y).tolist() == [[False, True]]


@pytest.mark.parametrize(
    ("y", "match"),
    [
        ([0, 1], r"multi-hot matrix.*Received shape \(2,\).*reshape\(-1, 1\)"),
        ([[]], r"at least one row and one label. Received shape \(1, 0\)"),
        (np.zeros((0, 2)), r"at least one row"),
        ([[0, 0.5]], r"only 0 and 1. Received 0.5 in row 0, column 1"),
        ([[0, 1], [2, 1]], r"Received 2 in row 1, column 0"),
        ([[0, np.nan]], r"Received nan in row 0, column 1"),
        ([["0", "1"]], r"Received strings.*MultiLabelBinarizer"),
        (np.array([["0", "1"]], dtype=STRINGS), r"Received strings"),
        ([["a"], ["a", "b"]], r"Received shape \(2,\).*MultiLabelBinarizer"),
        ([[0, -1]], r"Received -1"),
        (np.ma.array([[0, 1]], mask=[[False, True]]), "y_true must not have masked values"),
        (np.array([[0, 1]], dtype="timedelta64[D]"), "Received datetime.timedelta"),
        (
            np.array([[0, np.timedelta64(1, "D")]], dtype=object),
            r"only 0 and 1. Received .*timedelta64\(1",
        ),
        (np.array([[0, 1]], dtype=complex), "Received 0j in row 0, column 0"),
    ],
)
def test_an_invalid_label_matrix_raises_with_the_position(y, match):
    with pytest.raises(ValueError, match=match):
        check_label_matrix(y)


def test_label_names_come_from_the_argument_the_table_or_numbers():
    table = pd.DataFrame({"x": [0], "y": [1]})
    assert check_label_names(["a", "b"], 2, columns=table.columns) == ["a", "b"]
    assert check_label_names(None, 2, columns=table.columns) == ["x", "y"]
    assert check_label_names(None, 2) == ["0", "1"]


@pytest.mark.parametrize(
    ("labels", "match"),
    [
        (["a"], "must name all 2 columns"),
        (["a", "a"], r"distinct. Received \['a'\]"),
        ("ab", "the string 'ab'"),
        (["y", "x"], r"in another order: \['y', 'x'\] and \['x', 'y'\]. Omit labels"),
    ],
)
def test_invalid_label_names_raise(labels, match):
    with pytest.raises(ValueError, match=match):
        check_label_names(labels, 2, columns=["x", "y"])


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3)])
def test_numpy_integers_are_whole_numbers(value):
    check_at_least(value, 3, name="units")


@pytest.mark.parametrize("value", [2, 3.0, True, "3", None, np.float32(4)])
def test_other_types_and_smaller_numbers_raise(value):
    with pytest.raises(ValueError, match="units must be a whole number of at least 3"):
        check_at_least(value, 3, name="units")


@pytest.mark.parametrize("value", [0, 0.5, np.float32(0.5)])
def test_numpy_floats_are_fractions(value):
    check_fraction(value, name="dropout")


@pytest.mark.parametrize("value", [1, -0.1, True, "0.5", None, float("nan")])
def test_values_outside_of_0_to_1_raise(value):
    with pytest.raises(ValueError, match="dropout must be at least 0 and below 1"):
        check_fraction(value, name="dropout")


@pytest.mark.parametrize(
    ("weights", "match"),
    [
        ([1, 2], r"shape \(3,\). Received shape \(2,\)"),
        ([1, -1, 1], "not negative"),
        ([1e308] * 3, "finite sum"),
        ([1, np.inf, 1], "finite"),
        ([0, 0, 0], "not be zero everywhere"),
        (["a", "b", "c"], "must be numeric"),
        (np.ma.array([1, 1, 1], mask=[0, 1, 0]), "sample_weight must not have masked values"),
    ],
)
def test_invalid_sample_weights_raise(weights, match):
    with pytest.raises(ValueError, match=match):
        check_sample_weight(weights, 3)


def test_a_single_level_of_multi_level_names_is_refused_as_well():
    data = pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_arrays([["x", "z"]]))
    with pytest.raises(ModalityError, match=r"must have one name each. Received 1 levels"):
        check_columns(data, ["x"])


def test_masked_scores_are_refused():
    with pytest.raises(ValueError, match="y_score must not have masked values"):
        check_scores(np.ma.array([[0.5, 1.0]], mask=[[False, True]]))
    assert check_scores(np.ma.array([[0.5, 1.0]])).tolist() == [[0.5, 1.0]]


def test_repeated_names_are_found_in_linear_time():
    names = [f"column {number}" for number in range(200_000)]
    assert find_repeated([*names, names[5], names[3]]) == ["column 3", "column 5"]
