"""A random sample of rows, where scores of all of them are not needed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Beyond this number of rows, scores of a sample choose penalties, calibration and thresholds.
MAX_SCORED = 200_000


def sample_rows(
    n_rows: int,
    *,
    groups: NDArray[np.intp] | None = None,
    here: NDArray[np.bool_] | None = None,
    seed: int = 0,
) -> NDArray[np.intp]:
    """Return the positions of at most 200,000 rows, ascending: all of them, or a random sample.

    Whole groups are taken until there are so many rows. With `here`, only these rows count. The
    result then holds all rows of a sample without `here` that are here, because both read the rows
    in the same random order.
    """
    n_here = n_rows if here is None else int(np.count_nonzero(here))
    if n_here <= MAX_SCORED:
        return np.arange(n_rows) if here is None else np.flatnonzero(here)
    generator = np.random.default_rng(seed)
    if groups is None:
        order = generator.permutation(n_rows)
        return np.sort((order if here is None else order[here[order]])[:MAX_SCORED])
    n_groups = int(groups.max()) + 1
    sizes = np.bincount(groups if here is None else groups[here], minlength=n_groups)
    order = generator.permutation(n_groups)
    n_before = np.cumsum(sizes[order]) - sizes[order]
    is_taken = np.zeros(n_groups, dtype=bool)
    is_taken[order[n_before < MAX_SCORED]] = True
    taken = is_taken[groups]
    return np.flatnonzero(taken if here is None else taken & here)
