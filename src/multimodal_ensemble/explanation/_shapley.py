"""Shapley values of a function of present players."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._validation import FloatArray, check_at_least

# All subsets of this many players are 64 calls; of more, permutations are drawn.
MAX_EXACT = 6
_N_PERMUTATIONS = 64


def shapley_values(
    value: Callable[[NDArray[np.bool_]], FloatArray], n_players: int, *, random_state: int = 0
) -> FloatArray:
    """Return the Shapley value of each player.

    The Shapley value of a player is the mean of what it adds to the players before it, over all
    orders in which the players may come [1]_. The values of all players add up to the value of all
    of them less that of none.

    Parameters
    ----------
    value : callable
        Takes which players are present, bool of shape ``(n_players,)``, and returns an array of any
        shape, the same for each call.
    n_players : int
        Number of players, at least 1.
    random_state : int, default=0
        Seeds the orders for more than six players.

    Returns
    -------
    ndarray of shape (n_players, ...)
        Exact for up to six players. For more, the mean over 64 orders: 32 random ones, each
        also in reverse [2]_. They add up exactly as well.

    References
    ----------
    .. [1] L. S. Shapley, "A value for n-person games", Contributions to the Theory of Games II,
       1953.
    .. [2] R. Mitchell, J. Cooper, E. Frank and G. Holmes, "Sampling permutations for Shapley value
       estimation", Journal of Machine Learning Research 23, 2022.

    Examples
    --------
    A pair is worth 10 more than its members alone, and each of them gets half of it:

    >>> from multimodal_ensemble.explanation import shapley_values
    >>> shapley_values(lambda present: 1.0 * present[0] + 10.0 * present.all(), 2).tolist()
    [6.0, 5.0]
    """
    check_at_least(n_players, 1, name="n_players")
    known: dict[tuple[int, ...], FloatArray] = {}

    def worth(players: tuple[int, ...]) -> FloatArray:
        players = tuple(sorted(players))
        if players not in known:
            present = np.zeros(n_players, dtype=bool)
            present[list(players)] = True
            known[players] = np.asarray(value(present), dtype=np.float64)
        return known[players]

    if n_players <= MAX_EXACT:
        return np.stack([_exact_value(worth, player, n_players) for player in range(n_players)])
    rng = np.random.default_rng(random_state)
    drawn = [tuple(rng.permutation(n_players).tolist()) for _ in range(_N_PERMUTATIONS // 2)]
    orders = [order for one in drawn for order in (one, one[::-1])]
    total = np.zeros((n_players, *worth(()).shape))
    for order in orders:
        for position, player in enumerate(order):
            total[player] += worth(order[: position + 1]) - worth(order[:position])
    return total / len(orders)


def _exact_value(
    worth: Callable[[tuple[int, ...]], FloatArray], player: int, n_players: int
) -> FloatArray:
    others = [other for other in range(n_players) if other != player]
    total: FloatArray = np.zeros_like(worth(()))
    for size in range(n_players):
        weight = 1 / (n_players * math.comb(n_players - 1, size))
        for before in itertools.combinations(others, size):
            total = total + weight * (worth((*before, player)) - worth(before))
    return total
