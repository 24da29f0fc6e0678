"""The inputs of metrics: labels, scores, weights and thresholds, paired by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._known_labels import read_known_labels
from multimodal_ensemble._label_names import in_label_order, names_of
from multimodal_ensemble._tables import check_same_index, from_arrow
from multimodal_ensemble._validation import (
    FloatArray,
    ScoreArray,
    check_label_matrix,
    check_label_names,
    check_sample_weight,
    check_scores,
)


@dataclass(frozen=True, eq=False)
class Inputs:
    """Checked inputs, with the columns of all of them in the order of `y_true`."""

    positive: NDArray[np.bool_]
    # float32 or float64, as given.
    scores: ScoreArray
    # Of rows, or of rows and labels.
    weights: FloatArray | None
    # Names for messages and tables.
    names: list[str]
    # What the labels are called, or None if nobody says.
    labels: list[Any] | None
    # Which entries of `positive` are known; None for all of them.
    known: NDArray[np.bool_] | None = None

    def read_thresholds(self, thresholds: Any) -> Any:
        """Return thresholds in the order of the labels."""
        return in_label_order(thresholds, self.labels, name="thresholds")


def read_inputs(
    y_true: Any,
    y_score: Any,
    *,
    sample_weight: Any = None,
    labels: Sequence[str] | None = None,
    may_be_unknown: bool = False,
) -> Inputs:
    """Check inputs, and pair rows and columns by name where both sides have names.

    Where labels `may_be_unknown`, entries of `y_true` may be NaN.
    """
    check_same_index(y_true=y_true, y_score=y_score, sample_weight=sample_weight)
    y_true, y_score = from_arrow(y_true, name="y_true"), from_arrow(y_score, name="y_score")
    sample_weight = from_arrow(sample_weight, name="sample_weight")
    columns = getattr(y_true, "columns", None)
    if hasattr(y_score, "columns"):
        y_score = in_label_order(y_score, columns, name="y_score")
        columns = y_score.columns if columns is None else columns
    positive, known = (
        read_known_labels(y_true) if may_be_unknown else (check_label_matrix(y_true), None)
    )
    scores = check_scores(y_score, positive.shape)
    weights = check_sample_weight(sample_weight, *positive.shape)
    names = check_label_names(labels, positive.shape[1], columns=columns)
    named = names if labels is not None else columns
    return Inputs(positive, scores, weights, names, None if named is None else list(named), known)


def read_scores(y_score: Any, thresholds: Any) -> tuple[ScoreArray, Any]:
    """Return checked scores, and thresholds in the order of their columns."""
    y_score = from_arrow(y_score, name="y_score")
    labels = names_of(y_score) if hasattr(y_score, "columns") else None
    return check_scores(y_score), in_label_order(thresholds, labels, name="thresholds")
