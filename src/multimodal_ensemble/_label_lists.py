"""Lists of labels as a multi-hot matrix."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._label_names import as_strings
from multimodal_ensemble._label_strings import check_label_strings
from multimodal_ensemble._tables import abbreviate, counted, to_python
from multimodal_ensemble._warnings import warn

# How rows of a multi-hot matrix look when they are read as strings.
WRITTEN_BOOLEANS = frozenset(("0", "1", "0.0", "1.0", "False", "True", "false", "true"))


def read_lists(
    rows: list[Any], classes: NDArray[Any] | None, name: str
) -> tuple[NDArray[np.bool_], NDArray[Any]]:
    if not rows:
        msg = f"{name} has no rows."
        raise ValueError(msg)
    lengths = np.array([len(row) for row in rows])
    owners = np.repeat(np.arange(len(rows)), lengths)
    flat = [*itertools.chain.from_iterable(rows)]
    if not {*map(type, flat)} <= {str, int}:
        flat = [to_python(label) for label in flat]
    kinds = {*map(type, flat)}
    if not kinds <= {str} and not kinds <= {int}:
        named = sorted(kind.__name__ for kind in kinds)
        msg = f"The labels of {name} must be all strings or all whole numbers. Received {named}."
        raise ValueError(msg)
    present = {label: number for number, label in enumerate(dict.fromkeys(flat))}
    numbers = np.fromiter(map(present.__getitem__, flat), dtype=np.intp, count=len(flat))
    if kinds == {int}:
        _refuse_repeated(owners, numbers, rows, name)
    if present.keys() <= WRITTEN_BOOLEANS and lengths.min() == lengths.max() > 1:
        msg = (
            f"{name} has lists of one length that hold only {sorted(present)}, which look like the "
            "rows of a multi-hot matrix read as strings. Convert them to numbers 0 and 1, and pass "
            "them as one matrix."
        )
        raise ValueError(msg)
    # Names are compared as strings.
    known = {} if classes is None else dict(zip(as_strings(classes), classes.tolist(), strict=True))
    labels = [known.get(str(label), label) for label in present]
    check_label_strings(labels, classes, name=name)
    if classes is None:
        if not present:
            msg = f"{name} has no labels: all of its {len(rows)} lists are empty."
            raise ValueError(msg)
        classes = label_array(sorted(present))
    column_of = {label: column for column, label in enumerate(classes.tolist())}
    if unseen := {label for label in labels if label not in column_of}:
        warn_of_unseen(unseen, name)
    columns = np.array([column_of.get(label, -1) for label in labels], dtype=np.intp)[numbers]
    matrix = np.zeros((len(rows), len(classes)), dtype=bool)
    matrix[owners[columns >= 0], columns[columns >= 0]] = True
    return matrix, classes


def _refuse_repeated(
    owners: NDArray[np.intp], numbers: NDArray[np.intp], rows: list[Any], name: str
) -> None:
    """Raise a ValueError if some row has a number more than once."""
    pairs = np.stack([owners, numbers])
    _, firsts = np.unique(pairs, axis=1, return_index=True)
    repeated = np.setdiff1d(np.arange(len(numbers)), firsts)
    if len(repeated):
        position = int(owners[repeated[0]])
        row = [to_python(label) for label in rows[position]]
        msg = (
            f"{name} has a label more than once in row {position}: {row}. If these are "
            f"multi-hot rows, pass them as one matrix: numpy.stack({name})."
        )
        raise ValueError(msg)


def warn_of_unseen(unseen: set[Any], name: str) -> None:
    warn(
        f"{name} has {counted(len(unseen), 'label')} that no training row has and that cannot be "
        f"predicted: {abbreviate(sorted(unseen, key=str))}. "
        f"{'It is' if len(unseen) == 1 else 'They are'} left out."
    )


def label_array(labels: list[Any]) -> NDArray[Any]:
    """Return whole numbers as an integer array, and other labels as an object array."""
    are_whole = all(isinstance(label, int) for label in labels)
    if are_whole and (large := [label for label in labels if not -(2**63) <= label < 2**63]):
        msg = (
            "Labels that are whole numbers must fit 64 bits, from -2**63 to 2**63 - 1. Received "
            f"{abbreviate(large)}; pass the labels as strings."
        )
        raise ValueError(msg)
    return np.array(labels, dtype=None if are_whole else object)
