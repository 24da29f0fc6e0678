"""What `ValidationScoring` knows of a training so far."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass
class ScoringState:
    """All that scoring has to remember to go on.

    Parameters
    ----------
    losses : deque of (float, float)
        Sum of the loss and of the weights of rows, for each of the last batches.
    step, epoch : int
        Batches so far, and passes, with the one that has begun.
    rows : list of dict
        Of the history.
    best_step, best_roc_auc, best_weights
        When the best score was reached, the score, and the weights there.
    since_best : int
        Scorings since then.
    seconds : float
        How long training took before it was resumed.
    """

    losses: deque[tuple[float, float]]
    step: int = 0
    epoch: int = 0
    rows: list[dict[str, Any]] = field(default_factory=list)
    best_step: int | None = None
    best_roc_auc: float = -np.inf
    best_weights: list[NDArray[Any]] = field(default_factory=list)
    since_best: int = 0
    seconds: float = 0.0

    def describe_weights(self) -> str:
        """Return which weights the model is left with when training is cut short now."""
        if self.best_step is None:
            return "No scoring was made yet, so the model has the weights of that moment"
        return (
            f"The model has the weights of batch {self.best_step}, the best so far (mean ROC-AUC "
            f"{self.best_roc_auc:.4f})"
        )

    def to_json(self) -> dict[str, Any]:
        """Return everything but the weights, of the types that JSON knows."""
        return {
            "losses": list(self.losses),
            "step": self.step,
            "epoch": self.epoch,
            "rows": self.rows,
            "best_step": self.best_step,
            "best_roc_auc": self.best_roc_auc,
            "since_best": self.since_best,
            "seconds": self.seconds,
        }

    @classmethod
    def from_json(
        cls, values: dict[str, Any], best_weights: list[NDArray[Any]], *, loss_window: int
    ) -> ScoringState:
        """Return the state that was written."""
        losses = [(loss, rows) for loss, rows in values["losses"]]
        return cls(
            **{**values, "losses": deque(losses, maxlen=loss_window)}, best_weights=best_weights
        )
