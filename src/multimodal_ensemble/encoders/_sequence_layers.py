"""Layers for sequences that differ in length: the last channel marks steps, and padding is zero."""

from __future__ import annotations

from typing import Any

import keras

from multimodal_ensemble._keras import PACKAGE


@keras.saving.register_keras_serializable(package=PACKAGE)
class SequenceLayer(keras.layers.Wrapper):
    """Apply a layer to sequences, such that padding stays zero and changes no step.

    Parameters
    ----------
    layer : keras.layers.Layer
        A layer from ``(n, length, channels)`` to ``(n, length, units)`` whose results for a step
        depend only on steps before it, or on zeros behind the last step: a convolution with
        ``padding="same"`` or ``"causal"``, or a recurrent layer with ``return_sequences=True``.
    **kwargs
        Passed to `keras.layers.Wrapper`.

    Examples
    --------
    >>> import keras
    >>> import numpy as np
    >>> from multimodal_ensemble.encoders import SequenceLayer
    >>> layer = SequenceLayer(keras.layers.Dense(1, kernel_initializer="ones",
    ...                                          bias_initializer="ones"))
    >>> padded = np.array([[[3.0, 1.0], [0.0, 0.0]]])  # one step of one channel
    >>> np.asarray(layer(padded)).tolist()
    [[[5.0, 1.0], [0.0, 0.0]]]
    """

    def call(self, inputs: Any) -> Any:
        """Return the results of the layer, and the marks of the steps behind them."""
        marks = inputs[..., -1:]
        results = self.layer(inputs)
        marks = keras.ops.cast(marks, results.dtype)
        return keras.ops.concatenate([results * marks, marks], axis=-1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of the results with one more channel."""
        *sizes, units = self.layer.compute_output_shape(input_shape)
        return (*sizes, units + 1)


@keras.saving.register_keras_serializable(package=PACKAGE)
class SequencePooling(keras.layers.Layer):
    """Mean and maximum over the steps of each sequence; zeros for a sequence without a step.

    Parameters
    ----------
    **kwargs
        Passed to `keras.layers.Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.encoders import SequencePooling
    >>> padded = np.array([[[-3.0, 1.0], [-5.0, 1.0], [0.0, 0.0]]])  # two steps
    >>> np.asarray(SequencePooling()(padded)).tolist()
    [[-4.0, -3.0]]
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)

    def call(self, inputs: Any) -> Any:
        """Return mean and maximum of each channel, side by side."""
        values, marks = inputs[..., :-1], inputs[..., -1:]
        n_steps = keras.ops.sum(marks, axis=1)
        mean = keras.ops.sum(values * marks, axis=1) / keras.ops.maximum(n_steps, 1)
        largest = keras.ops.max(keras.ops.where(marks > 0, values, float("-inf")), axis=1)
        largest = keras.ops.where(n_steps > 0, largest, 0.0)
        return keras.ops.concatenate([mean, keras.ops.cast(largest, mean.dtype)], axis=-1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape ``(n, 2 * channels)``."""
        *_, channels = input_shape
        return (input_shape[0], None if channels is None else 2 * (channels - 1))
