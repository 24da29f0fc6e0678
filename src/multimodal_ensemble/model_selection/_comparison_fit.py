"""One fit of a comparison: an estimator, its thresholds, and its scores of the test rows."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone
from sklearn.utils import _safe_indexing

from multimodal_ensemble._tables import as_object_array, from_arrow
from multimodal_ensemble._validation import FloatArray, check_scores
from multimodal_ensemble.metrics import CriterionFunction, CriterionName, tune_thresholds
from multimodal_ensemble.model_selection._label_scores import choose_method, target_scores
from multimodal_ensemble.model_selection._out_of_fold import (
    Split,
    fit_fold,
    make_splits,
    params_by_row,
    score_folds,
)

# The folds of the training rows for thresholds, as TunedThresholdMultilabelClassifier has them.
_N_FOLDS = 5


@dataclass(frozen=True, eq=False)
class Fit:
    """What one fit says about the test rows."""

    # Shape (n_test, n_labels).
    y_score: FloatArray
    # Shape (n_labels,).
    thresholds: FloatArray
    seconds: float
    # Shape (n_test, n_classes), where a row has one of several classes.
    y_pred: NDArray[np.bool_] | None = None


@dataclass(frozen=True, eq=False)
class Fitter:
    """Fits estimators; it has what all fits of a comparison share."""

    X: Any
    labels: NDArray[np.bool_]
    # The labels as the estimators receive them, or the class of each row.
    target: Any
    groups: Any
    criterion: CriterionName | CriterionFunction | None
    random_state: int

    def fit(self, estimator: Any, split: Split) -> Fit:
        """Fit a clone to the training rows of a split, and score its test rows."""
        start = time.perf_counter()
        params = params_by_row(estimator, None, self.groups)
        fitted = fit_fold(estimator, self.X, self.target, params, split)
        thresholds = own_thresholds(fitted)
        method = getattr(fitted, "response_method_", None) or choose_method(fitted)
        n_labels = self.labels.shape[1]
        tested = _safe_indexing(self.X, split[1])
        y_score = target_scores(fitted, tested, method, self.target)
        y_pred = None
        if self.target.ndim == 1 and n_labels > 1:
            # Which class is predicted depends on the scores of all, and not on thresholds.
            y_pred = np.asarray(fitted.predict(tested))[:, np.newaxis] == np.unique(self.target)
            thresholds = np.full(n_labels, 0.5)
        elif thresholds is None:
            thresholds = self._choose_thresholds(estimator, split[0], method)
        elif np.shape(thresholds) != (n_labels,):
            msg = (
                f"thresholds_ of {type(fitted).__name__} must have shape ({n_labels},), one "
                f"threshold per label. Received shape {np.shape(thresholds)}."
            )
            raise ValueError(msg)
        seconds = time.perf_counter() - start
        scores = check_scores(y_score).astype(np.float64, copy=False)
        return Fit(scores, np.asarray(thresholds, dtype=np.float64), seconds, y_pred)

    def _choose_thresholds(self, estimator: Any, train: NDArray[np.intp], method: str) -> Any:
        """Return thresholds for an estimator without its own, from the training rows alone."""
        labels = self.labels[train]
        if self.criterion is None:
            return np.full(labels.shape[1], 0.5 if method == "predict_proba" else 0.0)
        X, target = _safe_indexing(self.X, train), _safe_indexing(self.target, train)
        groups = self.groups
        if groups is not None:
            groups = as_object_array(from_arrow(groups, name="groups"))[train]
        splits = make_splits(_N_FOLDS, X, labels, groups, self.random_state)
        params = params_by_row(estimator, None, groups)
        rows, y_score = score_folds(estimator, X, target, params, splits, method)
        return tune_thresholds(labels[rows], y_score, criterion=self.criterion)


def own_thresholds(fitted: Any) -> Any:
    """Return the attribute `thresholds_` of an estimator, or of the last step of a Pipeline."""
    if hasattr(fitted, "thresholds_"):
        return fitted.thresholds_
    steps = getattr(fitted, "steps", None)
    return own_thresholds(steps[-1][1]) if steps else None


def with_seeds(estimator: Any, random_state: int, repeat: int) -> Any:
    """Return a copy whose parameters `random_state`, nested ones included, fit a repeat.

    The first repeat keeps the seeds that are set.
    """
    params = estimator.get_params()
    names = sorted(name for name in params if name.rpartition("__")[2] == "random_state")
    seeds = np.random.default_rng([random_state, repeat]).integers(2**31, size=len(names))
    return clone(estimator).set_params(
        **{
            name: int(seed)
            for name, seed in zip(names, seeds, strict=True)
            if repeat or params[name] is None
        }
    )
