"""Checks of user input that several rooms share."""

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import MultiLabelBinarizer

from multimodal_ensemble._validation import (
    check_at_least,
    check_fraction,
    check_label_matrix,
    check_label_names,
    check_sample_weight,
)

LISTS = [["a"], ["a", "b"], []]


@pytest.mark.parametrize("sparse", [False, True])
def test_what_scikit_learn_binarizes_is_a_label_matrix(sparse):
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
def test_zeros_and_ones_of_any_type_are_a_label_matrix(y):
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
        ([["a"], ["a", "b"]], r"Received shape \(2,\).*MultiLabelBinarizer"),
        ([[0, -1]], r"Received -1"),
    ],
)
def test_what_is_no_label_matrix_is_refused_with_its_place(y, match):
    with pytest.raises(ValueError, match=match):
        check_label_matrix(y)


def test_names_of_labels_are_as_given_else_those_of_the_table_else_numbers():
    table = pd.DataFrame({"x": [0], "y": [1]})
    assert check_label_names(["a", "b"], 2, y_true=table) == ["a", "b"]
    assert check_label_names(None, 2, y_true=table) == ["x", "y"]
    assert check_label_names(None, 2, y_true=[[0, 1]]) == ["0", "1"]


@pytest.mark.parametrize(
    ("labels", "match"),
    [
        (["a"], "must name all 2 columns"),
        (["a", "a"], r"distinct. Received \['a'\]"),
        ("ab", "the string 'ab'"),
    ],
)
def test_wrong_names_of_labels_are_refused(labels, match):
    with pytest.raises(ValueError, match=match):
        check_label_names(labels, 2)


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3)])
def test_whole_numbers_of_numpy_are_whole_numbers(value):
    check_at_least(value, 3, name="units")


@pytest.mark.parametrize("value", [2, 3.0, True, "3", None, np.float32(4)])
def test_what_is_no_whole_number_of_at_least_so_much_is_refused(value):
    with pytest.raises(ValueError, match="units must be a whole number of at least 3"):
        check_at_least(value, 3, name="units")


@pytest.mark.parametrize("value", [0, 0.5, np.float32(0.5)])
def test_fractions_of_numpy_are_fractions(value):
    check_fraction(value, name="dropout")


@pytest.mark.parametrize("value", [1, -0.1, True, "0.5", None, float("nan")])
def test_what_is_no_fraction_is_refused(value):
    with pytest.raises(ValueError, match="dropout must be at least 0 and below 1"):
        check_fraction(value, name="dropout")


@pytest.mark.parametrize(
    ("weights", "match"),
    [
        ([1, 2], r"shape \(3,\). Received shape \(2,\)"),
        ([1, -1, 1], "not negative"),
        ([1, np.inf, 1], "finite"),
        ([0, 0, 0], "not be zero everywhere"),
        (["a", "b", "c"], "must be numeric"),
    ],
)
def test_wrong_weights_are_refused(weights, match):
    with pytest.raises(ValueError, match=match):
        check_sample_weight(weights, 3)
