"""How often each row is drawn in each bootstrap resample."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._tables import number_groups
from multimodal_ensemble._validation import check_at_least


def bootstrap_counts(
    n_rows: int,
    n_resamples: int = 2000,
    *,
    stratify: Any = None,
    groups: Any = None,
    random_state: int = 0,
) -> NDArray[np.int32]:
    """Draw bootstrap resamples of rows, and return how often each row is in each of them.

    A resample draws as many rows as there are, with replacement. Models that are evaluated on the
    same resamples are compared in pairs, because what one resample makes easy, it makes easy for
    all of them.

    Parameters
    ----------
    n_rows : int
        The number of rows.
    n_resamples : int, default=2000
        The number of resamples.
    stratify : sequence of length n_rows, default=None
        The stratum of each row, a string or number. Each stratum then keeps its number of rows.
    groups : sequence of length n_rows, default=None
        The group of each row, a string or number, for rows that are not independent, such as the
        frames of one film. Whole groups are then drawn, as many as there are; resamples may differ
        in their number of rows. A group must not have rows in several strata.
    random_state : int, default=0
        The seed of the draws.

    Returns
    -------
    ndarray of shape (n_resamples, n_rows), int32
        Counts, 0 or more.

    Raises
    ------
    ValueError
        If a number is not positive, `stratify` or `groups` has the wrong length or missing values,
        or the rows of a group are in several strata.

    See Also
    --------
    resample_scores : The scores of a model on each resample.

    Notes
    -----
    The bootstrap is that of [1]_; drawing groups is their bootstrap of independent units.

    References
    ----------
    .. [1] B. Efron and R. J. Tibshirani, "An Introduction to the Bootstrap", Chapman & Hall, 1993.

    Examples
    --------
    >>> from multimodal_ensemble.metrics import bootstrap_counts
    >>> counts = bootstrap_counts(5, 1000)
    >>> counts.shape, set(counts.sum(axis=1).tolist())
    ((1000, 5), {5})
    >>> films = ["A", "A", "B", "B", "B"]
    >>> bootstrap_counts(5, 3, groups=films)[:, [0, 2]].sum(axis=1).tolist()
    [2, 2, 2]
    """
    units, strata = number_units(n_rows, stratify=stratify, groups=groups)
    return next(draw_units(units, strata, n_resamples, random_state))


def draw_units(
    unit_of_row: NDArray[np.intp],
    stratum_of_unit: NDArray[np.intp],
    n_resamples: int,
    random_state: int,
    *,
    n_held: int | None = None,
) -> Iterator[NDArray[np.int32]]:
    """Yield the counts of `bootstrap_counts` for the units and strata of `number_units`.

    Each part has `n_held` resamples, by default all of them. The counts do not depend on it.
    """
    check_at_least(n_resamples, 1, name="n_resamples")
    n_held = n_resamples if n_held is None else n_held
    n_strata = int(stratum_of_unit.max()) + 1
    units = [np.flatnonzero(stratum_of_unit == stratum) for stratum in range(n_strata)]
    rng = np.random.default_rng(random_state)
    generators = [rng] * n_strata
    if n_held < n_resamples:
        # All draws of a stratum precede those of the next one.
        for stratum in range(1, n_strata):
            generators[stratum - 1] = copy.deepcopy(rng)
            for _ in range(n_resamples):
                _draw(rng, len(units[stratum - 1]))
    has_groups = len(stratum_of_unit) < len(unit_of_row)
    for start in range(0, n_resamples, n_held):
        shape = min(n_held, n_resamples - start), len(stratum_of_unit)
        counts = np.empty(shape, dtype=np.int32)
        for of_stratum, generator in zip(units, generators, strict=True):
            for resample in counts:
                drawn = _draw(generator, len(of_stratum))
                resample[of_stratum] = np.bincount(drawn, minlength=len(of_stratum))
        yield counts[:, unit_of_row] if has_groups else counts


def _draw(rng: np.random.Generator, n_units: int) -> NDArray[np.int64]:
    return rng.integers(n_units, size=n_units)


def number_units(
    n_rows: int, *, stratify: Any, groups: Any
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the unit (group, or row without groups) of each row, and the stratum of each unit."""
    check_at_least(n_rows, 1, name="n_rows")
    units = np.arange(n_rows) if groups is None else number_groups(groups, n_rows)
    if stratify is None:
        return units, np.zeros(int(units.max()) + 1, dtype=np.intp)
    strata = number_groups(stratify, n_rows, name="stratify", item="stratum")
    _, first = np.unique(units, return_index=True)
    stratum_of_unit = strata[first]
    split = np.flatnonzero(stratum_of_unit[units] != strata)
    if len(split):
        row = int(split[0])
        msg = (
            f"stratify must put all rows of a group into the same stratum. Rows {first[units[row]]}"
            f" and {row} are of one group and of different strata. Stratify by a property of the "
            "groups, or omit stratify."
        )
        raise ValueError(msg)
    return units, stratum_of_unit
