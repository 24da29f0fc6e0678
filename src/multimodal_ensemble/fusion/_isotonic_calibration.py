"""Scores of a model as calibrated probabilities: one increasing curve per label."""

from __future__ import annotations

from typing import Any, ClassVar

import keras
import numpy as np

from multimodal_ensemble._keras import PACKAGE

# A step between two equal knots: finite after a division of scores by it.
_SMALLEST_WIDTH = float(np.finfo(np.float32).tiny)


@keras.saving.register_keras_serializable(package=PACKAGE)
class IsotonicCalibration(keras.layers.Layer):
    """Map the scores of each label by a curve that is linear between knots.

    Parameters
    ----------
    n_knots : int
        Number of knots per label, from 2 to 32, which is ``MAX_KNOTS``.
    **kwargs
        Passed to `keras.layers.Layer`.

    Raises
    ------
    ValueError
        If `n_knots` is out of range.

    See Also
    --------
    PlattCalibration : A logistic function per label.

    Notes
    -----
    The weights are the scores and the values of the knots, both of shape ``(n_labels, n_knots)``
    and non-decreasing along a row. The initial ones leave scores as they are. The curve is a sum of
    ramps, each limited to its interval: in float32 as well, no larger score has a smaller value.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.fusion import IsotonicCalibration
    >>> calibration = IsotonicCalibration(3)
    >>> calibration.build((None, 1))
    >>> calibration.set_weights([np.array([[0, 0.5, 1]]), np.array([[0, 0.25, 1]])])
    >>> np.asarray(calibration(np.array([[0.25], [0.5], [1.0]]))).tolist()
    [[0.125], [0.25], [1.0]]
    """

    MAX_KNOTS: ClassVar[int] = 32

    def __init__(self, n_knots: int, **kwargs: Any) -> None:
        # Probabilities need float32 under mixed precision.
        super().__init__(**{**kwargs, "autocast": False, "dtype": "float32"})
        if not isinstance(n_knots, int) or not 2 <= n_knots <= self.MAX_KNOTS:
            msg = f"n_knots must be from 2 to {self.MAX_KNOTS}. Received n_knots={n_knots!r}."
            raise ValueError(msg)
        self.n_knots = n_knots

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the knots of each label."""
        options = {
            "shape": (input_shape[-1], self.n_knots),
            "initializer": _evenly_spaced,
            "trainable": False,
            "autocast": False,
        }
        self.knots = self.add_weight(name="knots", **options)
        self.values = self.add_weight(name="values", **options)

    def call(self, inputs: Any) -> Any:
        """Return calibrated scores of the shape of the scores."""
        scores = keras.ops.expand_dims(keras.ops.cast(inputs, "float32"), -1)
        starts, ends = self.knots[:, :-1], self.knots[:, 1:]
        widths = keras.ops.maximum(ends - starts, _SMALLEST_WIDTH)
        shares = keras.ops.minimum(keras.ops.maximum((scores - starts) / widths, 0.0), 1.0)
        rises = self.values[:, 1:] - self.values[:, :-1]
        total = self.values[:, 0] + keras.ops.sum(shares * rises, axis=-1)
        # The sum may exceed 1 by a rounding error.
        return keras.ops.minimum(total, 1.0)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of the scores."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "n_knots": self.n_knots}


def _evenly_spaced(shape: tuple[int, int], dtype: Any = None) -> Any:
    """Return rows of numbers from 0 to 1."""
    return keras.ops.broadcast_to(keras.ops.linspace(0.0, 1.0, shape[1], dtype=dtype), shape)
