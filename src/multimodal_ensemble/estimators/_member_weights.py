"""Weights of members, learned from scores of rows by models without these rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from multimodal_ensemble.estimators._rows import Rows
from multimodal_ensemble.fusion import MemberLayout, fuse_evidence
from multimodal_ensemble.model_selection import MultilabelStratifiedKFold

# The penalty on the squared distance from equal weights: worth as much as so many rows.
_SHRINKAGE = 10.0


def learn_weights(
    layouts: Sequence[MemberLayout],
    log_odds: Sequence[NDArray[np.float64]],
    presences: Sequence[NDArray[np.float64]],
    rows: Rows,
    seed: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the weights of all members, of shape (n_members, n_labels), and the evidence.

    Weights are not negative, and are drawn towards 1. The evidence of each row comes from weights
    that were learned without its fold, so that thresholds are not learned from the rows that the
    weights were fitted to.
    """
    y = rows.y
    weight = np.ones(len(y)) if rows.weight is None else rows.weight / rows.weight.mean()
    # What each member adds to the evidence with weight 1.
    nothing = [np.zeros_like(odds) for odds in log_odds]
    shares = np.stack(
        [
            fuse_evidence(layouts, [*nothing[:at], log_odds[at], *nothing[at + 1 :]], presences)
            for at in range(len(layouts))
        ]
    )
    evidence = np.zeros(y.shape)
    folds: Any = ()
    if rows.n_folds > 1:
        splitter = MultilabelStratifiedKFold(rows.n_folds, random_state=seed)
        folds = splitter.split(y, y.astype(int), groups=rows.groups)
    for train, test in folds:
        without = _fit_all(shares[:, train], y[train], weight[train])
        evidence[test] = np.einsum("ml,mnl->nl", without, shares[:, test])
    return _fit_all(shares, y, weight), evidence


def _fit_all(
    shares: NDArray[np.float64], y: NDArray[np.bool_], weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    columns = range(y.shape[1])
    return np.stack([_fit(shares[:, :, each].T, y[:, each], weight) for each in columns], axis=1)


def _fit(
    shares: NDArray[np.float64], y: NDArray[np.bool_], weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the weights of one label, by penalised logistic regression."""
    n_members = shares.shape[1]
    if y.all() or not y.any():
        return np.ones(n_members)

    def loss(values: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights, intercept = values[:-1], values[-1]
        odds = shares @ weights + intercept
        residual = weight * (expit(odds) - y)
        distance = weights - 1
        total = (weight * (np.logaddexp(0, odds) - y * odds)).sum() + _SHRINKAGE * (
            distance @ distance
        )
        gradient = np.append(shares.T @ residual + 2 * _SHRINKAGE * distance, residual.sum())
        return float(total), gradient

    share = float(np.average(y, weights=weight))
    start = np.append(np.ones(n_members), np.log(share / (1 - share)))
    bounds = [(0, None)] * n_members + [(None, None)]
    result = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    weights: NDArray[np.float64] = result.x[:-1]
    return weights
