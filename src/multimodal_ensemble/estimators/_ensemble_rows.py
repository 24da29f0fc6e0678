"""The rows that an ensemble is fitted to."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from multimodal_ensemble._tables import number_groups
from multimodal_ensemble.estimators._rows import (
    Rows,
    TrainingRows,
    read_all_rows,
    warn_of_absent_labels,
)


def read_ensemble_rows(
    estimator: Any, X: Any, y: Any, sample_weight: Any, groups: Any
) -> TrainingRows:
    """Read and check what `MultimodalEnsemble.fit` receives; `estimator` is not changed.

    Rows of weight 0 are left out, and the others have the numbers of their groups.
    """
    read = read_all_rows(estimator, X, y, sample_weight, groups=groups)
    rows = _take_used(read.train, groups)
    warn_of_absent_labels(rows.y, read.labels)
    return dataclasses.replace(read, train=rows, validation=rows)


def _take_used(rows: Rows, groups: Any) -> Rows:
    if groups is not None:
        rows = dataclasses.replace(rows, groups=number_groups(groups, len(rows.y)))
    if rows.weight is not None:
        is_used = rows.weight.reshape(len(rows.y), -1).any(axis=1)
        rows = rows if is_used.all() else rows.take(np.flatnonzero(is_used))
    if rows.groups is not None and not np.ptp(rows.groups):
        msg = (
            "groups must hold at least two groups, because each is left out in turn. Received one "
            f"group for all {len(rows.y)} rows."
        )
        raise ValueError(msg)
    return rows
