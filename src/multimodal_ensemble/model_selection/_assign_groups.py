"""Divide groups of rows into parts with nearly equal label frequencies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._tables import check_same_index, number_groups


def read_groups(groups: Any, y: Any, *, at_least: int) -> NDArray[np.intp]:
    """Return the number of each row's group, or raise a ValueError if there are too few groups."""
    check_same_index(y=y, groups=groups)
    numbers = number_groups(groups, y.shape[0] if hasattr(y, "shape") else len(y))
    n_groups = int(numbers.max()) + 1
    if n_groups < at_least:
        msg = (
            f"groups must have at least {at_least} different groups, one for each part. Received "
            f"{n_groups}."
        )
        raise ValueError(msg)
    return numbers


def assign_groups(
    y: NDArray[np.bool_],
    groups: NDArray[np.intp],
    shares: Sequence[int],
    rng: np.random.RandomState | None,
) -> NDArray[np.intp]:
    """Return the part of each group, from 0; all of a group's rows are in its part.

    `groups` holds the number of each row's group, from 0. Groups are processed in order of their
    weight, those that are hardest to place first. Each goes to the part that then deviates least
    from its share of all rows and of the rows of each label. Every part gets a group. `rng`
    decides among groups of equal weight; None keeps their order.
    """
    n_groups = int(groups.max()) + 1
    # The rows themselves count as one more label, with the weight of all labels together.
    counts = _count_labels(y, groups, n_groups)
    totals = counts.sum(axis=0)
    importance = np.divide(1.0, totals**2, out=np.zeros(len(totals)), where=totals > 0)
    importance[-1] *= max(np.count_nonzero(totals) - 1, 1)
    part_shares = np.array(shares, dtype=np.float64) / sum(shares)
    targets = np.outer(part_shares, totals)

    order = np.arange(n_groups) if rng is None else rng.permutation(n_groups)
    weights = (counts**2 @ importance)[order]
    order = order[np.argsort(-weights, kind="stable")]
    parts = np.empty(n_groups, dtype=np.intp)
    surplus = -targets
    is_empty = np.ones(len(shares), dtype=bool)
    for n_done, group in enumerate(order.tolist()):
        labels = np.flatnonzero(counts[group])
        added = counts[group, labels]
        # How much the sum of squared deviations grows, relative to the share of each part.
        growth = (2 * surplus[:, labels] + added) @ (added * importance[labels]) / part_shares
        if n_groups - n_done <= is_empty.sum():
            growth[~is_empty] = np.inf
        part = int(np.argmin(growth))
        parts[group] = part
        surplus[part, labels] += added
        is_empty[part] = False
    return parts


def labels_in_groups(y: NDArray[np.bool_], groups: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Return which labels the rows of each group have, of shape ``(n_groups, n_labels)``."""
    present = np.zeros((int(groups.max()) + 1, y.shape[1]), dtype=bool)
    rows, labels = np.nonzero(y)
    present[groups[rows], labels] = True
    return present


def _count_labels(
    y: NDArray[np.bool_], groups: NDArray[np.intp], n_groups: int
) -> NDArray[np.float64]:
    """Return the number of each group's rows with each label, and of all its rows at the end."""
    counts = np.zeros((n_groups, y.shape[1] + 1))
    rows, labels = np.nonzero(y)
    np.add.at(counts, (groups[rows], labels), 1)
    counts[:, -1] = np.bincount(groups, minlength=n_groups)
    return counts
