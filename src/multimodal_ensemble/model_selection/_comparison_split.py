"""What models say about the test rows of one split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any


@dataclass(frozen=True, eq=False)
class ComparisonSplit:
    """The scores of models on the test rows of one split, such as a fold.

    Parameters
    ----------
    rows : array-like of shape (n_test,), int
        Positions of the test rows in `y_true` of the comparison, from 0.
    y_scores : mapping of str to array-like of shape (n_test, n_labels)
        The scores of each model, by its name. They are of any range, higher for the positive
        class, and of models that were not fitted to these rows.
    thresholds : mapping of str to float or array-like of shape (n_labels,)
        The thresholds of each model, chosen on other rows.
    repeat : int, default=0
        The number of the repeat. Splits of one repeat have the same seed of training, such as the
        folds of one cross-validation.
    seconds : mapping of str to float, optional
        How long each model took for this split: fit, thresholds and scores.
    y_preds : mapping of str to array-like of shape (n_test, n_labels), optional
        What each model predicts, 0 or 1, in place of what its thresholds say. One of several
        classes per row depends on the scores of all classes.

    Examples
    --------
    >>> from multimodal_ensemble.model_selection import ComparisonSplit
    >>> split = ComparisonSplit([0, 2], {"tags": [[0.1], [0.7]]}, {"tags": 0.5})
    >>> split.repeat
    0
    """

    rows: Any
    y_scores: Mapping[str, Any]
    thresholds: Mapping[str, Any]
    repeat: int = 0
    seconds: Mapping[str, float] = field(default_factory=dict)
    y_preds: Mapping[str, Any] | None = None


def select_models(split: ComparisonSplit, models: Sequence[str]) -> ComparisonSplit:
    """Return a split with some of its models, in this order."""
    return replace(
        split,
        y_scores={model: split.y_scores[model] for model in models},
        thresholds={model: split.thresholds[model] for model in models},
        seconds={model: split.seconds[model] for model in models if model in split.seconds},
        y_preds=None
        if split.y_preds is None
        else {model: split.y_preds[model] for model in models},
    )
