"""The cross-validated score of one trial of a search."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from multimodal_ensemble._joblib import call_in_workers, has_worker_processes
from multimodal_ensemble.metrics import ScoringFunction, compute_score
from multimodal_ensemble.model_selection._import_optuna import import_optuna
from multimodal_ensemble.model_selection._label_scores import choose_method
from multimodal_ensemble.model_selection._out_of_fold import Split, score_fold


@dataclass
class TrialEvaluation:
    """Scores trials; it has what all trials of a search share."""

    estimator: Any
    X: Any
    labels: NDArray[np.bool_]
    # The labels as the estimator receives them.
    target: Any
    # Arguments of `fit` with one value per row, and those that are passed as they are.
    params: dict[str, Any]
    constants: dict[str, Any]
    splits: list[Split]
    scoring: str | ScoringFunction
    prune: bool
    first_error: Exception | None = None

    def evaluate(
        self, trial: Any, values: Mapping[str, Any], deadline: float
    ) -> dict[str, Any] | None:
        """Return what Optuna should be told of a trial, or None if the deadline cuts it off.

        The fold scores, the seconds and the error of the trial become its user attributes.
        """
        start = time.perf_counter()
        scores: list[float] = []
        states = import_optuna().trial.TrialState
        outcome: dict[str, Any] = {"state": states.PRUNED}
        try:
            estimator = clone(self.estimator).set_params(**values)
            if not self.prune and len(self.splits) > 1 and has_worker_processes():
                scores = self._score_in_workers(estimator)
                trial.report(float(np.mean(scores)), len(scores))
                outcome = {"values": float(np.mean(scores))}
            else:
                for split in self.splits:
                    if scores and time.perf_counter() > deadline:
                        return None
                    if scores and self.prune and trial.should_prune():
                        break
                    scores.append(self._score(estimator, split))
                    trial.report(float(np.mean(scores)), len(scores))
                else:
                    outcome = {"values": float(np.mean(scores))}
        except Exception as error:
            self.first_error = self.first_error or error
            trial.set_user_attr("error", f"{type(error).__name__}: {error}")
            outcome = {"state": states.FAIL}
        trial.set_user_attr("fold_scores", scores)
        trial.set_user_attr("seconds", time.perf_counter() - start)
        return outcome

    def _score_in_workers(self, estimator: Any) -> list[float]:
        sent = replace(self, first_error=None)
        calls = ((number, sent, estimator, split) for number, split in enumerate(self.splits))
        return [score for _, score in sorted(call_in_workers(_score_in_worker, calls))]

    def _score(self, estimator: Any, split: Split) -> float:
        method = choose_method(estimator)
        y_score = score_fold(
            estimator, self.X, self.target, self.params, split, method, **self.constants
        )
        score = compute_score(self.scoring, self.labels[split[1]], y_score)
        if not np.isfinite(score):
            msg = f"The score of a fold must be finite. Received {score}."
            raise ValueError(msg)
        return score


def _score_in_worker(
    number: int, evaluation: TrialEvaluation, estimator: Any, split: Split
) -> tuple[int, float]:
    # The workers are busy with folds, so each computes the features of its own.
    with joblib.parallel_config("sequential"):
        return number, evaluation._score(estimator, split)
