"""A loss for labels that most rows lack."""

from __future__ import annotations

import math
from typing import Any

import keras

from multimodal_ensemble._keras import PACKAGE
from multimodal_ensemble._validation import check_fraction


@keras.saving.register_keras_serializable(package=PACKAGE)
class AsymmetricLoss(keras.losses.Loss):
    """Binary cross-entropy that counts easy negatives less than positives.

    The loss of a row is the mean over labels of ``-(1 - p)**positive_gamma * log(p)`` where a label
    is present, and of ``-q**negative_gamma * log(1 - q)`` with ``q = max(p - margin, 0)`` where it
    is absent. With all three numbers 0 it is Keras's ``"binary_crossentropy"``; with equal
    exponents and no margin it is ``keras.losses.BinaryFocalCrossentropy``.

    Parameters
    ----------
    positive_gamma : float, default=0
        How much less well predicted positives count, at least 0.
    negative_gamma : float, default=4
        How much less well predicted negatives count, at least 0.
    margin : float, default=0.05
        Score up to which a negative does not count at all, in [0, 1).
    reduction : str, default="sum_over_batch_size"
        How the losses of rows are combined; see `keras.losses.Loss`.
    name : str, default="asymmetric_loss"
        Name of the loss.
    dtype : str, optional
        Dtype of the computation. Default: `keras.config.floatx`.

    Raises
    ------
    ValueError
        If a number is out of range.

    See Also
    --------
    LabelWeightedCrossentropy : Weights of labels instead.

    Notes
    -----
    The scores are then no probabilities, and most are too high. Thresholds that are learned on
    validation rows compensate for that.

    References
    ----------
    .. [1] T. Ridnik et al., "Asymmetric Loss For Multi-Label Classification", International
       Conference on Computer Vision, 2021, https://arxiv.org/abs/2009.14119.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.training import AsymmetricLoss
    >>> y, p = np.array([[1.0, 0.0, 0.0]]), np.array([[0.5, 0.04, 0.5]])
    >>> round(float(AsymmetricLoss()(y, p)), 3)
    0.239
    >>> round(float(AsymmetricLoss(0, 0, 0)(y, p)), 3)
    0.476
    """

    def __init__(
        self,
        positive_gamma: float = 0,
        negative_gamma: float = 4,
        margin: float = 0.05,
        reduction: str | None = "sum_over_batch_size",
        name: str = "asymmetric_loss",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        for key, gamma in (("positive_gamma", positive_gamma), ("negative_gamma", negative_gamma)):
            if not isinstance(gamma, int | float) or not 0 <= gamma < math.inf:
                msg = f"{key} must be a finite number of at least 0. Received {key}={gamma!r}."
                raise ValueError(msg)
        check_fraction(margin, name="margin")
        self.positive_gamma = float(positive_gamma)
        self.negative_gamma = float(negative_gamma)
        self.margin = float(margin)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each row."""
        ops = keras.ops
        y_pred = ops.convert_to_tensor(y_pred)
        y_true = ops.cast(y_true, y_pred.dtype)
        # The gradient of a power below 1 is infinite at 0.
        epsilon = keras.config.epsilon()
        shifted = ops.clip(y_pred - self.margin, epsilon, 1 - epsilon)
        score = ops.clip(y_pred, epsilon, 1 - epsilon)
        positive = y_true * (1 - score) ** self.positive_gamma * ops.log(score)
        negative = (1 - y_true) * shifted**self.negative_gamma * ops.log(1 - shifted)
        return -ops.mean(positive + negative, axis=-1)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "positive_gamma": self.positive_gamma,
            "negative_gamma": self.negative_gamma,
            "margin": self.margin,
            "dtype": self.dtype,
        }
