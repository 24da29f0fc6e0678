"""The result of a search for parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd


@dataclass(frozen=True, eq=False)
class TuningResult:
    """The best parameters of a search, and all its trials.

    Parameters
    ----------
    best_params : dict of str to object
        The parameters of the best trial, as ``set_params`` of the estimator takes them.
    best_score : float
        Mean score of the best trial over the folds. As the highest of many, it is slightly
        optimistic.
    trials : DataFrame
        One row per finished trial in order: ``number``, ``state`` (``"complete"``, ``"pruned"`` or
        ``"failed"``), ``score`` (mean over the folds), ``std`` (standard deviation over the folds),
        ``seconds``, a column ``param_<name>`` for each parameter, ``fold_scores`` (a list) and
        ``error`` (what a failed trial raised, otherwise empty). A pruned trial has the scores of
        its first folds.
    best_estimator : estimator instance or None
        The estimator with the best parameters, fitted to all rows; None with ``refit=False``.

    Examples
    --------
    >>> import pandas as pd
    >>> from multimodal_ensemble.model_selection import TuningResult
    >>> trials = pd.DataFrame({"number": [0, 1], "score": [0.7, 0.8]})
    >>> result = TuningResult({"alpha": 0.1}, 0.8, trials, best_estimator=None)
    >>> result
    TuningResult(best_params={'alpha': 0.1}, best_score=0.8000, 2 trials)
    """

    best_params: dict[str, Any]
    best_score: float
    trials: pd.DataFrame
    best_estimator: Any

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(best_params={self.best_params!r}, "
            f"best_score={self.best_score:.4f}, {len(self.trials)} trials)"
        )
