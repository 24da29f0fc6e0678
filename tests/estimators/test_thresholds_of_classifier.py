"""Decision thresholds, given or learned, and the labels that they choose."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from multimodal_ensemble.estimators._thresholds import (
    check_threshold,
    choose_labels,
    describe_never_predicted,
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
def test_given_thresholds_become_one_number_per_label(threshold, expected):
    thresholds = given_thresholds(threshold, CLASSES)
    assert thresholds.dtype == np.float64
    assert thresholds.tolist() == expected
    # Given thresholds do not depend on any rows.
    assert learn_thresholds(threshold, CLASSES, None, None).tolist() == expected


def test_thresholds_may_be_given_by_label_number():
    assert given_thresholds({1: 0.2, 0: 0.1}, np.arange(2)).tolist() == [0.1, 0.2]


def test_given_thresholds_are_a_copy():
    given_array = np.array([0.1, 0.2, 0.3])
    given_thresholds(given_array, CLASSES)[0] = 9
    assert given_array[0] == 0.1


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
def test_other_values_are_refused(threshold):
    match = (
        r"must be the name of a criterion, a callable, None, a number, or one number for each of "
        r"the 3 labels, none of them NaN. Received threshold="
    )
    with pytest.raises(ValueError, match=match):
        given_thresholds(threshold, CLASSES)


@pytest.mark.parametrize(
    ("threshold", "match"),
    [
        ({"war": 0.1, "love": 0.2}, r"Without a value: \['noir'\]."),
        (
            {"war": 0.1, "love": 0.2, "Noir": 0.3},
            r"Without a value: \['noir'\]. Not a label: \['Noir'\]",
        ),
        (
            {"war": 0.1, "love": 0.2, "noir": 0.3, "x": 1},
            r"Not a label: \['x'\].",
        ),
        ({}, r"Without a value: \['war', 'love', 'noir'\]"),
    ],
    ids=str,
)
def test_a_mapping_must_have_exactly_the_labels(threshold, match):
    with pytest.raises(ValueError, match=match):
        given_thresholds(threshold, CLASSES)


@settings(deadline=None)
@given(st.data(), st.sampled_from([*CRITERIA, balance]))
def test_learned_thresholds_equal_tune_thresholds(data, criterion):
    n_rows = data.draw(st.integers(1, 12))
    bits = st.lists(st.booleans(), min_size=3 * n_rows, max_size=3 * n_rows)
    scores = st.lists(st.floats(0, 1, width=32), min_size=3 * n_rows, max_size=3 * n_rows)
    y_true = np.reshape(data.draw(bits), (n_rows, 3))
    y_score = np.reshape(np.array(data.draw(scores), dtype="float32"), (n_rows, 3))
    np.testing.assert_array_equal(
        learn_thresholds(criterion, CLASSES, y_true, y_score),
        tune_thresholds(y_true, y_score, criterion=criterion),
    )


def test_a_label_without_positive_rows_is_never_predicted():
    y_true = np.array([[0, 1, 1], [0, 0, 1]], dtype=bool)
    y_score = np.array([[0.9, 0.75, 0.5], [0.1, 0.25, 0.25]], dtype="float32")
    assert learn_thresholds("accuracy", CLASSES, y_true, y_score).tolist()[:2] == [np.inf, 0.5]


@pytest.mark.parametrize("threshold", [*CRITERIA, balance])
def test_strings_and_callables_are_criteria(threshold):
    assert is_criterion(threshold)
    check_threshold(threshold)


@pytest.mark.parametrize("threshold", [None, 0.5, [0.5], {"war": 0.5}, np.array([0.5])], ids=str)
def test_numbers_are_not_criteria(threshold):
    assert not is_criterion(threshold)
    check_threshold(threshold)


@pytest.mark.parametrize("threshold", ["accurate", "F1", ""])
def test_an_unknown_criterion_is_refused_with_the_known_ones(threshold):
    match = rf"threshold must be one of 'accuracy', 'balanced_accuracy', 'f1'. .*'{threshold}'"
    with pytest.raises(ValueError, match=match):
        check_threshold(threshold)


def test_a_series_is_read_by_its_labels():
    series = pd.Series({"noir": 0.3, "war": 0.1, "love": 0.2})
    classes = np.array(["war", "love", "noir"], dtype=object)
    assert given_thresholds(series, classes).tolist() == [0.1, 0.2, 0.3]


# -- chosen labels ---------------------------------------------------------------------------

SCORES = np.array(
    [[0.9, 0.8, 0.1], [0.4, 0.04, 0.9], [0.01, 0.02, 0.2], [0.3, 0.01, 0.99]], dtype="float32"
)
THRESHOLDS = np.array([0.5, 0.05, np.inf])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [[0, 1], [], [], []]),
        # In row 1, 0.04 is nearer to 0.05 than 0.4 to 0.5; the third label is never predicted.
        ({"at_least": 1}, [[0, 1], [1], [1], [0]]),
        ({"at_least": 2}, [[0, 1], [0, 1], [0, 1], [0, 1]]),
        ({"at_least": 3}, [[0, 1, 2]] * 4),
        ({"top_k": 1}, [[1], [1], [1], [0]]),
        ({"top_k": 2}, [[0, 1]] * 4),
        ({"top_k": 3}, [[0, 1, 2]] * 4),
    ],
    ids=str,
)
def test_the_best_labels_are_nearest_to_their_thresholds(options, expected):
    chosen = choose_labels(SCORES, THRESHOLDS, **options)
    assert [np.flatnonzero(row).tolist() for row in chosen] == expected


def test_labels_that_are_never_predicted_are_ranked_by_their_scores():
    thresholds = np.full(3, np.inf)
    chosen = choose_labels(SCORES, thresholds, at_least=1)
    np.testing.assert_array_equal(chosen.argmax(axis=1), SCORES.argmax(axis=1))
    assert not choose_labels(SCORES, thresholds).any()


@settings(deadline=None)
@given(st.data())
def test_chosen_labels_contain_the_predicted_ones(data):
    n_labels = data.draw(st.integers(1, 5))
    values = st.floats(0, 1, width=32)
    y_score = np.array(
        data.draw(st.lists(st.lists(values, min_size=n_labels, max_size=n_labels), min_size=1)),
        dtype="float32",
    )
    threshold = st.floats(-0.5, 1.5) | st.sampled_from([np.inf, -np.inf, 0.0, 1.0])
    thresholds = np.array(data.draw(st.lists(threshold, min_size=n_labels, max_size=n_labels)))
    k = data.draw(st.integers(1, n_labels))
    predicted = y_score >= thresholds
    at_least = choose_labels(y_score, thresholds, at_least=k)
    np.testing.assert_array_equal(at_least.sum(axis=1), np.maximum(predicted.sum(axis=1), k))
    assert at_least[predicted].all()
    top = choose_labels(y_score, thresholds, top_k=k)
    assert (top.sum(axis=1) == k).all()
    # Other labels are chosen only where fewer than k are predicted.
    np.testing.assert_array_equal(
        (top & ~predicted).sum(axis=1), np.maximum(k - predicted.sum(axis=1), 0)
    )


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"at_least": -1}, r"at_least must be a whole number of at least 0. Received at_least=-1"),
        ({"at_least": 1.0}, "at_least must be a whole number"),
        ({"top_k": 0}, r"top_k must be a whole number of at least 1. Received top_k=0"),
        ({"top_k": True}, "top_k must be a whole number"),
        ({"at_least": 4}, r"at most 3 labels.*Received at_least=4, top_k=None"),
        ({"top_k": 4}, r"at most 3 labels.*Received at_least=0, top_k=4"),
        ({"at_least": 1, "top_k": 1}, "Pass at_least or top_k, not both"),
    ],
    ids=str,
)
def test_impossible_numbers_of_labels_are_refused(options, match):
    with pytest.raises(ValueError, match=match):
        choose_labels(SCORES, THRESHOLDS, **options)


def test_a_line_counts_the_labels_that_are_never_predicted():
    thresholds = np.array([np.inf, 0.5, np.inf])
    line = describe_never_predicted("accuracy", CLASSES, thresholds, fix="add rows")
    assert line.startswith("2 of 3 labels are never predicted")
    assert "['war', 'noir']. To change that: threshold='prevalence' and threshold='f1'" in line
    assert "predict_labels(X, at_least=1)" in line
    for threshold in ("f1", "prevalence"):
        line = describe_never_predicted(threshold, CLASSES, thresholds, fix="add rows")
        assert "To change that: add rows. predict_labels" in line
        assert "threshold='f1'" not in line
    assert (
        describe_never_predicted("accuracy", CLASSES, np.array([-np.inf, 0.5, 1]), fix="add rows")
        is None
    )
    # The user knows about thresholds that the user set.
    assert describe_never_predicted(np.inf, CLASSES, thresholds, fix="add rows") is None
