"""What the threshold of a classifier may be, given or learned."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from multimodal_ensemble.estimators._thresholds import (
    check_threshold,
    given_thresholds,
    is_criterion,
    learn_thresholds,
)
from multimodal_ensemble.metrics import tune_thresholds

CLASSES = np.array(["war", "love", "noir"], dtype=object)
CRITERIA = ["accuracy", "balanced_accuracy", "f1"]


def balance(tp, fp, fn, tn):
    return tp - fp


@pytest.mark.parametrize(
    ("threshold", "expected"),
    [
        (None, [0.5, 0.5, 0.5]),
        (0.25, [0.25, 0.25, 0.25]),
        (1, [1, 1, 1]),
        (np.float32(0.25), [0.25, 0.25, 0.25]),
        (np.int64(0), [0, 0, 0]),
        (np.array(0.25), [0.25, 0.25, 0.25]),
        (float("inf"), [np.inf] * 3),
        ([0.1, 0.2, 0.3], [0.1, 0.2, 0.3]),
        ((0, 1, 1), [0, 1, 1]),
        (np.array([0.25, 0.5, 0.75], dtype="float32"), [0.25, 0.5, 0.75]),
        (pd.Series([0.1, 0.2, 0.3]), [0.1, 0.2, 0.3]),
        ([-np.inf, 0.2, np.inf], [-np.inf, 0.2, np.inf]),
        ({"noir": 0.3, "war": 0.1, "love": np.float32(0.25)}, [0.1, 0.25, 0.3]),
        ({"noir": 1, "war": 0, "love": -np.inf}, [0, -np.inf, 1]),
    ],
    ids=str,
)
def test_one_threshold_for_each_label(threshold, expected):
    thresholds = given_thresholds(threshold, CLASSES)
    assert thresholds.dtype == np.float64
    assert thresholds.tolist() == expected
    # Rows are not looked at.
    assert learn_thresholds(threshold, CLASSES, None, None).tolist() == expected


def test_thresholds_may_be_given_by_the_numbers_of_labels():
    assert given_thresholds({1: 0.2, 0: 0.1}, np.arange(2)).tolist() == [0.1, 0.2]


def test_given_thresholds_are_a_copy():
    given_ones = np.array([0.1, 0.2, 0.3])
    given_thresholds(given_ones, CLASSES)[0] = 9
    assert given_ones[0] == 0.1


def test_given_thresholds_survive_json():
    thresholds = given_thresholds([-np.inf, 0.1 + 0.2, np.inf], CLASSES)
    assert json.loads(json.dumps(thresholds.tolist())) == thresholds.tolist()


@pytest.mark.parametrize(
    "threshold",
    [
        True,
        float("nan"),
        [0.1, 0.2],
        [0.1, 0.2, np.nan],
        [0.1, 0.2, None],
        [[0.1, 0.2, 0.3]],
        [[0.1], [0.2, 0.3], []],
        [True, False, True],
        ["0.1", "0.2", "0.3"],
        1j,
        "0.5",
        [],
        object,
        {"war": "0.1", "love": 0.2, "noir": 0.3},
        {"war": [0.1], "love": [0.2, 0.3], "noir": 0.3},
    ],
    ids=str,
)
def test_what_is_no_threshold_for_each_label_is_refused(threshold):
    match = (
        r"must be the name of a criterion, a callable, None, a number, or one number for each of "
        r"the 3 labels, none of them NaN. Received threshold="
    )
    with pytest.raises(ValueError, match=match):
        given_thresholds(threshold, CLASSES)


@pytest.mark.parametrize(
    ("threshold", "match"),
    [
        ({"war": 0.1, "love": 0.2}, r"Missing: \['noir'\]. Not a label: \[\]"),
        (
            {"war": 0.1, "love": 0.2, "Noir": 0.3},
            r"Missing: \['noir'\]. Not a label: \['Noir'\]",
        ),
        (
            {"war": 0.1, "love": 0.2, "noir": 0.3, "x": 1},
            r"Missing: \[\]. Not a label: \['x'\]",
        ),
        ({}, r"Missing: \['war', 'love', 'noir'\]"),
    ],
    ids=str,
)
def test_thresholds_of_some_labels_or_of_others_are_refused_by_name(threshold, match):
    with pytest.raises(ValueError, match=match):
        given_thresholds(threshold, CLASSES)


@settings(deadline=None)
@given(st.data(), st.sampled_from([*CRITERIA, balance]))
def test_learned_thresholds_are_those_of_tune_thresholds(data, criterion):
    n_rows = data.draw(st.integers(1, 12))
    bits = st.lists(st.booleans(), min_size=3 * n_rows, max_size=3 * n_rows)
    scores = st.lists(st.floats(0, 1, width=32), min_size=3 * n_rows, max_size=3 * n_rows)
    y_true = np.reshape(data.draw(bits), (n_rows, 3))
    y_score = np.reshape(np.array(data.draw(scores), dtype="float32"), (n_rows, 3))
    np.testing.assert_array_equal(
        learn_thresholds(criterion, CLASSES, y_true, y_score),
        tune_thresholds(y_true, y_score, criterion=criterion),
    )


def test_rows_without_a_label_teach_never_to_predict_it():
    y_true = np.array([[0, 1, 1], [0, 0, 1]], dtype=bool)
    y_score = np.array([[0.9, 0.75, 0.5], [0.1, 0.25, 0.25]], dtype="float32")
    assert learn_thresholds("accuracy", CLASSES, y_true, y_score).tolist()[:2] == [np.inf, 0.5]


@pytest.mark.parametrize("threshold", [*CRITERIA, balance])
def test_strings_and_callables_are_criteria(threshold):
    assert is_criterion(threshold)
    check_threshold(threshold)


@pytest.mark.parametrize("threshold", [None, 0.5, [0.5], {"war": 0.5}, np.array([0.5])], ids=str)
def test_numbers_are_no_criteria(threshold):
    assert not is_criterion(threshold)
    check_threshold(threshold)


@pytest.mark.parametrize("threshold", ["accurate", "F1", ""])
def test_an_unknown_criterion_is_refused_with_those_that_are_known(threshold):
    match = rf"threshold must be one of 'accuracy', 'balanced_accuracy', 'f1'. .*'{threshold}'"
    with pytest.raises(ValueError, match=match):
        check_threshold(threshold)


def test_a_series_is_read_by_its_labels():
    series = pd.Series({"noir": 0.3, "war": 0.1, "love": 0.2})
    classes = np.array(["war", "love", "noir"], dtype=object)
    assert given_thresholds(series, classes).tolist() == [0.1, 0.2, 0.3]
