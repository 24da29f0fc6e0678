"""Fits that read rows part by part and score a sample of them, against fits in memory."""

import numpy as np
import pytest
import scipy.sparse as sp

import multimodal_ensemble._row_sample as row_sample
import multimodal_ensemble.linear._decomposition as decomposition
import multimodal_ensemble.linear._scored_rows as scored_rows
from multimodal_ensemble._row_sample import sample_rows
from multimodal_ensemble._row_views import MappedRows, SelectedRows, take_rows
from multimodal_ensemble.linear import Block, PlattScaling, fit_ridge
from tests.lazy_rows import LazyRows

N_ROWS = 300


@pytest.fixture(scope="module")
def data():
    generator = np.random.default_rng(0)
    numbers = generator.normal(2, 3, (N_ROWS, 8)).astype("float32")
    tags = sp.random(N_ROWS, 20, 0.1, "csr", random_state=0, dtype="float32")
    y = numbers[:, :4] + generator.normal(0, 3, (N_ROWS, 4)) > [2, 3, 4, 8]
    return numbers, tags, y


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr("multimodal_ensemble.linear._row_parts._NUMBERS_PER_CHUNK", 400)
    monkeypatch.setattr("multimodal_ensemble.linear._scored_rows._NUMBERS_PER_CHUNK", 700)
    monkeypatch.setattr("multimodal_ensemble._row_views._ROWS_PER_READING", 30)


def make_blocks(numbers, tags, weight):
    present = np.arange(N_ROWS) % 5 > 0
    return [
        Block.fit(numbers, standardize=True, present=present, sample_weight=weight),
        Block.fit(tags, standardize=False, sample_weight=weight, zeros_are_missing=True),
    ]


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("max_inner_products", [6000, 10])
@pytest.mark.parametrize("with_groups", [False, True])
def test_rows_that_are_read_part_by_part_give_the_same_fit(
    data, with_groups, max_inner_products, monkeypatch
):
    numbers, tags, y = data
    if max_inner_products < N_ROWS:
        monkeypatch.setattr(decomposition, "MAX_EXACT", 5)
        monkeypatch.setattr(decomposition, "_TRUNCATED", 28)
    monkeypatch.setattr(decomposition, "_MAX_INNER_PRODUCTS", max_inner_products)
    generator = np.random.default_rng(1)
    weight = generator.uniform(0.5, 2, N_ROWS)
    groups = generator.integers(0, 90, N_ROWS) if with_groups else None
    here = generator.random(N_ROWS) < 0.8
    fits = []
    for lazy in (False, True):
        blocks = make_blocks(*map(LazyRows, (numbers, tags)), weight) if lazy else (
            make_blocks(numbers, tags, weight)
        )  # fmt: skip
        fits.append(
            fit_ridge(
                [block.take(here) for block in blocks],
                SelectedRows(y, np.flatnonzero(here)) if lazy else y[here],
                sample_weight=weight[here],
                groups=None if groups is None else groups[here],
            )
        )
    in_memory, lazy = fits
    np.testing.assert_array_equal(lazy.penalties, in_memory.penalties)
    np.testing.assert_allclose(lazy.scores, in_memory.scores, atol=1e-10)
    for one, other in zip(lazy.coefficients, in_memory.coefficients, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-10)


def test_a_fit_reads_the_rows_three_times(data):
    numbers, _, y = data
    rows = LazyRows(numbers)
    fit_ridge([Block.fit(rows, standardize=True)], y)
    # For mean and spread, for inner products, and for scores.
    assert rows.n_read == 3 * N_ROWS


@pytest.mark.parametrize("with_groups", [False, True])
def test_a_sample_has_the_scores_and_all_rows_the_coefficients(data, with_groups, monkeypatch):
    numbers, tags, y = data
    groups = np.arange(N_ROWS) * 7 % 60 if with_groups else None
    blocks = make_blocks(numbers, tags, None)
    every = fit_ridge(blocks, y, groups=groups, penalties=[2.0])
    monkeypatch.setattr(row_sample, "MAX_SCORED", 100)
    sampled = fit_ridge(blocks, y, groups=groups, penalties=[2.0])
    assert len(sampled.scored) == 100
    np.testing.assert_allclose(sampled.scores, every.scores[sampled.scored], atol=1e-12)
    for one, other in zip(sampled.coefficients, every.coefficients, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)
    if with_groups:
        assert len(np.unique(groups[sampled.scored])) == 20


@pytest.mark.parametrize("with_groups", [False, True])
def test_directions_and_scores_that_do_not_fit_are_computed_again(data, with_groups, monkeypatch):
    numbers, tags, y = data
    groups = np.arange(N_ROWS) * 7 % 60 if with_groups else None
    blocks = make_blocks(numbers, tags, None)
    at_once = fit_ridge(blocks, y, groups=groups)
    monkeypatch.setattr(scored_rows, "_MAX_KEPT", 20_000)
    # One label after the other.
    monkeypatch.setattr(scored_rows, "_MAX_SCORES", {True: 10, False: 10})
    again = fit_ridge(blocks, y, groups=groups)
    assert len(np.unique(at_once.penalties)) > 1
    np.testing.assert_array_equal(again.penalties, at_once.penalties)
    np.testing.assert_allclose(again.scores, at_once.scores, atol=1e-12)


@pytest.mark.parametrize("with_groups", [False, True])
def test_the_sample_of_some_rows_holds_what_the_sample_of_all_has_of_them(with_groups, monkeypatch):
    monkeypatch.setattr(row_sample, "MAX_SCORED", 100)
    generator = np.random.default_rng(0)
    groups = generator.integers(0, 150, 1000) if with_groups else None
    every = sample_rows(1000, groups=groups, seed=1)
    assert not np.array_equal(every, sample_rows(1000, groups=groups, seed=2))
    for share in (0.05, 0.3, 0.95):
        here = generator.random(1000) < share
        some = sample_rows(1000, groups=groups, here=here, seed=1)
        assert here[some].all()
        assert (np.diff(some) > 0).all()
        assert set(some) >= set(every[here[every]])
        assert len(some) >= min(100, here.sum())
        if groups is None:
            assert len(some) == min(100, here.sum())
        elif here.sum() > 100:
            taken = np.isin(groups, groups[some]) & here
            np.testing.assert_array_equal(some, np.flatnonzero(taken))
            assert len(some) < 120


def test_rows_are_read_together_and_only_where_they_are_needed(monkeypatch):
    monkeypatch.setattr("multimodal_ensemble._row_views._ROWS_PER_READING", 10)
    matrix = np.arange(200.0).reshape(100, 2)
    positions = np.array([3, 4, 7, 50, 98])
    for given in (LazyRows(matrix), LazyRows(sp.csr_matrix(matrix)), matrix):
        taken = take_rows(given, positions)[0:5]
        dense = taken.toarray() if hasattr(taken, "toarray") else taken
        np.testing.assert_array_equal(dense, matrix[positions])
    lazy = LazyRows(matrix)
    assert take_rows(take_rows(lazy, positions), np.array([0, 2]))[0:2][:, 0].tolist() == [6, 14]
    assert lazy.n_read == 5
    calls = []
    squares = MappedRows(lazy, lambda rows: calls.append(len(rows)) or rows**2, 2)
    np.testing.assert_array_equal(take_rows(squares, positions)[1:4], matrix[positions[1:4]] ** 2)
    assert calls == [3]
    np.testing.assert_array_equal(squares.in_memory(), matrix**2)
    assert take_rows(lazy, positions)[5:5].shape == (0, 2)
    sparse = MappedRows(sp.csr_matrix(matrix), lambda rows: rows**2, 2)
    np.testing.assert_array_equal(sparse.in_memory(), matrix**2)


def test_the_scores_of_a_label_without_rows_are_scaled_like_those_of_the_others():
    generator = np.random.default_rng(0)
    y = generator.random((200, 2)) < [0.5, 0]
    scores = np.hstack(
        [y[:, :1] + generator.normal(size=(200, 1)), generator.normal(size=(200, 1))]
    )
    scaling = PlattScaling.fit(scores, y)
    own = PlattScaling.fit(scores[:, :1], y[:, :1])
    assert scaling.slope[1] * scores[:, 1].std() == pytest.approx(own.slope[0] * scores[:, 0].std())
    share = 1 / (1 + np.exp(-scaling.log_odds(scores)))
    assert share[:, 1].mean() == pytest.approx(1 / 202, rel=1e-4)
