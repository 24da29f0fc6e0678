"""Scores of several classes as probabilities that add up to 1."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from multimodal_ensemble._validation import FloatArray, ScoreArray, row_blocks

# The logarithm of the slope lies within these bounds.
_BOUNDS = (math.log(1 / 20), math.log(20))
_SMALLEST_SCORE = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True)
class ClassScaling:
    """Probabilities of classes in proportion to ``score ** slope``.

    Parameters
    ----------
    slope : float
        Above 0. At 1, scores are divided by their sum. Above 1, the highest score gains.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.linear import ClassScaling
    >>> ClassScaling(1.0).probabilities(np.array([[0.6, 0.1, 0.1]])).round(3).tolist()
    [[0.75, 0.125, 0.125]]
    """

    slope: float

    @classmethod
    def fit(
        cls, y_score: ScoreArray, y_true: NDArray[np.bool_], sample_weight: Any = None
    ) -> ClassScaling:
        """Fit the slope by maximum likelihood, as temperature scaling does [1]_.

        Parameters
        ----------
        y_score : ndarray of shape (n_samples, n_classes), float32 or float64
            Scores in 0..1 of rows from a model that was not trained on them.
        y_true : ndarray of shape (n_samples, n_classes)
            The true class of each row. Rows without one are left out.
        sample_weight : ndarray of shape (n_samples,), optional
            Weights of the rows.

        Returns
        -------
        ClassScaling
            The scaling. It counts the squared logarithm of the slope as one more row, so that the
            slope stays finite where the scores separate all classes.

        References
        ----------
        .. [1] C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger, "On calibration of modern neural
           networks", ICML, 2017.
        """
        weight = np.ones(len(y_true)) if sample_weight is None else np.asarray(sample_weight)
        weight = weight / weight.mean()

        def loss(log_slope: float) -> float:
            slope = math.exp(log_slope)
            total = log_slope**2
            for rows in row_blocks(y_score.shape):
                logarithms = log_softmax(slope * _logarithms(y_score[rows]), axis=1)
                total -= float(weight[rows] @ (logarithms * y_true[rows]).sum(axis=1))
            return total

        return cls(math.exp(minimize_scalar(loss, bounds=_BOUNDS, method="bounded").x))

    def probabilities(self, y_score: ScoreArray) -> FloatArray:
        """Return probabilities of scores.

        Parameters
        ----------
        y_score : ndarray of shape (n_samples, n_classes)
            Scores in 0..1.

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            Rows add up to 1, float64.
        """
        probabilities: FloatArray = np.exp(log_softmax(self.slope * _logarithms(y_score), axis=1))
        return probabilities


def _logarithms(y_score: ScoreArray) -> FloatArray:
    logarithms: FloatArray = np.log(np.maximum(y_score.astype(np.float64), _SMALLEST_SCORE))
    return logarithms
