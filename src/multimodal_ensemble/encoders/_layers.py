"""Keras layers that the encoders need and Keras lacks."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from multimodal_ensemble._keras import PACKAGE
from multimodal_ensemble.encoders._applications import find_preprocessing


@keras.saving.register_keras_serializable(package=PACKAGE)
class FeatureScaling(keras.layers.Layer):
    """Scale features to mean 0 and variance 1 on the training rows, after a logarithm if asked.

    Frozen backbones give features of very different sizes, most of them small and a few large;
    unscaled, they drown a smaller modality. Differs from `keras.layers.Normalization` in two
    points that matter for features: a feature that is constant on the training rows is only
    centred (there, a small change at prediction is divided by 1e-7), and the statistics are read
    at each call, so a function that was traced before `adapt` does not keep the old ones.

    Parameters
    ----------
    log : bool, default=False
        Take ``sign(x) * log(1 + |x|)`` first.
    **kwargs
        Passed to `keras.layers.Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble import FeatureScaling
    >>> scaling = FeatureScaling()
    >>> scaling.adapt(np.array([[1.0, 5.0], [3.0, 5.0]]))
    >>> np.asarray(scaling(np.array([[1.0, 5.0], [5.0, 6.0]]))).tolist()
    [[-1.0, 0.0], [3.0, 1.0]]
    """

    def __init__(self, log: bool = False, **kwargs: Any) -> None:
        # Not rounded to half precision on the way in: a mean of 1000 beside a scale of 0.1 would
        # be lost, and what is above 65504 would be infinite.
        super().__init__(autocast=False, **kwargs)
        self.log = log
        # Set while the model is exported to a format that has no exact log1p.
        self.avoids_log1p = False

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the statistics: mean 0 and scale 1 until `adapt`."""
        self.mean = self._add_statistic("mean", input_shape[-1], "zeros")
        self.scale = self._add_statistic("scale", input_shape[-1], "ones")

    @property
    def is_adapted(self) -> bool:
        """Whether the statistics are other than mean 0 and scale 1."""
        return self.built and bool(
            np.any(self.mean.numpy() != 0) or np.any(self.scale.numpy() != 1)
        )

    def adapt(self, data: Any) -> None:
        """Learn mean and standard deviation.

        Parameters
        ----------
        data : array-like of shape (n_samples, n_features)
            Features of the training rows, one row or more.

        Raises
        ------
        ValueError
            If the shape is another one.
        """
        data = np.asarray(data, dtype=np.float64)
        if data.ndim != 2 or not len(data):
            msg = (
                "FeatureScaling adapts to features of shape (n_samples, n_features), one row or "
                f"more. Received shape {data.shape}."
            )
            raise ValueError(msg)
        if not self.built:
            self.build(data.shape)
        if self.log:
            data = np.sign(data) * np.log1p(np.abs(data))
        scale = data.std(axis=0)
        # Rounding leaves a constant column a standard deviation of some 1e-16 of its value, not 0.
        # Apart from that, features may be tiny: a random MobileNet gives some of 1e-20.
        constant = scale <= np.maximum(1e-12 * np.abs(data).max(axis=0), 1e-30)
        self.mean.assign(data.mean(axis=0))
        self.scale.assign(np.where(constant, 1.0, scale))

    def call(self, inputs: Any) -> Any:
        """Scale features."""
        inputs = keras.ops.cast(inputs, "float32")
        if self.log:
            size = keras.ops.abs(inputs)
            log1p = _log1p(size) if self.avoids_log1p else keras.ops.log1p(size)
            inputs = keras.ops.sign(inputs) * log1p
        return keras.ops.cast((inputs - self.mean) / self.scale, self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the input's shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "log": self.log}

    def _add_statistic(self, name: str, size: int | None, initializer: str) -> Any:
        return self.add_weight(
            name=name,
            shape=(size,),
            initializer=initializer,
            trainable=False,
            dtype="float32",
            autocast=False,
        )


@keras.saving.register_keras_serializable(package=PACKAGE)
class ApplicationPreprocessing(keras.layers.Layer):
    """Turn RGB pixels 0..255 into what a network of `keras.applications` was trained with.

    Parameters
    ----------
    application : str
        Name of the network, for example ``"VGG16"``.
    **kwargs
        Passed to `keras.layers.Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.encoders import ApplicationPreprocessing
    >>> white = np.full((1, 1, 1, 3), 255.0)
    >>> np.asarray(ApplicationPreprocessing("MobileNet")(white)).ravel().tolist()
    [1.0, 1.0, 1.0]
    """

    def __init__(self, application: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.application = application

    def call(self, inputs: Any) -> Any:
        """Preprocess pixels."""
        return find_preprocessing(self.application)(inputs)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the input's shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "application": self.application}


def _log1p(size: Any) -> Any:
    """Return ``log(1 + size)`` of numbers that are not negative, exact for tiny ones, too.

    References
    ----------
    .. [1] D. Goldberg, "What every computer scientist should know about floating-point
       arithmetic", ACM Computing Surveys 23(1), 1991, theorem 4.
    """
    above = 1 + size
    step = above - 1
    is_seen = step > 0
    return keras.ops.where(
        is_seen, keras.ops.log(above) * (size / keras.ops.where(is_seen, step, 1.0)), size
    )
