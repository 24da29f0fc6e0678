"""The trainable layers from sequences to an embedding."""

from __future__ import annotations

import keras

from multimodal_ensemble._keras import PACKAGE
from multimodal_ensemble._validation import check_at_least, check_choice, check_fraction
from multimodal_ensemble.encoders._parameters import CheckedParameters
from multimodal_ensemble.encoders._sequence_layers import SequenceLayer, SequencePooling


@keras.saving.register_keras_serializable(package=PACKAGE)
class SequenceHead(CheckedParameters):
    """Convolutions or recurrent layers, then mean and maximum over the steps, and a dense layer.

    Padding has no influence on the embedding of a sequence.

    Parameters
    ----------
    kind : {"conv", "gru"}, default="conv"
        Convolutions, or gated recurrent units, which read a sequence step by step. Recurrent layers
        are slower.
    units : int, default=64
        Number of units of each layer, and of the embedding.
    n_layers : int, default=2
        Number of layers in front of the pooling.
    kernel_size : int, default=5
        Number of steps that a unit of a convolution sees.
    dropout : float, default=0.5
        Dropout rate on the pooled values and on the embedding, in [0, 1).

    Raises
    ------
    ValueError
        If an option is out of range.

    Examples
    --------
    >>> from multimodal_ensemble.encoders import SequenceHead
    >>> layers = SequenceHead(units=8)((None, 3))
    >>> layers.compute_output_shape((None, None, 3))
    (None, 8)
    """

    def __init__(
        self,
        kind: str = "conv",
        *,
        units: int = 64,
        n_layers: int = 2,
        kernel_size: int = 5,
        dropout: float = 0.5,
    ) -> None:
        check_choice(kind, ("conv", "gru"), name="kind")
        check_at_least(units, 1, name="units")
        check_at_least(n_layers, 1, name="n_layers")
        check_at_least(kernel_size, 1, name="kernel_size")
        check_fraction(dropout, name="dropout")
        self.kind = kind
        self.units = units
        self.n_layers = n_layers
        self.kernel_size = kernel_size
        self.dropout = dropout

    def __call__(self, feature_shape: tuple[int | None, ...]) -> keras.Sequential:
        """Return new layers.

        Parameters
        ----------
        feature_shape : tuple of (int or None)
            Shape of one sequence: its length, or None, and the number of channels, of which the
            last one marks the steps.

        Returns
        -------
        keras.Sequential
            From ``(n, length, channels)`` to ``(n, units)``.
        """
        if len(feature_shape) != 2:
            msg = f"SequenceHead takes sequences of vectors. Received the shape {feature_shape}."
            raise ValueError(msg)
        units = int(self.units)
        layers: list[keras.Layer] = []
        for _ in range(self.n_layers):
            if self.kind == "conv":
                inner = keras.layers.Conv1D(
                    units, int(self.kernel_size), padding="same", activation="relu"
                )
            else:
                inner = keras.layers.GRU(units, return_sequences=True)
            layers.append(SequenceLayer(inner))
        # Half precision cannot count the steps of a long sequence.
        layers.append(SequencePooling(name="pooling", dtype="float32"))
        if self.dropout:
            layers.append(keras.layers.Dropout(float(self.dropout), name="pooled_dropout"))
        layers.append(keras.layers.Dense(units, activation="relu", name="dense"))
        if self.dropout:
            layers.append(keras.layers.Dropout(float(self.dropout), name="dropout"))
        return keras.Sequential(layers)
