"""Weights of members, learned from scores of rows by models without these rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from multimodal_ensemble.estimators._scored import Scored
from multimodal_ensemble.fusion import MemberLayout, fuse_evidence
from multimodal_ensemble.linear import prior_log_odds

# The penalty on the squared distance from equal weights: worth as much as so many rows.
_SHRINKAGE = 30.0
# A weight that changes faster than the square of the number of tokens is an artefact of few rows.
_LARGEST_EXPONENT = 2.0
# Scores that are read: a few numbers per member do not get better with more.
_MAX_SCORES = 300_000
# Log-odds of all members that are weighed at once.
_MAX_NUMBERS = 2**22


@dataclass(frozen=True, eq=False)
class MemberWeights:
    """How much each member counts, and how that changes with the tokens of a row.

    The weight of a member in a row of k tokens is ``weight * (k / k_0) ** exponent``, where the
    logarithm of k_0 is the mean of the scored rows with tokens. k is limited to the range of
    these rows. In a row without tokens, it is the weight itself.

    Parameters
    ----------
    weights : ndarray of shape (n_members,)
        Weights, not negative.
    exponents : ndarray of shape (n_members,)
        Exponents, 0 where weights are not learned or no row has tokens.
    log_counts : ndarray of shape (3,)
        Mean, smallest and largest logarithm of the number of tokens in a scored row.
    """

    weights: NDArray[np.float64]
    exponents: NDArray[np.float64]
    log_counts: NDArray[np.float64]

    @classmethod
    def constant(cls, weights: NDArray[np.float64]) -> MemberWeights:
        """Return weights that are the same in all rows."""
        return cls(weights, np.zeros(len(weights)), np.zeros(3))

    def weigh(
        self,
        layouts: Sequence[MemberLayout],
        log_odds: Sequence[NDArray[np.float64]],
        presences: Sequence[NDArray[np.float64]],
        n_tokens: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """Return the evidence of all members for each label, of shape (n, n_labels)."""
        n_rows, n_labels = log_odds[0].shape
        evidence = np.empty((n_rows, n_labels))
        # Each member needs a few copies of its log-odds.
        step = max(1, _MAX_NUMBERS // max(1, len(layouts) * n_labels))
        for start in range(0, n_rows, step):
            part = slice(start, start + step)
            amounts = _amounts(n_tokens[part], self.log_counts)
            weighted = [
                odds[part] * (weight * np.exp(exponent * amounts))
                for odds, weight, exponent in zip(
                    log_odds, self.weights, self.exponents, strict=True
                )
            ]
            here = [presence[part] for presence in presences]
            evidence[part] = fuse_evidence(layouts, weighted, here)
        return evidence


def learn_weights(
    layouts: Sequence[MemberLayout],
    log_odds: Sequence[NDArray[np.float64]],
    presences: Sequence[NDArray[np.float64]],
    n_tokens: NDArray[np.float64],
    rows: Scored,
    seed: int,
) -> MemberWeights:
    """Return the weights that make the labels of the rows most likely.

    All labels share the weights and exponents, so that there are many more scores than numbers to
    fit. Weights are not negative and are drawn towards 1, exponents towards 0.
    """
    y, weight = rows.y, rows.weight
    n_members = len(layouts)
    use = np.arange(len(y))
    n_rows = max(1000, _MAX_SCORES // max(1, y.shape[1]))
    if len(y) > n_rows:
        use = np.sort(np.random.default_rng(seed).choice(len(y), n_rows, replace=False))
    weight = np.ones((len(y), 1)) if weight is None else weight.reshape(len(y), -1)
    is_used = weight[use] > 0
    has_both = (y[use] & is_used).any(axis=0) & (~y[use] & is_used).any(axis=0)
    labels = np.flatnonzero(has_both)
    log_counts = _describe_counts(n_tokens)
    if not len(labels) or (n_members == 1 and not n_tokens.any()):
        return MemberWeights(np.ones(n_members), np.zeros(n_members), log_counts)
    amounts = _amounts(n_tokens[use], log_counts)[:, 0]
    y = y[np.ix_(use, labels)]
    weight = weight[use] if weight.shape[1] == 1 else weight[np.ix_(use, labels)]
    weight = weight / weight[weight > 0].mean()
    shares = _shares(
        layouts, [odds[np.ix_(use, labels)] for odds in log_odds], [p[use] for p in presences]
    )

    def loss(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights, exponents = values[:n_members], values[n_members : 2 * n_members]
        powers = np.exp(exponents[:, np.newaxis] * amounts)
        odds = np.broadcast_to(values[2 * n_members :], y.shape).copy()
        for share, factor in zip(shares, weights[:, np.newaxis] * powers, strict=True):
            odds += share * factor[:, np.newaxis]
        residual = weight * (expit(odds) - y)
        total = (weight * (np.logaddexp(0, odds) - y * odds)).sum()
        distance = np.concatenate([weights - 1, exponents])
        per_row = powers * np.stack([(share * residual).sum(axis=1) for share in shares])
        gradient = np.concatenate([per_row.sum(axis=1), weights * (per_row @ amounts)])
        gradient += 2 * _SHRINKAGE * distance
        penalty = _SHRINKAGE * float(distance @ distance)
        return float(total) + penalty, np.concatenate([gradient, residual.sum(axis=0)])

    start = np.concatenate([np.ones(n_members), np.zeros(n_members), prior_log_odds(y, weight)])
    bounds = [(0.0, math.inf)] * n_members
    bounds += [(-_LARGEST_EXPONENT, _LARGEST_EXPONENT)] * n_members
    bounds += [(-math.inf, math.inf)] * len(labels)
    result = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    weights, exponents = result.x[:n_members], result.x[n_members : 2 * n_members]
    return MemberWeights(weights, exponents, log_counts)


def _shares(
    layouts: Sequence[MemberLayout],
    log_odds: Sequence[NDArray[np.float64]],
    presences: Sequence[NDArray[np.float64]],
) -> list[NDArray[np.float64]]:
    """Return what each member adds to the evidence with weight 1."""
    nothing = [np.zeros_like(odds) for odds in log_odds]
    return [
        fuse_evidence(layouts, [*nothing[:at], odds, *nothing[at + 1 :]], presences)
        for at, odds in enumerate(log_odds)
    ]


def _describe_counts(n_tokens: NDArray[np.float64]) -> NDArray[np.float64]:
    logarithms = np.log(n_tokens[n_tokens > 0])
    if not len(logarithms):
        return np.zeros(3)
    return np.array([logarithms.mean(), logarithms.min(), logarithms.max()])


def _amounts(n_tokens: NDArray[np.float64], log_counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``ln(k / k_0)`` of each row, of shape (n, 1), and 0 in a row without tokens."""
    mean, least, most = log_counts
    amounts = np.clip(np.log(np.maximum(n_tokens, 1)), least, most) - mean
    return np.where(n_tokens > 0, amounts, 0.0)
