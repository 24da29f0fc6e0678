"""Rows that are held out, and tables, labels and weights that must have as many."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st

from multimodal_ensemble.estimators._rows import Rows, TrainingRows, hold_out

CLASSES = np.array(["war", "love"], dtype=object)


def make_rows(n_rows, y=None, weight=None):
    if y is None:
        y = np.stack([np.arange(n_rows) % 2 == 0, np.arange(n_rows) % 3 == 0], axis=1)
    # An index that is none, because rows are told by their position.
    table = pd.DataFrame({"row": range(n_rows)}, index=[7] * n_rows)
    return Rows(table, np.asarray(y, dtype=bool), weight)


@settings(deadline=None)
@given(st.integers(12, 80), st.floats(0.25, 0.9), st.integers(0, 9))
def test_each_row_is_trained_on_or_held_out(n_rows, fraction, seed):
    rows = make_rows(n_rows, weight=list(range(1, n_rows + 1)))
    parts = hold_out(rows, CLASSES, fraction, seed)
    assert parts.is_same is False
    assert parts.classes is CLASSES
    both = [*parts.train.data["row"], *parts.validation.data["row"]]
    assert sorted(both) == list(range(n_rows))
    assert len(parts.validation.data) == round(fraction * n_rows)
    for part in (parts.train, parts.validation):
        numbers = part.data["row"].to_numpy()
        np.testing.assert_array_equal(part.y, rows.y[numbers])
        np.testing.assert_array_equal(part.weight, numbers + 1)


def test_each_label_has_its_share_of_the_rows_held_out():
    parts = hold_out(make_rows(600), CLASSES, 0.1, 1)
    assert parts.validation.y.shape == (60, 2)
    assert parts.validation.y.sum(axis=0).tolist() == [30, 20]


def test_the_seed_decides_which_rows_are_held_out():
    def held_out(seed):
        return hold_out(make_rows(60), CLASSES, 0.2, seed).validation.data["row"].tolist()

    assert held_out(1) == held_out(1)
    assert held_out(1) != held_out(2)


def test_without_a_fraction_both_are_all_rows():
    rows = make_rows(5)
    parts = hold_out(rows, CLASSES, None, 1)
    assert parts.train is rows
    assert parts.validation is rows
    assert parts.is_same is True


def test_rows_without_weights_have_none_when_they_are_parted():
    parts = hold_out(make_rows(20), CLASSES, 0.2, 1)
    assert parts.train.weight is None
    assert parts.validation.weight is None


@pytest.mark.parametrize("fraction", [0.1, None])
def test_one_row_is_too_few(fraction):
    with pytest.raises(
        ValueError, match=r"one row cannot be parted.*Pass validation_data=\(X, y\)"
    ):
        hold_out(make_rows(1), CLASSES, fraction, 1)


@pytest.mark.parametrize(
    ("n_rows", "fraction", "held_out"), [(9, 0.1, 1), (2, 0.5, 1), (3, 0.1, 1)]
)
def test_held_out_rows_that_cannot_be_scored_are_refused(n_rows, fraction, held_out):
    match = (
        rf"In the {held_out} of {n_rows} rows that validation_fraction={fraction} holds out, no "
        r"label is both present and absent.*a larger validation_fraction, or validation_fraction=N"
    )
    with pytest.raises(ValueError, match=match):
        hold_out(make_rows(n_rows), CLASSES, fraction, 1)


@pytest.mark.filterwarnings("ignore:No training row")
@pytest.mark.parametrize("y", [np.zeros((20, 2)), np.ones((20, 2))], ids=["none", "all"])
def test_labels_that_are_always_the_same_cannot_be_scored(y):
    with pytest.raises(ValueError, match="no label is both present and absent"):
        hold_out(make_rows(20, y), CLASSES, 0.2, 1)


def test_a_label_of_no_training_row_is_warned_of_by_its_name():
    y = np.stack([np.arange(20) % 2, np.zeros(20)], axis=1)
    with pytest.warns(UserWarning, match=r"No training row has the label\(s\) \['love'\]"):
        hold_out(make_rows(20, y), CLASSES, 0.2, 1)


def test_a_label_of_validation_rows_only_is_warned_of():
    train, validation = make_rows(4, [[1, 0], [0, 0], [1, 0], [0, 0]]), make_rows(4)
    with pytest.warns(UserWarning, match=r"\['love'\], so nothing can be learned of them"):
        TrainingRows(train, validation, CLASSES, is_same=False)


def test_a_table_and_labels_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match=r"same number of rows. Received 5 and 4"):
        Rows(pd.DataFrame({"a": range(5)}), np.zeros((4, 2), dtype=bool), None)


@pytest.mark.parametrize(
    ("weight", "match"),
    [
        ([1, 2, 3], r"sample_weight must have shape \(4,\). Received shape \(3,\)"),
        ([[1], [1], [1], [1]], r"Received shape \(4, 1\)"),
        ([1, 2, 3, -1], "finite and not negative"),
        ([1, 2, 3, np.nan], "finite and not negative"),
        ([0, 0, 0, 0], "not be zero everywhere"),
        (["a", "b", "c", "d"], "sample_weight must be numeric"),
    ],
    ids=str,
)
def test_weights_that_do_not_fit_the_rows_are_refused(weight, match):
    with pytest.raises(ValueError, match=match):
        make_rows(4, weight=weight)


def test_weights_of_a_series_are_taken_by_position():
    rows = make_rows(4, weight=pd.Series([1.0, 2.0, 3.0, 4.0], index=[3, 2, 1, 0]))
    assert rows.take(np.array([0, 3])).weight.tolist() == [1.0, 4.0]
