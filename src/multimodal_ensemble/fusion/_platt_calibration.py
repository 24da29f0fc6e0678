"""Scores of a network as calibrated probabilities: one logistic function per label."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from multimodal_ensemble._keras import PACKAGE

# What the logarithms take in place of 0: the smallest normal float32 number, and half of the
# smallest distance from 1.
_SMALLEST_SCORE = float(np.finfo(np.float32).tiny)
_SMALLEST_DISTANCE = float(np.finfo(np.float32).epsneg) / 2


@keras.saving.register_keras_serializable(package=PACKAGE)
class PlattCalibration(keras.layers.Layer):
    """Scale and shift the log-odds of the scores of each label.

    Parameters
    ----------
    **kwargs
        Passed to `keras.layers.Layer`.

    See Also
    --------
    multimodal_ensemble.linear.PlattScaling : Learns slope and intercept.

    Notes
    -----
    A score p becomes ``sigmoid(slope * log(p / (1 - p)) + intercept)``. The weights are the slope
    and the intercept, both of shape ``(n_labels,)``; with the initial ones, 1 and 0, scores stay
    as they are. Ranks are unchanged if slopes are positive.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.fusion import PlattCalibration
    >>> calibration = PlattCalibration()
    >>> calibration.build((None, 1))
    >>> calibration.set_weights([np.array([2.0]), np.array([0.0])])
    >>> np.asarray(calibration(np.array([[0.5], [0.75]]))).round(3).tolist()
    [[0.5], [0.8999999761581421]]
    """

    def __init__(self, **kwargs: Any) -> None:
        # Probabilities need float32 under mixed precision.
        super().__init__(**{**kwargs, "autocast": False, "dtype": "float32"})

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create a slope and an intercept for each label."""
        options = {"shape": (input_shape[-1],), "trainable": False, "autocast": False}
        self.slope = self.add_weight(name="slope", initializer="ones", **options)
        self.intercept = self.add_weight(name="intercept", initializer="zeros", **options)

    def log_odds(self, y_score: Any) -> Any:
        """Return the log-odds of scores before they are scaled.

        Parameters
        ----------
        y_score : tensor or ndarray of shape (n_samples, n_labels)
            Scores in 0..1.

        Returns
        -------
        tensor of shape (n_samples, n_labels)
            ``log(p / (1 - p))``, float32; finite, also for 0 and 1.
        """
        y_score = keras.ops.cast(y_score, "float32")
        return keras.ops.log(keras.ops.maximum(y_score, _SMALLEST_SCORE)) - keras.ops.log(
            keras.ops.maximum(1 - y_score, _SMALLEST_DISTANCE)
        )

    def call(self, inputs: Any) -> Any:
        """Return calibrated scores of the shape of the scores."""
        return keras.ops.sigmoid(self.slope * self.log_odds(inputs) + self.intercept)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of the scores."""
        return tuple(input_shape)
