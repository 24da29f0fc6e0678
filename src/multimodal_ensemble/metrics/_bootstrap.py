"""One bootstrap for any number of models: the same resamples, in which all of them are scored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._resamples import mean_of_defined, percentile_interval
from multimodal_ensemble._validation import FloatArray, check_choice, check_level
from multimodal_ensemble.metrics._bootstrap_counts import draw_units, number_units
from multimodal_ensemble.metrics._inputs import Inputs
from multimodal_ensemble.metrics._intervals import bca_interval
from multimodal_ensemble.metrics._resample_scores import (
    PER_LABEL,
    score_labels,
)
from multimodal_ensemble.metrics._scoring import ScoringFunction

IntervalMethod: TypeAlias = Literal["percentile", "bca"]

# About this many counts of the jackknife are held at once.
_N_HELD = 2**23


@dataclass(frozen=True, eq=False)
class Resampled:
    """A metric of one model, or the difference of two models, with one column per value."""

    # Shape (n_columns,): on all rows.
    estimates: FloatArray
    # Shape (n_resamples, n_columns): on each resample.
    values: FloatArray
    # Shape (n_units, n_columns): without one unit; no rows unless the interval needs them.
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
        n_resamples: int,
        method: IntervalMethod,
        level: float,
        stratify: Any,
        groups: Any,
        random_state: int,
    ) -> None:
        check_choice(method, ("percentile", "bca"), name="method")
        check_level(level)
        self.units, self.strata = number_units(n_rows, stratify=stratify, groups=groups)
        self.counts = draw_units(self.units, self.strata, n_resamples, random_state)
        self.method = method
        self.level = level

    def resample(
        self, given: Inputs, metric: str | ScoringFunction, thresholds: Any
    ) -> tuple[Resampled, NDArray[np.bool_]]:
        """Score a model; also return which labels are undefined on all rows."""

        def score(counts: NDArray[Any]) -> FloatArray:
            return score_labels(
                given.positive, given.scores, counts, metric=metric, thresholds=thresholds
            )

        is_mean = not callable(metric) and metric not in PER_LABEL

        def summarize(by_label: FloatArray) -> FloatArray:
            return mean_of_defined(by_label, axis=1)[:, np.newaxis] if is_mean else by_label

        whole = score(np.ones((1, len(self.units)), dtype=np.int32))
        undefined = np.isnan(whole[0])
        by_label = score(self.counts)
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
        return bca_interval(
            resampled.values, resampled.estimates, resampled.jackknife, self.strata, self.level
        )

    def _without_one_unit(self) -> Iterator[NDArray[np.int32]]:
        """Yield counts of resamples that each lack one unit, for the acceleration of BCa."""
        if self.method != "bca":
            return
        size = max(1, _N_HELD // len(self.units))
        for start in range(0, len(self.strata), size):
            units = np.arange(start, min(start + size, len(self.strata)))
            yield (self.units != units[:, np.newaxis]).astype(np.int32)
