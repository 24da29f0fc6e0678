"""The result of a training."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class FitResult:
    """What `fit_model` reports about a training; the model itself is changed in place.

    Parameters
    ----------
    history : DataFrame
        One row per evaluation of the validation rows; see `ValidationEvaluation`.
    best_step : int
        Number of batches before the best evaluation; 0 if there was no evaluation.
    best_roc_auc : float
        Mean ROC-AUC of that evaluation.
    n_trainable : int
        Number of parameters that were trained.
    seconds : float
        Duration, including that before a checkpoint which was resumed.

    See Also
    --------
    fit_model : Returns one.

    Examples
    --------
    >>> import pandas as pd
    >>> from multimodal_ensemble.training import FitResult
    >>> FitResult(pd.DataFrame(), 150, 0.8, 5000, 1.5).best_step
    150
    """

    history: pd.DataFrame
    best_step: int
    best_roc_auc: float
    n_trainable: int
    seconds: float
