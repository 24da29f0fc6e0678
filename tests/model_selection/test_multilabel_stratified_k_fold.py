"""Every row in one fold, every label spread over the folds, the same folds for the same seed."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy.sparse import csr_array
from sklearn.model_selection import KFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier

from multimodal_ensemble.model_selection import MultilabelStratifiedKFold
from multimodal_ensemble.model_selection._assign_parts import assign_parts


def build(rows, columns, density, seed):
    rng = np.random.default_rng(seed)
    return rng.random((rows, columns)) < density * rng.random(columns) * 2


def label_matrices(min_rows):
    """Return a strategy of label matrices, from nearly empty to nearly full."""

    return st.builds(
        build,
        st.integers(min_rows, 60),
        st.integers(1, 8),
        st.sampled_from([0.0, 0.02, 0.1, 0.3, 0.5, 1.0]),
        st.integers(0, 2**32 - 1),
    )


def genres(n_rows, n_labels=20):
    """Return labels that are frequent and rare and occur together, as films' genres do."""
    rng = np.random.default_rng(0)
    tastes = rng.normal(size=(n_rows, 2)) @ rng.normal(size=(2, n_labels))
    frequencies = np.geomspace(0.5, 0.004, n_labels)
    return (rng.random((n_rows, n_labels)) < frequencies * np.exp(0.7 * tastes - 0.3)).astype(int)


def test_parts_of(y, folds):
    """Return for each fold how often each label occurs in its test rows."""
    return np.array([y[test].sum(axis=0) for _, test in folds.split(y, y)])


test_parts_of.__test__ = False


@settings(max_examples=150)
@given(label_matrices(7), st.integers(2, 7), st.booleans())
def test_every_row_is_tested_once_and_sizes_differ_by_one(y, n_splits, shuffle):
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
def test_the_rarest_label_is_spread_as_far_as_it_goes(y, n_splits, seed):
    folds = MultilabelStratifiedKFold(n_splits, random_state=seed)
    totals = y.sum(axis=0)
    if not totals.any():
        return
    rarest = int(np.argmin(np.where(totals > 0, totals, len(y) + 1)))
    counts = test_parts_of(y, folds)[:, rarest]
    # Folds fill up only once no label has rows left for each of them.
    assert counts.max() <= -(-totals[rarest] // n_splits)
    assert counts.min() >= totals[rarest] // n_splits


@settings(max_examples=150)
@given(label_matrices(7), st.integers(2, 7), st.integers(0, 1000))
def test_labels_that_exclude_each_other_are_spread_evenly(y, n_splits, seed):
    # One label a row at most: nothing that one label needs is at the cost of another.
    y &= np.cumsum(y, axis=1) == 1
    folds = MultilabelStratifiedKFold(n_splits, random_state=seed)
    counts = test_parts_of(y, folds)
    ideal = y.sum(axis=0) / n_splits
    assert (np.abs(counts - ideal) < 2).all()


@settings(max_examples=50)
@given(label_matrices(7), st.integers(2, 7), st.integers(0, 1000))
def test_the_same_seed_gives_the_same_folds(y, n_splits, seed):
    folds = MultilabelStratifiedKFold(n_splits, random_state=seed)
    again = MultilabelStratifiedKFold(n_splits, random_state=seed)
    for first, second, third in zip(
        folds.split(y, y), folds.split(y, y), again.split(y, y), strict=True
    ):
        assert np.array_equal(first[1], second[1])
        assert np.array_equal(first[1], third[1])


def test_counts_are_nearer_to_the_ideal_than_those_of_random_folds():
    y = genres(1000)
    ideal = y.sum(axis=0) / 5
    ours = np.abs(test_parts_of(y, MultilabelStratifiedKFold(5, random_state=0)) - ideal)
    random = np.abs(test_parts_of(y, KFold(5, shuffle=True, random_state=0)) - ideal)
    assert ours.max() < 2
    assert ours.mean() < 0.2 * random.mean()


def test_rows_without_labels_are_spread_evenly():
    y = np.zeros((53, 3), dtype=int)
    y[:13, 0] = 1
    tested = [test for _, test in MultilabelStratifiedKFold(4, random_state=0).split(y, y)]
    assert sorted(len(test) for test in tested) == [13, 13, 13, 14]
    assert {(y[test].sum(axis=1) == 0).sum() for test in tested} <= {9, 10, 11}


def test_a_label_rarer_than_the_folds_is_in_as_many_folds_as_it_has_rows():
    y = np.zeros((40, 2), dtype=int)
    y[:3, 0] = 1
    y[10:30, 1] = 1
    counts = test_parts_of(y, MultilabelStratifiedKFold(5, random_state=1))
    assert sorted(counts[:, 0]) == [0, 0, 1, 1, 1]
    assert counts[:, 1].tolist() == [4] * 5


def test_labels_that_occur_together_are_dealt_out_together():
    # All rows of label 1 are rows of label 0, too, so the rarer one decides first.
    y = np.repeat([[1, 1], [1, 0], [0, 0]], [10, 20, 30], axis=0)
    counts = test_parts_of(y, MultilabelStratifiedKFold(5, random_state=3))
    assert counts.tolist() == [[6, 2]] * 5


def test_without_shuffle_nothing_is_random():
    y = genres(200)
    plain = MultilabelStratifiedKFold(3, shuffle=False)
    first = [test.tolist() for _, test in plain.split(y, y)]
    assert first == [test.tolist() for _, test in plain.split(y, y)]

    alike = np.ones((6, 1), dtype=int)
    assert [test.tolist() for _, test in plain.split(alike, alike)] == [[0, 3], [1, 4], [2, 5]]


def test_another_seed_gives_other_folds():
    y = genres(200)
    first, second = (
        [test.tolist() for _, test in MultilabelStratifiedKFold(3, random_state=seed).split(y, y)]
        for seed in (0, 1)
    )
    assert first != second


def test_without_a_seed_the_folds_come_from_numpys_own_state():
    y = genres(200)
    folds = MultilabelStratifiedKFold(3)
    first, second = (next(iter(folds.split(y, y)))[1] for _ in range(2))
    assert not np.array_equal(first, second)


def test_any_form_of_the_labels():
    y = genres(100)
    folds = MultilabelStratifiedKFold(3, random_state=0)
    expected = [test.tolist() for _, test in folds.split(y, y)]
    for same in (y.tolist(), y.astype(bool), csr_array(y), np.asfortranarray(y, dtype=float)):
        assert [test.tolist() for _, test in folds.split(range(100), same)] == expected


def test_groups_are_ignored_and_repr_shows_the_options():
    y = genres(30)
    folds = MultilabelStratifiedKFold(3, random_state=0)
    with_groups, without = (
        [test.tolist() for _, test in folds.split(y, y, groups)] for groups in ([1, 2], None)
    )
    assert with_groups == without
    assert repr(folds) == "MultilabelStratifiedKFold(n_splits=3, random_state=0, shuffle=True)"


def test_scikit_learn_takes_it_for_a_splitter():
    y = genres(90, 4)
    scores = cross_val_score(
        KNeighborsClassifier(3), y + 0.1, y, cv=MultilabelStratifiedKFold(3, random_state=0)
    )
    assert scores.shape == (3,)
    assert scores.min() > 0.9


def test_many_rows_take_little_time():
    y = genres(30_000)
    start = time.process_time()
    list(MultilabelStratifiedKFold(10, random_state=0).split(y, y))
    # About a tenth of it on a slow machine.
    assert time.process_time() - start < 2


def test_unequal_shares_are_met_exactly_in_rows_and_nearly_in_labels():
    y = genres(1000).astype(bool)
    shares = [500, 300, 150, 50]
    parts = assign_parts(y, shares, np.random.RandomState(0))
    assert np.bincount(parts).tolist() == shares
    counts = np.array([y[parts == part].sum(axis=0) for part in range(4)])
    assert (np.abs(counts - np.outer(np.array(shares) / 1000, y.sum(axis=0))) < 4).all()


@settings(max_examples=100)
@given(label_matrices(1), st.lists(st.integers(1, 9), min_size=1, max_size=5))
def test_shares_that_are_no_whole_numbers_of_rows_are_rounded(y, shares):
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
def test_bad_options(options, message):
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
def test_bad_labels(y, message):
    with pytest.raises(ValueError, match=message):
        list(MultilabelStratifiedKFold().split(np.zeros((4, 1)), y))
