"""The result of a training, as one value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multimodal_ensemble.encoders import Encoder


@dataclass(frozen=True, eq=False)
class Fitted:
    """Everything that training produces; an estimator adopts it whole, or not at all.

    The estimator has each field under the same name with an underscore appended.

    Parameters
    ----------
    classes : ndarray of shape (n_labels,)
        The labels, in the order of the score columns.
    encoders : list of Encoder
        The fitted encoders.
    model : keras.Model
        The trained model, from encoded rows to scores.
    thresholds : ndarray of shape (n_labels,), float64
        The decision threshold of each label.
    history : DataFrame
        One row per validation evaluation.
    provenance : dict
        A description of the training in JSON values.
    n_features_in : int
        Number of columns of X.
    feature_names_in : ndarray of shape (n_columns,) or None
        Names of the columns of X; None if they have no names.
    """

    classes: NDArray[Any]
    encoders: list[Encoder]
    model: keras.Model
    thresholds: NDArray[np.float64]
    history: pd.DataFrame
    provenance: dict[str, Any]
    n_features_in: int
    feature_names_in: NDArray[Any] | None
