"""Binary cross-entropy with a weight for each label."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike, NDArray

from multimodal_ensemble._keras import PACKAGE


@keras.saving.register_keras_serializable(package=PACKAGE)
class LabelWeightedCrossentropy(keras.losses.Loss):
    """Binary cross-entropy in which the positives and negatives of each label have a weight.

    The loss of a row is the mean over labels of
    ``-(w_pos * y * log(p) + w_neg * (1 - y) * log(1 - p))``. With all weights 1 it is Keras's
    ``"binary_crossentropy"``. `fit_model` creates one from its `label_weight`.

    Parameters
    ----------
    positive_weight, negative_weight : array-like of shape (n_labels,)
        Weight of each label where it is present and where it is absent; not negative.
    reduction : str, default="sum_over_batch_size"
        How the losses of rows are combined; see `keras.losses.Loss`.
    name : str, default="label_weighted_crossentropy"
        Name of the loss.
    dtype : str, optional
        Dtype of the computation. Default: `keras.config.floatx`.

    Raises
    ------
    ValueError
        If a weight is not finite or is negative, or if there are not as many of both.

    See Also
    --------
    balanced_label_weights : Weights that compensate for rare labels.

    Notes
    -----
    A Keras model that was compiled with this loss loads only after this class was imported.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.training import LabelWeightedCrossentropy
    >>> loss = LabelWeightedCrossentropy([3.0, 1.0], [1.0, 1.0])
    >>> y, p = np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]])
    >>> round(float(loss(y, p)), 3)
    1.386
    """

    def __init__(
        self,
        positive_weight: ArrayLike,
        negative_weight: ArrayLike,
        reduction: str | None = "sum_over_batch_size",
        name: str = "label_weighted_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        positive = check_weights(positive_weight, name="positive_weight")
        negative = check_weights(negative_weight, name="negative_weight")
        if len(positive) != len(negative):
            msg = (
                "positive_weight and negative_weight must have one weight per label. Received "
                f"{len(positive)} and {len(negative)} weights."
            )
            raise ValueError(msg)
        self.positive_weight: list[float] = positive.tolist()
        self.negative_weight: list[float] = negative.tolist()

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each row."""
        return keras.ops.mean(self.entries(y_true, y_pred), axis=-1)

    def entries(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each label of each row.

        Parameters
        ----------
        y_true, y_pred : tensor of shape (n, n_labels)
            Labels and scores.

        Returns
        -------
        tensor of shape (n, n_labels)
            The losses, of which `call` returns the mean over labels.
        """
        ops = keras.ops
        y_pred = ops.convert_to_tensor(y_pred)
        y_true = ops.cast(y_true, y_pred.dtype)
        positive = ops.convert_to_tensor(self.positive_weight, dtype=y_pred.dtype)
        negative = ops.convert_to_tensor(self.negative_weight, dtype=y_pred.dtype)
        weight = y_true * positive + (1 - y_true) * negative
        return weight * ops.binary_crossentropy(y_true, y_pred)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "positive_weight": self.positive_weight,
            "negative_weight": self.negative_weight,
            "dtype": self.dtype,
        }


def check_weights(weights: ArrayLike, *, name: str) -> NDArray[np.float64]:
    """Return label weights as float64, or raise a ValueError unless they are finite and >= 0."""
    array = np.asarray(weights)
    if array.dtype.kind not in "biuf" or array.ndim != 1 or not array.size:
        msg = (
            f"{name} must be numbers of shape (n_labels,). Received {array.dtype} of shape "
            f"{array.shape}."
        )
        raise ValueError(msg)
    checked = array.astype(np.float64)
    if not np.isfinite(checked).all() or (checked < 0).any():
        msg = f"{name} must be finite and not negative. Received {checked.tolist()}."
        raise ValueError(msg)
    return checked
