"""Shapley values against all orders."""

import itertools

import numpy as np
import pytest

from multimodal_ensemble.explanation import shapley_values


def random_game(n_players, seed=0):
    """Return a function of present players with random values, of shape (2,)."""
    values = np.random.default_rng(seed).normal(size=(2**n_players, 2))
    return lambda present: values[int(present @ 2 ** np.arange(n_players))]


def mean_over_orders(value, n_players):
    orders = list(itertools.permutations(range(n_players)))
    total = np.zeros((n_players, 2))
    for order in orders:
        present = np.zeros(n_players, dtype=bool)
        for player in order:
            before = value(present)
            present[player] = True
            total[player] += value(present) - before
    return total / len(orders)


@pytest.mark.parametrize("n_players", [1, 2, 3, 6])
def test_exact_values_are_means_over_all_orders(n_players):
    value = random_game(n_players)
    expected = mean_over_orders(value, n_players)
    np.testing.assert_allclose(shapley_values(value, n_players), expected, atol=1e-12)


def test_sampled_values_add_up_exactly_and_are_close():
    value = random_game(7)
    found = shapley_values(value, 7)
    whole = value(np.ones(7, dtype=bool)) - value(np.zeros(7, dtype=bool))
    np.testing.assert_allclose(found.sum(axis=0), whole, atol=1e-12)
    assert np.abs(found - mean_over_orders(value, 7)).max() < 0.6
    np.testing.assert_array_equal(found, shapley_values(value, 7))
    assert (found != shapley_values(value, 7, random_state=1)).any()


def test_sampled_values_of_a_sum_are_exact():
    weights = np.arange(8.0)
    np.testing.assert_allclose(shapley_values(lambda present: weights @ present, 8), weights)


def test_no_player_is_refused():
    with pytest.raises(ValueError, match="n_players"):
        shapley_values(lambda present: 0.0, 0)
