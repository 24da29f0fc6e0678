"""What a training tells."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class FitResult:
    """What `fit_model` tells of a training; the model itself is changed in place.

    Parameters
    ----------
    history : DataFrame
        One row a scoring of the validation rows; see `ValidationScoring`.
    best_step : int
        After how many batches the best score was reached; the model has those weights.
    best_roc_auc : float
        Mean ROC-AUC of the validation rows there.
    n_trainable : int
        How many parameters were trained.
    seconds : float
        How long it took, with the adaptation of heads and the scoring. Of a training that was
        resumed, with what came before.

    See Also
    --------
    fit_model : Returns one.

    Examples
    --------
    >>> import pandas as pd
    >>> from multimodal_ensemble import FitResult
    >>> FitResult(pd.DataFrame(), 150, 0.8, 5000, 1.5).best_step
    150
    """

    history: pd.DataFrame
    best_step: int
    best_roc_auc: float
    n_trainable: int
    seconds: float
