"""The result of a training, as one value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multimodal_ensemble._target import Target
from multimodal_ensemble.encoders import Encoder
from multimodal_ensemble.fusion import MemberLayout


@dataclass(frozen=True, eq=False)
class Fitted:
    """Everything that training produces; an estimator adopts it whole, or not at all.

    The estimator has each field under the same name with an underscore appended.
    """

    classes: NDArray[Any]
    # "multilabel", "binary" or "multiclass".
    target_type: str
    encoders: list[Encoder]
    model: keras.Model
    thresholds: NDArray[np.float64]
    history: pd.DataFrame
    provenance: dict[str, Any]
    n_features_in: int
    # None if the columns of X have no names.
    feature_names_in: NDArray[Any] | None
    # None if the model is no late fusion.
    members: list[MemberLayout] | None = None

    @property
    def target(self) -> Target:
        """What is predicted of each row."""
        return Target(self.target_type, self.classes)
