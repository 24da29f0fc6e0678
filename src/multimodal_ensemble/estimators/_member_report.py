"""What each member of an ensemble sees, and how good it is alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multimodal_ensemble.estimators._members import FittedMember
from multimodal_ensemble.estimators._rows import Rows
from multimodal_ensemble.metrics import mean_roc_auc


def report_member(
    member: FittedMember,
    rows: Rows,
    presence: Mapping[str, NDArray[np.float64]],
    seconds: float,
) -> None:
    here = member.layout.presence(dict(presence))[:, 0] > 0
    quality = mean_defined_roc_auc(rows.y[here], member.log_odds[here])
    print(
        f"Member {member.layout.name}: {int(here.sum()):,} rows, mean ROC-AUC {quality:.3f}, "
        f"{seconds:.1f} s" + ("" if member.is_exact else ", leading directions only"),
        flush=True,
    )


def describe_members(
    members: Sequence[FittedMember],
    rows: Rows,
    presences: Sequence[NDArray[np.float64]],
    weights: NDArray[np.float64],
) -> pd.DataFrame:
    """Return one row per member: what it sees, and how good it is alone."""
    table = []
    for member, presence, weight in zip(members, presences, weights, strict=True):
        here = presence[:, 0] > 0
        penalties = member.penalties
        table.append(
            {
                "member": member.layout.name,
                "modalities": ", ".join(member.layout.takes),
                "n_rows": int(here.sum()),
                "mean_roc_auc": mean_defined_roc_auc(rows.y[here], member.log_odds[here]),
                "median_penalty": np.nan if penalties is None else float(np.median(penalties)),
                "mean_weight": float(weight.mean()),
            }
        )
    return pd.DataFrame(table)


def mean_defined_roc_auc(y_true: NDArray[np.bool_], y_score: NDArray[np.floating]) -> float:
    """Return the mean over the labels with both classes; NaN if there are none."""
    both = y_true.any(axis=0) & ~y_true.all(axis=0)
    return float(mean_roc_auc(y_true[:, both], y_score[:, both])) if both.any() else float("nan")
