"""The split of the icons, and what a model achieves on it."""

import dataclasses

import numpy as np

from multimodal_ensemble.model_selection import stratified_holdout

TEST_SHARE = 0.25


@dataclasses.dataclass(frozen=True)
class Split:
    """Row numbers of training and test icons."""

    seed: int  # the seed of the split and of initial weights
    train: np.ndarray
    test: np.ndarray


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a model, a control or the benchmark achieves on one split."""

    # The scores of the test icons, in 0..1. Shape (n_test, n_categories).
    scores: np.ndarray
    # The threshold of each category, which was not chosen on test icons. Shape (n_categories,).
    thresholds: np.ndarray
    seconds: float  # the duration of training, without computing features


def split_rows(categories: np.ndarray, seed: int) -> Split:
    """Hold out a quarter of the icons, with each category about as frequent in both parts."""
    train, test = stratified_holdout(categories, TEST_SHARE, random_state=seed)
    return Split(seed, train, test)
