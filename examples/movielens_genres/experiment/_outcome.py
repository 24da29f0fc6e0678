"""What one run of the experiment leaves behind."""

import dataclasses

import numpy as np
import pandas as pd


@dataclasses.dataclass
class Outcome:
    """What one model, control or benchmark came to on one split."""

    model: str
    kind: str
    validation_scores: np.ndarray
    test_scores: np.ndarray
    thresholds: np.ndarray
    parameters: int
    seconds: float
    history: pd.DataFrame | None = None


@dataclasses.dataclass
class Split:
    """The outcomes of one seed, with the rows that they were measured on."""

    seed: int
    train: list[int]
    validation: list[int]
    test: list[int]
    outcomes: list[Outcome]
