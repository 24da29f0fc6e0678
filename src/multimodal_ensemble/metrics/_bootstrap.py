"""One bootstrap for any number of models: the same resamples, in which all of them are scored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._resamples import mean_of_defined, percentile_interval
from multimodal_ensemble._validation import FloatArray, check_at_least, check_choice, check_level
from multimodal_ensemble.metrics._bootstrap_counts import draw_units, number_units
from multimodal_ensemble.metrics._influence import influences
from multimodal_ensemble.metrics._inputs import Inputs
from multimodal_ensemble.metrics._intervals import bca_interval, normal_interval
from multimodal_ensemble.metrics._resample_scores import (
    N_HELD,
    PER_LABEL,
    limits_of,
    metric_of_label,
    score_labels,
)
from multimodal_ensemble.metrics._scoring import ScoringFunction

IntervalMethod: TypeAlias = Literal["percentile", "bca", "normal"]

# Beyond so many rows, resamples take minutes, and intervals with and without them agree.
N_ROWS_RESAMPLED = 100_000


@dataclass(frozen=True, eq=False)
class Resampled:
    """A metric of one model, or the difference of two models, with one column per value."""

    # Shape (n_columns,): on all rows.
    estimates: FloatArray
    # Shape (n_resamples, n_columns): on each resample; no rows for "normal".
    values: FloatArray
    # Shape (n_units, n_columns): for "bca" the value without one unit, for "normal" the influence
    # of the unit; no rows otherwise.
    jackknife: FloatArray
    # Shape (n_columns,): the resamples that leave the value, or a label of the mean, undefined.
    n_incomplete: NDArray[np.int_]

    def minus(self, other: Resampled) -> Resampled:
        """Return the paired difference."""
        values = self.values - other.values
        n_undefined = np.isnan(values).sum(axis=0)
        return Resampled(
            self.estimates - other.estimates,
            values,
            self.jackknife - other.jackknife,
            np.maximum(n_undefined, np.maximum(self.n_incomplete, other.n_incomplete)),
        )


class Bootstrap:
    """Resamples of rows, and the intervals that they give."""

    def __init__(
        self,
        n_rows: int,
        *,
        metrics: Iterable[str | ScoringFunction],
        n_resamples: int,
        method: IntervalMethod | None,
        level: float,
        stratify: Any,
        groups: Any,
        random_state: int,
    ) -> None:
        check_choice(method, (None, "percentile", "bca", "normal"), name="method")
        check_level(level)
        check_at_least(n_resamples, 1, name="n_resamples")
        has_callable = any(callable(metric) for metric in metrics)
        if method == "normal" and has_callable:
            msg = (
                "method='normal' needs the formula of a metric, which a callable does not have. "
                "Pass the name of a metric, or method='percentile'."
            )
            raise ValueError(msg)
        if method is None:
            is_large = n_rows > N_ROWS_RESAMPLED and not has_callable
            method = "normal" if is_large else "percentile"
        self.units, self.strata = number_units(n_rows, stratify=stratify, groups=groups)
        self.method: IntervalMethod = method
        self.level = level
        self.n_resamples = 0 if method == "normal" else n_resamples
        self._random_state = random_state
        # Few counts are drawn once for all models and metrics, others part by part for each.
        is_held = n_rows * self.n_resamples <= N_HELD
        self._held = list(self._draw()) if is_held else None

    def parts(self, metric: str | ScoringFunction, n_labels: int) -> list[slice]:
        """Return the labels of which the values of a metric are in memory at the same time."""
        if self.method == "normal" and metric in PER_LABEL:
            return [slice(label, label + 1) for label in range(n_labels)]
        return [slice(0, n_labels)]

    def resample(
        self, given: Inputs, metric: str | ScoringFunction, thresholds: Any, labels: slice
    ) -> tuple[Resampled, NDArray[np.bool_]]:
        """Score a model on these labels; also return which of them are undefined on all rows."""
        if self.method == "normal" and isinstance(metric, str):
            return self._linearise(given, metric, thresholds, labels)

        def score(counts: NDArray[Any]) -> FloatArray:
            return score_labels(
                given.positive, given.scores, counts, metric=metric, thresholds=thresholds
            )

        is_mean = not callable(metric) and metric not in PER_LABEL

        def summarize(by_label: FloatArray) -> FloatArray:
            return mean_of_defined(by_label, axis=1)[:, np.newaxis] if is_mean else by_label

        whole = score(np.ones((1, len(self.units)), dtype=np.int32))
        undefined = np.isnan(whole[0])
        by_label = np.concatenate([score(counts) for counts in self._held or self._draw()])
        incomplete = np.isnan(by_label[:, ~undefined] if is_mean else by_label)
        n_incomplete = incomplete.any(axis=1).sum(keepdims=True) if is_mean else incomplete.sum(0)
        values = summarize(by_label)
        if is_mean and undefined.all():
            n_incomplete = np.array([len(values)])
        jackknife = [summarize(score(counts)) for counts in self._without_one_unit()]
        resampled = Resampled(
            summarize(whole)[0],
            values,
            np.concatenate(jackknife) if jackknife else np.empty((0, values.shape[1])),
            n_incomplete,
        )
        return resampled, undefined

    def interval(self, resampled: Resampled) -> tuple[FloatArray, FloatArray]:
        """Return the bounds of the interval of each column."""
        if self.method == "percentile":
            return percentile_interval(resampled.values, self.level)
        if self.method == "normal":
            return normal_interval(
                resampled.estimates, resampled.jackknife, self.strata, self.level
            )
        return bca_interval(
            resampled.values, resampled.estimates, resampled.jackknife, self.strata, self.level
        )

    def _linearise(
        self, given: Inputs, metric: str, thresholds: Any, labels: slice
    ) -> tuple[Resampled, NDArray[np.bool_]]:
        """Return the value and the influence of each unit on it, in place of resamples."""
        limits = limits_of(metric, thresholds, given.scores.shape)
        by_label = []
        total: FloatArray = np.zeros(len(self.units))
        for value, influence in influences(
            metric_of_label(metric),
            given.positive[:, labels],
            given.scores[:, labels],
            None if limits is None else limits[labels],
        ):
            by_label.append(value)
            total += influence
        values = np.array(by_label)
        undefined = np.isnan(values)
        total /= max(1, (~undefined).sum())
        if len(self.strata) < len(self.units):
            total = np.bincount(self.units, weights=total).astype(np.float64)
        estimates = mean_of_defined(values[np.newaxis], axis=1)
        return Resampled(
            estimates, np.empty((0, 1)), total[:, np.newaxis], np.zeros(1, dtype=np.int_)
        ), undefined

    def _draw(self) -> Iterator[NDArray[np.int32]]:
        """Yield all resamples, so many at a time that memory does not grow with their number."""
        if not self.n_resamples:
            return iter(())
        n_held = max(1, N_HELD // len(self.units))
        return draw_units(
            self.units,
            self.strata,
            self.n_resamples,
            self._random_state,
            n_held=min(n_held, self.n_resamples),
        )

    def _without_one_unit(self) -> Iterator[NDArray[np.int32]]:
        """Yield counts of resamples that each lack one unit, for the acceleration of BCa."""
        if self.method != "bca":
            return
        size = max(1, N_HELD // len(self.units))
        for start in range(0, len(self.strata), size):
            units = np.arange(start, min(start + size, len(self.strata)))
            yield (self.units != units[:, np.newaxis]).astype(np.int32)
