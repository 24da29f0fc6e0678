"""Properties of the folds: a partition of the rows, equal label frequencies, and seeds."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from scipy.sparse import csr_array
from sklearn import config_context
from sklearn.model_selection import GroupKFold, KFold, cross_val_score, cross_validate
from sklearn.neighbors import KNeighborsClassifier

from multimodal_ensemble.model_selection import MultilabelStratifiedKFold
from multimodal_ensemble.model_selection._assign_parts import assign_parts


def build(rows, columns, density, seed):
    rng = np.random.default_rng(seed)
    return rng.random((rows, columns)) < density * rng.random(columns) * 2


def label_matrices(min_rows):
    """Return a strategy for label matrices, from nearly empty to nearly full."""
    return st.builds(
        build,
        st.integers(min_rows, 60),
        st.integers(1, 8),
        st.sampled_from([0.0, 0.02, 0.1, 0.3, 0.5, 1.0]),
        st.integers(0, 2**32 - 1),
    )


def genres(n_rows, n_labels=20):
    """Return frequent and rare labels that occur together, like the genres of films."""
    rng = np.random.default_rng(0)
    tastes = rng.normal(size=(n_rows, 2)) @ rng.normal(size=(2, n_labels))
    frequencies = np.geomspace(0.5, 0.004, n_labels)
    return (rng.random((n_rows, n_labels)) < frequencies * np.exp(0.7 * tastes - 0.3)).astype(int)


def label_counts(y, folds):
    """Return how often each label occurs in the test rows of each fold."""
    return np.array([y[test].sum(axis=0) for _, test in folds.split(y, y)])


@settings(max_examples=150)
@given(label_matrices(7), st.integers(2, 7), st.booleans())
def test_each_row_is_tested_once_and_sizes_differ_by_at_most_one(y, n_splits, shuffle):
    folds = MultilabelStratifiedKFold(n_splits, shuffle=shuffle)
    splits = list(folds.split(np.zeros((len(y), 3)), y))
    assert len(splits) == folds.get_n_splits() == n_splits
    for train, test in splits:
        assert np.array_equal(np.sort(np.concatenate([train, test])), np.arange(len(y)))
        assert np.array_equal(train, np.unique(train))
        assert np.array_equal(test, np.unique(test))
    assert sorted(np.concatenate([test for _, test in splits])) == list(range(len(y)))
    sizes = [len(test) for _, test in splits]
    assert max(sizes) - min(sizes) <= 1


@settings(max_examples=150)
@given(label_matrices(7), st.integers(2, 7), st.integers(0, 1000))
def test_the_rarest_label_is_spread_evenly(y, n_splits, seed):
    folds = MultilabelStratifiedKFold(n_splits, random_state=seed)
    totals = y.sum(axis=0)
    if not totals.any():
        return
    rarest = int(np.argmin(np.where(totals > 0, totals, len(y) + 1)))
    counts = label_counts(y, folds)[:, rarest]
    # No fold is full while the rarest label, which is assigned first, is assigned.
    assert counts.max() <= -(-totals[rarest] // n_splits)
    assert counts.min() >= totals[rarest] // n_splits


@settings(max_examples=150)
@given(label_matrices(7), st.integers(2, 7), st.integers(0, 1000))
def test_mutually_exclusive_labels_are_spread_evenly(y, n_splits, seed):
    # With at most one label per row, labels do not compete for rows.
    y &= np.cumsum(y, axis=1) == 1
    folds = MultilabelStratifiedKFold(n_splits, random_state=seed)
    counts = label_counts(y, folds)
    ideal = y.sum(axis=0) / n_splits
    assert (np.abs(counts - ideal) < 2).all()


@settings(max_examples=50)
@given(label_matrices(7), st.integers(2, 7), st.integers(0, 1000))
def test_the_same_seed_yields_the_same_folds(y, n_splits, seed):
    folds = MultilabelStratifiedKFold(n_splits, random_state=seed)
    again = MultilabelStratifiedKFold(n_splits, random_state=seed)
    for first, second, third in zip(
        folds.split(y, y), folds.split(y, y), again.split(y, y), strict=True
    ):
        assert np.array_equal(first[1], second[1])
        assert np.array_equal(first[1], third[1])


def test_label_counts_are_closer_to_the_ideal_than_in_random_folds():
    y = genres(1000)
    ideal = y.sum(axis=0) / 5
    ours = np.abs(label_counts(y, MultilabelStratifiedKFold(5, random_state=0)) - ideal)
    random = np.abs(label_counts(y, KFold(5, shuffle=True, random_state=0)) - ideal)
    assert ours.max() < 2
    assert ours.mean() < 0.2 * random.mean()


def test_rows_without_labels_are_spread_evenly():
    y = np.zeros((53, 3), dtype=int)
    y[:13, 0] = 1
    tested = [test for _, test in MultilabelStratifiedKFold(4, random_state=0).split(y, y)]
    assert sorted(len(test) for test in tested) == [13, 13, 13, 14]
    assert {(y[test].sum(axis=1) == 0).sum() for test in tested} <= {9, 10, 11}


def test_a_label_with_fewer_rows_than_folds_has_at_most_one_per_fold():
    y = np.zeros((40, 2), dtype=int)
    y[:3, 0] = 1
    y[10:30, 1] = 1
    counts = label_counts(y, MultilabelStratifiedKFold(5, random_state=1))
    assert sorted(counts[:, 0]) == [0, 0, 1, 1, 1]
    assert counts[:, 1].tolist() == [4] * 5


def test_labels_that_occur_together_are_both_spread_evenly():
    # All rows of label 1 also have label 0, so the rarer label 1 is assigned first.
    y = np.repeat([[1, 1], [1, 0], [0, 0]], [10, 20, 30], axis=0)
    counts = label_counts(y, MultilabelStratifiedKFold(5, random_state=3))
    assert counts.tolist() == [[6, 2]] * 5


def test_without_shuffle_the_folds_are_deterministic():
    y = genres(200)
    plain = MultilabelStratifiedKFold(3, shuffle=False)
    first = [test.tolist() for _, test in plain.split(y, y)]
    assert first == [test.tolist() for _, test in plain.split(y, y)]

    alike = np.ones((6, 1), dtype=int)
    assert [test.tolist() for _, test in plain.split(alike, alike)] == [[0, 3], [1, 4], [2, 5]]


def test_another_seed_yields_other_folds():
    y = genres(200)
    first, second = (
        [test.tolist() for _, test in MultilabelStratifiedKFold(3, random_state=seed).split(y, y)]
        for seed in (0, 1)
    )
    assert first != second


def test_without_a_seed_the_folds_depend_on_the_global_state_of_numpy():
    y = genres(200)
    folds = MultilabelStratifiedKFold(3)
    first, second = (next(iter(folds.split(y, y)))[1] for _ in range(2))
    assert not np.array_equal(first, second)


def test_any_format_of_the_labels():
    y = genres(100)
    folds = MultilabelStratifiedKFold(3, random_state=0)
    expected = [test.tolist() for _, test in folds.split(y, y)]
    for same in (y.tolist(), y.astype(bool), csr_array(y), np.asfortranarray(y, dtype=float)):
        assert [test.tolist() for _, test in folds.split(range(100), same)] == expected


def draw_groups(n_rows, n_groups, seed=0):
    """Return the name of each row's group; the sizes of the groups differ widely."""
    rng = np.random.default_rng(seed)
    numbers = np.minimum(rng.geometric(3 / n_groups, n_rows), n_groups)
    return np.array([f"patient {number}" for number in numbers])


def test_repr_shows_the_options():
    folds = MultilabelStratifiedKFold(3, random_state=0)
    assert repr(folds) == "MultilabelStratifiedKFold(n_splits=3, random_state=0, shuffle=True)"


@settings(max_examples=50, deadline=None)
@given(label_matrices(7), st.integers(2, 4), st.integers(2, 30), st.integers(0, 1000))
def test_all_rows_of_a_group_are_test_rows_of_one_fold(y, n_splits, n_groups, seed):
    groups = np.random.default_rng(seed).integers(n_groups, size=len(y))
    if len(set(groups)) < n_splits:
        return
    splits = list(MultilabelStratifiedKFold(n_splits, random_state=seed).split(y, y, groups))
    assert sorted(np.concatenate([test for _, test in splits])) == list(range(len(y)))
    for train, test in splits:
        assert len(test)
        assert not set(groups[train]) & set(groups[test])


def test_folds_of_groups_have_nearly_equal_sizes_and_label_frequencies():
    y = genres(1000)
    groups = draw_groups(1000, 200)
    splits = list(MultilabelStratifiedKFold(5, random_state=0).split(y, y, groups))
    assert {len(test) for _, test in splits} <= set(range(198, 203))
    ours, random = (
        np.abs([y[test].sum(axis=0) - y.sum(axis=0) / 5 for _, test in folds]).mean()
        for folds in (splits, GroupKFold(5).split(y, y, groups))
    )
    assert ours < 0.4 * random


def test_groups_may_be_strings_numbers_or_series_and_reach_the_splitter_by_scikit_learn():
    y = genres(60, 4)
    names = draw_groups(60, 20)
    folds = MultilabelStratifiedKFold(3, random_state=0)
    expected = [test.tolist() for _, test in folds.split(y, y, names)]
    numbers = np.unique(names, return_inverse=True)[1]
    for same in (names.tolist(), pd.Series(names), numbers, numbers.astype(float)):
        assert [test.tolist() for _, test in folds.split(y, y, same)] == expected
    with config_context(enable_metadata_routing=True):
        options = {"params": {"groups": names}, "return_indices": True}
        routed = cross_validate(KNeighborsClassifier(1), y + 0.1, y, cv=folds, **options)
    assert [test.tolist() for test in routed["indices"]["test"]] == expected


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([1, 2], "inconsistent numbers of samples"),
        ([1, 2, None, 1, 2, 3], "groups must name a group for each row. Row 2 has none"),
        ([1, 1, 1, 1, 1, 2], "groups must have at least 3 different groups.*Received 2"),
        ([[1], [2]] * 3, r"groups must hold one string or number per row"),
        (
            dict.fromkeys(range(6), "a"),
            "groups must be a sequence .* a dict, whose keys are not rows",
        ),
        ("abcabc", "groups must hold the group of each row. Received the string 'abcabc'"),
        (np.ma.array([1, 2, 3] * 2, mask=[0, 0, 1] * 2), "for each row. Row 2 has none"),
        (np.ones((6, 2)), r"groups must have shape \(6,\). Received shape \(6, 2\)"),
        (pd.Series(range(6), index=range(1, 7)), "rows of groups and of y have different index"),
    ],
)
def test_groups_that_cannot_be_used_are_refused(groups, message):
    y = pd.DataFrame({"a": [0, 1] * 3})
    with pytest.raises(ValueError, match=message):
        list(MultilabelStratifiedKFold(3).split(np.zeros((6, 1)), y, groups))


def test_rows_and_labels_of_other_index_labels_are_refused():
    y = pd.DataFrame({"a": [0, 1] * 3})
    with pytest.raises(ValueError, match="rows of y and of X have different index labels"):
        list(MultilabelStratifiedKFold(3).split(y.iloc[::-1], y))


def test_cross_val_score_accepts_the_splitter():
    y = genres(90, 4)
    scores = cross_val_score(
        KNeighborsClassifier(3), y + 0.1, y, cv=MultilabelStratifiedKFold(3, random_state=0)
    )
    assert scores.shape == (3,)
    assert scores.min() > 0.9


def test_30000_rows_are_split_quickly():
    y = genres(30_000)
    start = time.process_time()
    list(MultilabelStratifiedKFold(10, random_state=0).split(y, y))
    # A slow machine needs about a tenth of this time.
    assert time.process_time() - start < 2


def test_parts_of_unequal_shares_have_exact_sizes_and_nearly_equal_label_frequencies():
    y = genres(1000).astype(bool)
    shares = [500, 300, 150, 50]
    parts = assign_parts(y, shares, np.random.RandomState(0))
    assert np.bincount(parts).tolist() == shares
    counts = np.array([y[parts == part].sum(axis=0) for part in range(4)])
    assert (np.abs(counts - np.outer(np.array(shares) / 1000, y.sum(axis=0))) < 4).all()


@settings(max_examples=100)
@given(label_matrices(1), st.lists(st.integers(1, 9), min_size=1, max_size=5))
def test_sizes_of_parts_are_rounded_to_whole_rows(y, shares):
    parts = assign_parts(y, shares, None)
    exact = len(y) * np.array(shares) / sum(shares)
    sizes = np.bincount(parts, minlength=len(shares))
    assert (np.abs(sizes - exact) < 1).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_splits": 1}, "n_splits must be a whole number of at least 2. Received n_splits=1"),
        ({"n_splits": 2.5}, "n_splits must be a whole number"),
        ({"shuffle": "yes"}, "shuffle must be one of True, False. Received shuffle='yes'"),
        ({"shuffle": False, "random_state": 0}, "no effect without shuffle.*shuffle=True"),
    ],
)
def test_invalid_options_raise(options, message):
    with pytest.raises(ValueError, match=message):
        MultilabelStratifiedKFold(**options)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([0, 1, 0, 1], r"y must be a multi-hot matrix.*y\.reshape\(-1, 1\)"),
        (None, "y must be a multi-hot matrix"),
        ([[0], [1], [2], [0]], "y must hold only 0 and 1. Received 2 in row 2, column 0"),
        ([[0], [1]], "inconsistent numbers of samples"),
        ([[0], [1], [0], [1]], "n_splits=5 needs at least as many rows. Received n_samples=4"),
    ],
)
def test_invalid_labels_raise(y, message):
    with pytest.raises(ValueError, match=message):
        list(MultilabelStratifiedKFold().split(np.zeros((4, 1)), y))
