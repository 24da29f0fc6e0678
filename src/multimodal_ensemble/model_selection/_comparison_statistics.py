"""Scores of models over splits, on the same resamples of the tested rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multimodal_ensemble._resamples import mean_of_defined, percentile_interval
from multimodal_ensemble._validation import FloatArray
from multimodal_ensemble.metrics import bootstrap_counts, resample_scores
from multimodal_ensemble.model_selection._comparison_split import ComparisonSplit

# The metric of one label that each metric over all labels is the mean of.
METRICS = {
    "mean_roc_auc": "roc_auc",
    "mean_average_precision": "average_precision",
    "mean_accuracy": "accuracy",
    "macro_f1": "f1",
    "micro_f1": "micro_f1",
}
# Those that no prediction changes.
_OF_SCORES = ("mean_roc_auc", "mean_average_precision", "roc_auc", "average_precision")
LABEL_METRICS = ("roc_auc", "average_precision", "accuracy", "f1")


@dataclass(frozen=True, eq=False)
class _Resampled:
    """A metric of one model, or the difference of two models, with one column per value."""

    # Shape (n_columns,): on all tested rows.
    estimates: FloatArray
    # Shape (n_resamples, n_columns): on each resample.
    values: FloatArray
    # Shape (n_repeats, n_columns): on all tested rows, by repeat.
    repeats: FloatArray

    def __sub__(self, other: _Resampled) -> _Resampled:
        return _Resampled(
            self.estimates - other.estimates,
            self.values - other.values,
            self.repeats - other.repeats,
        )


class SplitBootstrap:
    """The same resamples of rows for all models, in which a row may be tested by several splits."""

    def __init__(
        self,
        y_true: NDArray[np.bool_],
        splits: Sequence[ComparisonSplit],
        *,
        groups: NDArray[np.intp] | None,
        n_resamples: int,
        level: float,
        random_state: int,
    ) -> None:
        tested = np.unique(np.concatenate([split.rows for split in splits]))
        counts = bootstrap_counts(
            len(tested),
            n_resamples,
            groups=None if groups is None else groups[tested],
            random_state=random_state,
        )
        # The first "resample" has each row once.
        self._counts = np.concatenate([np.ones((1, len(tested)), counts.dtype), counts])
        self._columns = [np.searchsorted(tested, split.rows) for split in splits]
        self._y_true = y_true
        self._splits = splits
        self._repeats = np.array([split.repeat for split in splits])
        self._level = level

    def compare(self, metric: str, models: Sequence[str], baseline: str) -> list[pd.DataFrame]:
        """Return the statistics of each model, with one row, or one row per label."""
        resampled, n_incomplete = {}, np.empty(0, dtype=np.intp)
        for model in models:
            resampled[model], n_incomplete = self._resample(model, metric)
        tables = []
        for model, scores in resampled.items():
            difference = scores - resampled[baseline] if model != baseline else None
            columns = {
                "model": model,
                "score": scores.estimates,
                **self._interval(scores, ""),
                "difference": np.nan if difference is None else difference.estimates,
                "difference_low": np.nan,
                "difference_high": np.nan,
                "sd_rows": _deviations(scores.values),
                "sd_repeats": _deviations(scores.repeats),
                "difference_sd_repeats": np.nan,
                "n_incomplete": n_incomplete,
            }
            if difference is not None:
                columns |= self._interval(difference, "difference_")
                columns["difference_sd_repeats"] = _deviations(difference.repeats)
            tables.append(pd.DataFrame(columns))
        return tables

    def _resample(self, model: str, metric: str) -> tuple[_Resampled, NDArray[np.intp]]:
        """Score a model, and count the resamples that lack a class of a label in a split.

        These resamples depend on the rows alone, so they are the same ones for all models.
        """
        is_mean = metric in METRICS
        by_split = []
        incomplete: Any = False
        for split, columns in zip(self._splits, self._columns, strict=True):
            y_score, thresholds = split.y_scores[model], split.thresholds[model]
            if split.y_preds is not None and metric not in _OF_SCORES:
                y_score, thresholds = split.y_preds[model].astype(np.float64), 0.5
            by_label = resample_scores(
                self._y_true[split.rows],
                y_score,
                self._counts[:, columns],
                metric=METRICS.get(metric, metric),
                thresholds=thresholds,
            ).reshape(len(self._counts), -1)
            undefined = np.isnan(by_label) & ~np.isnan(by_label[0])
            incomplete = incomplete | (
                undefined.any(axis=1, keepdims=True) if is_mean else undefined
            )
            by_split.append(
                mean_of_defined(by_label, axis=1)[:, np.newaxis] if is_mean else by_label
            )
        scores = np.stack(by_split)
        values = mean_of_defined(scores, axis=0)
        repeats = [
            mean_of_defined(scores[self._repeats == repeat, 0], axis=0)
            for repeat in np.unique(self._repeats)
        ]
        n_incomplete = (incomplete | np.isnan(values))[1:].sum(axis=0)
        return _Resampled(values[0], values[1:], np.stack(repeats)), n_incomplete

    def _interval(self, resampled: _Resampled, prefix: str) -> dict[str, FloatArray]:
        """Return the bounds of the percentile interval of each column."""
        low, high = percentile_interval(resampled.values, self._level)
        return {f"{prefix}low": low, f"{prefix}high": high}


def _deviations(values: FloatArray) -> FloatArray:
    """Return the standard deviation of each column without NaN; NaN for fewer than two values."""
    columns = [column[~np.isnan(column)] for column in values.T]
    return np.array([np.std(each, ddof=1) if len(each) > 1 else np.nan for each in columns])
