"""The number of held-out rows, and the labels that remain in training."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings, strategies as st
from scipy.sparse import csr_array

from multimodal_ensemble.model_selection import stratified_holdout
from tests.model_selection.test_multilabel_stratified_k_fold import (
    build,
    draw_groups,
    genres,
    label_matrices,
)

FRACTIONS = st.floats(0, 1, exclude_min=True, exclude_max=True)


@settings(max_examples=300)
@given(label_matrices(2), FRACTIONS, st.integers(0, 1000))
@example(np.eye(2, dtype=bool), 0.5, 0)
@example(np.ones((2, 3), dtype=bool), 0.999, 0)
# Any two of these three rows have all labels, but no single row does.
@example(np.array([[1, 0, 1], [1, 1, 0], [0, 1, 1]], dtype=bool), 0.9, 0)
@example(np.repeat(np.eye(20, dtype=bool), 2, axis=0), 0.9, 0)
# After the last exchange, training no longer needs one of its other rows.
@example(build(54, 8, 0.3, 859824831), 0.9375, 207)
def test_training_has_every_label_with_at_least_two_rows(y, fraction, seed):
    train, holdout = stratified_holdout(y, fraction, random_state=seed)
    assert np.array_equal(np.sort(np.concatenate([train, holdout])), np.arange(len(y)))
    assert np.array_equal(train, np.unique(train))
    assert np.array_equal(holdout, np.unique(holdout))
    assert y[train].any(axis=0)[y.sum(axis=0) >= 2].all()

    wanted = min(max(round(fraction * len(y)), 1), len(y) - 1)
    assert 1 <= len(holdout) <= wanted
    if len(holdout) < wanted:
        # Each training row must then be the last one of a label.
        last = y & (y[train].sum(axis=0) == 1) & (y.sum(axis=0) >= 2)
        assert last[train].any(axis=1).all()


@settings(max_examples=100)
@given(label_matrices(2), FRACTIONS, st.integers(0, 1000))
def test_the_same_seed_yields_the_same_rows(y, fraction, seed):
    first = stratified_holdout(y, fraction, random_state=seed)
    second = stratified_holdout(y, fraction, random_state=np.random.RandomState(seed))
    assert all(np.array_equal(*pair) for pair in zip(first, second, strict=True))


@pytest.mark.parametrize("fraction", [0.05, 0.1, 0.25, 0.5, 0.8])
def test_labels_are_equally_frequent_in_both_parts(fraction):
    y = genres(1000)
    train, holdout = stratified_holdout(y, fraction, random_state=0)
    assert len(holdout) == round(1000 * fraction)
    # The rarest label has four rows.
    assert (np.abs(y[holdout].sum(axis=0) - fraction * y.sum(axis=0)) < 3).all()
    assert y[train].any(axis=0).all()


def test_rare_labels_are_also_held_out():
    y = np.repeat(np.eye(50, dtype=int), 2, axis=0)
    train, holdout = stratified_holdout(y, 0.2, random_state=0)
    assert len(holdout) == 20
    assert y[holdout].sum(axis=0).max() == 1
    assert y[train].sum(axis=0).min() == 1


def test_another_seed_yields_other_rows():
    y = genres(200)
    first, second = (stratified_holdout(y, 0.2, random_state=seed)[1] for seed in (0, 1))
    assert not np.array_equal(first, second)


@settings(max_examples=100, deadline=None)
@given(label_matrices(2), FRACTIONS, st.integers(2, 30), st.integers(0, 1000))
@example(np.eye(2, dtype=bool), 0.9, 2, 1)
@example(np.ones((9, 3), dtype=bool), 0.01, 3, 0)
def test_no_group_is_in_both_parts(y, fraction, n_groups, seed):
    groups = np.random.default_rng(seed).integers(n_groups, size=len(y))
    if len(set(groups)) < 2:
        return
    train, holdout = stratified_holdout(y, fraction, groups=groups, random_state=seed)
    assert np.array_equal(np.sort(np.concatenate([train, holdout])), np.arange(len(y)))
    assert len(train)
    assert len(holdout)
    assert not set(groups[train]) & set(groups[holdout])
    in_two_groups = [len(set(groups[column])) >= 2 for column in y.T]
    assert y[train].any(axis=0)[in_two_groups].all()


@pytest.mark.parametrize("fraction", [0.1, 0.25, 0.8])
def test_labels_are_about_as_frequent_in_both_parts_of_groups(fraction):
    y, groups = genres(1000), draw_groups(1000, 200)
    _, holdout = stratified_holdout(y, fraction, groups=groups, random_state=0)
    assert abs(len(holdout) - 1000 * fraction) <= 10
    assert (np.abs(y[holdout].sum(axis=0) - fraction * y.sum(axis=0)) < 5).all()


def test_the_labels_of_one_group_only_may_be_held_out():
    # Each row is a group, so that the split is one of rows.
    y = genres(100)
    _, holdout = stratified_holdout(y, 0.2, groups=range(100), random_state=0)
    assert len(holdout) == 20


def test_many_rare_labels_take_time_in_proportion_to_the_rows():
    # Each label has three rows, so most of them lack training rows at first.
    y = np.repeat(np.eye(1500, dtype=bool), 3, axis=0)
    start = time.process_time()
    train, holdout = stratified_holdout(y, 0.8, random_state=0)
    # A loop over rows and labels takes fifty times as long.
    assert time.process_time() - start < 1
    assert y[train].any(axis=0).all()
    assert len(holdout) == 3000


def test_labels_as_a_sparse_matrix():
    y = genres(100)
    dense, sparse = (stratified_holdout(form, 0.2, random_state=0) for form in (y, csr_array(y)))
    assert np.array_equal(dense[1], sparse[1])


@pytest.mark.parametrize(
    ("y", "fraction", "message"),
    [
        ([[0], [1]], 0, "fraction must be above 0 and below 1. Received fraction=0"),
        ([[0], [1]], 1.0, "fraction must be above 0 and below 1. Received fraction=1.0"),
        ([[0], [1]], 20, "Received fraction=20. It is the fraction of the rows"),
        ([[0], [1]], True, "Received fraction=True"),
        ([[0], [1]], "half", "Received fraction='half'"),
        ([[0], [1]], float("nan"), "Received fraction=nan"),
        ([[1, 0]], 0.5, "y must have at least 2 rows so that one can be held out. Received 1 row"),
        ([0, 1], 0.5, "y must be a multi-hot matrix"),
    ],
)
def test_invalid_input_raises(y, fraction, message):
    with pytest.raises(ValueError, match=message):
        stratified_holdout(y, fraction)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([1, 1, 1, 1], "groups must have at least 2 different groups.*Received 1"),
        ([1, 2], r"groups must have shape \(4,\). Received shape \(2,\)"),
        ({"a": 1, "b": 1, "c": 2, "d": 2}, "one group per row. Received a dict, whose keys"),
        ("aabb", "Received the string 'aabb'; if it is a column"),
        (np.ma.array([1, 1, 2, 2], mask=[1, 0, 0, 0]), "Row 0 has none"),
        (pd.Series([1, 2, 3, 4], index=[3, 2, 1, 0]), "rows of groups and of y have different"),
    ],
)
def test_groups_that_cannot_be_used_are_refused(groups, message):
    with pytest.raises(ValueError, match=message):
        stratified_holdout(pd.DataFrame({"a": [0, 1, 0, 1]}), 0.5, groups=groups)
