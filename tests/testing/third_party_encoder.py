"""An encoder as another package would have it: it knows the public names only."""

import keras
import numpy as np

from multimodal_ensemble import Encoder


@keras.saving.register_keras_serializable(package="third_party")
class LogPower(keras.layers.Layer):
    """Loudness of each frequency of a clip."""

    def call(self, inputs):
        real, imaginary = keras.ops.rfft(inputs)
        return keras.ops.log1p(real**2 + imaginary**2)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], input_shape[-1] // 2 + 1)


@keras.saving.register_keras_serializable(package="third_party")
class ClipEncoder(Encoder):
    """Short sounds: lists of samples, cut or padded to `length`, scaled by the loudest heard.

    Parameters
    ----------
    name : str
        Name of the modality.
    length : int
        Samples a clip.
    frozen : bool
        Whether there is a fixed spectrum in front of the head.
    """

    def __init__(self, name, *, column=None, length=8, frozen=True, units=4):
        super().__init__(name, column=column)
        self.length = length
        self.frozen = frozen
        self.units = units
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

    def build_head(self):
        return keras.layers.Dense(self.units, activation="tanh")
