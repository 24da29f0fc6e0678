"""Groups of rows, such as those of one customer, which no split divides."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from multimodal_ensemble.cli._command import Add
from multimodal_ensemble.cli._console import Console
from multimodal_ensemble.cli._encoders import check_columns
from multimodal_ensemble.cli._errors import CommandError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


def add_groups(add: Add, splits: str) -> None:
    """Add the column of groups; the help says which splits keep them together."""
    add(
        "--groups",
        metavar="COLUMN",
        help=f"column with the group of each row, such as a customer; {splits} never divide a "
        "group; it is not learned from",
    )


def read_groups(table: pd.DataFrame, values: argparse.Namespace) -> pd.Series | None:
    """Return the number of each row's group, or None without ``--groups``."""
    import pandas as pd

    from multimodal_ensemble._tables import is_missing, number_groups

    name = values.groups
    if name is None:
        return None
    if name in values.labels:
        msg = f"The column {name!r} is named for two purposes; name it once."
        raise UsageError(msg)
    check_columns(table, [name])
    if empty := [number for number, value in table[name].items() if is_missing(value)]:
        msg = (
            f"--groups: the column {name!r} has no value in {len(empty):,} of {len(table):,} rows, "
            f"the first is row {empty[0]}. Leave these rows out, or give each row that belongs to "
            "no other row a group of its own."
        )
        raise CommandError(msg)
    numbers = number_groups(table[name], len(table), name=f"--groups {name}")
    groups = pd.Series(numbers, index=table.index)
    check_groups(groups, name, at_least=2, why="rows of one group are never divided")
    return groups


def check_groups(groups: Any, name: str, *, at_least: int, why: str) -> None:
    """Raise a CommandError if there are fewer groups; the message says why they are needed."""
    n_groups = len(set(groups))
    if n_groups < at_least:
        found = "1 group" if n_groups == 1 else f"{n_groups} groups"
        msg = (
            f"--groups: the column {name!r} has {found} in {len(groups):,} rows, and at least "
            f"{at_least} are needed, because {why}. Name another column."
        )
        raise CommandError(msg)


def warn_of_shared_groups(
    train: pd.DataFrame, test: pd.DataFrame, name: str, console: Console
) -> None:
    """Warn of rows of another file that are of the groups of training rows."""
    if name not in test:
        return
    # A value that is no group is refused before the training.
    _number(test[name])
    if n_shared := int(test[name].isin(set(train[name])).sum()):
        console.warn(
            f"{n_shared:,} of {len(test):,} test rows are of groups in {name!r} that training rows "
            "are of, so that the figures may be too good."
        )


def number_test_groups(
    table: pd.DataFrame, name: str | None, is_known: NDArray[np.bool_], console: Console
) -> NDArray[np.intp] | None:
    """Return the groups of test rows for intervals; rows without a value are groups of their own.

    None stands for rows that do not have the column, or are all of one group. Intervals have the
    rows whose labels are known alone, so that the others do not count as groups.
    """
    import numpy as np

    if name is None or name not in table or not is_known.any():
        return None
    numbers = _number(table[name])
    is_alone = numbers < 0
    numbers[is_alone] = len(numbers) + np.arange(is_alone.sum())
    if len(set(numbers[is_known].tolist())) < 2:
        rows = "test rows" if is_known.all() else "test rows with known labels"
        console.warn(
            f"all {rows} are of one group in {name!r}, so that the intervals cover other rows "
            "of this group alone."
        )
        return None
    return np.asarray(numbers, dtype=np.intp)


def take_groups(groups: pd.Series | None, rows: Sequence[int]) -> dict[str, Any]:
    """Return the argument `groups` of ``fit`` for some rows; empty without groups."""
    return {} if groups is None else {"groups": groups.iloc[list(rows)]}


def _number(column: pd.Series) -> NDArray[np.intp]:
    """Return the number of the group of each row, and -1 for a row without a value."""
    import pandas as pd

    try:
        numbers, _ = pd.factorize(column)
    except TypeError as error:
        msg = (
            f"The column of groups, {column.name!r}, must have one string or number per row "
            f"({error})."
        )
        raise CommandError(msg) from error
    return numbers
