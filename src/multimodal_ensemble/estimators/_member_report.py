"""What a member of an ensemble sees, and how good it is alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble.estimators._members import FittedMember
from multimodal_ensemble.estimators._scored import Scored
from multimodal_ensemble.metrics import compute_score


def describe_member(
    member: FittedMember, scored: Scored, presence: NDArray[np.int8]
) -> dict[str, Any]:
    """Return what a member sees, and its mean ROC-AUC on the rows where it has something to say.

    `presence` is that of all training rows, and the ROC-AUC that of the scored ones among them.
    """
    here = presence[:, 0] > 0
    of_scored = here[scored.positions]
    penalties = member.penalties
    return {
        "member": member.layout.name,
        "modalities": ", ".join(member.layout.takes),
        "n_rows": int(here.sum()),
        "mean_roc_auc": compute_score(
            "mean_roc_auc", scored.truth[of_scored], member.log_odds[of_scored]
        ),
        "median_penalty": np.nan if penalties is None else float(np.median(penalties)),
    }


def print_member(described: dict[str, Any], seconds: float, *, is_exact: bool) -> None:
    """Print one line about a member."""
    print(
        f"Member {described['member']}: {described['n_rows']:,} rows, "
        f"mean ROC-AUC {described['mean_roc_auc']:.3f}, {seconds:.1f} s"
        + ("" if is_exact else ", leading directions only"),
        flush=True,
    )
