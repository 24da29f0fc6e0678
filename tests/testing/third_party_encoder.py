"""An encoder as another package would write it: it uses public names only."""

import keras
import numpy as np

from multimodal_ensemble import Encoder
from multimodal_ensemble.encoders import DenseHead


@keras.saving.register_keras_serializable(package="third_party")
class LogPower(keras.layers.Layer):
    """The logarithm of the power at each frequency of a clip."""

    def call(self, inputs):
        real, imaginary = keras.ops.rfft(inputs)
        return keras.ops.log1p(real**2 + imaginary**2)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], input_shape[-1] // 2 + 1)


@keras.saving.register_keras_serializable(package="third_party")
class ClipEncoder(Encoder):
    """Short sounds: lists of samples, cut or padded to `length`, scaled by the largest sample.

    Parameters
    ----------
    name : str
        Name of the modality.
    length : int
        Number of samples per clip.
    frozen : bool
        Whether there is a fixed spectrum in front of the head.
    head : callable, optional
        The trainable layers.
    """

    def __init__(self, name, *, column=None, length=8, frozen=True, head=None):
        head = DenseHead(4, activation="tanh") if head is None else head
        super().__init__(name, column=column, head=head)
        self.length = length
        self.frozen = frozen
        self._network = None

    def fit(self, values):
        self.peak_ = max(float(np.max(np.abs(clip))) for clip in values)
        return self

    @property
    def input_shape(self):
        return (self.length,)

    def encode(self, values):
        rows = np.zeros((len(values), self.length), dtype="float32")
        for row, clip in zip(rows, values, strict=True):
            start = np.asarray(clip, dtype="float32")[: self.length]
            row[: len(start)] = start / self.peak_
        return rows

    def get_backbone(self):
        if self.frozen and self._network is None:
            inputs = keras.Input(self.input_shape)
            kernel = keras.initializers.RandomNormal(seed=0)
            spectrum = LogPower()(inputs)
            features = keras.layers.Dense(6, kernel_initializer=kernel)(spectrum)
            self._network = keras.Model(inputs, features)
            self._network.trainable = False
        return self._network
