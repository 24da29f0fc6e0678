"""Scores of several classes as probabilities that add up to 1."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from multimodal_ensemble._keras import PACKAGE

_SMALLEST_SCORE = float(np.finfo(np.float32).tiny)


@keras.saving.register_keras_serializable(package=PACKAGE)
class ClassProbabilities(keras.layers.Layer):
    """Make the scores of classes probabilities in proportion to ``score ** slope``.

    Parameters
    ----------
    **kwargs
        Passed to `keras.layers.Layer`.

    See Also
    --------
    multimodal_ensemble.linear.ClassScaling : Learns the slope.

    Notes
    -----
    The weight is the slope, one number for all classes; with the initial one, 1, scores are
    divided by their sum. The order of the classes of a row stays the same.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.fusion import ClassProbabilities
    >>> probabilities = ClassProbabilities()
    >>> np.asarray(probabilities(np.array([[0.5, 0.25, 0.25]]))).round(3).tolist()
    [[0.5, 0.25, 0.25]]
    """

    def __init__(self, **kwargs: Any) -> None:
        # Probabilities need float32 under mixed precision.
        super().__init__(**{**kwargs, "autocast": False, "dtype": "float32"})

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the slope."""
        self.slope = self.add_weight(
            name="slope", shape=(), initializer="ones", trainable=False, autocast=False
        )

    def call(self, inputs: Any) -> Any:
        """Return probabilities of the shape of the scores; each row adds up to 1."""
        scores = keras.ops.maximum(keras.ops.cast(inputs, "float32"), _SMALLEST_SCORE)
        return keras.ops.softmax(self.slope * keras.ops.log(scores), axis=-1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of the scores."""
        return tuple(input_shape)
