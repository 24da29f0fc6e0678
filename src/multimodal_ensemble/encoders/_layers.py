"""Keras layers and models that encoders need and Keras does not have."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._keras import PACKAGE, all_layers
from multimodal_ensemble.encoders._applications import find_preprocessing

# Numbers that are converted to float64 at once: 16 MiB.
_NUMBERS_PER_CHUNK = 2**21
# Of scaled features: sums of their squares are numbers of float32.
_LARGEST = 1e9


@keras.saving.register_keras_serializable(package=PACKAGE)
class FeatureScaling(keras.layers.Layer):
    """Scale features to mean 0 and variance 1 on the training rows, optionally after a logarithm.

    The layer differs from `keras.layers.Normalization` in two points. A feature that is constant on
    the training rows is only centred, where ``Normalization`` divides by 1e-7. And the statistics
    are read at each call, so that a function that was traced before `adapt` uses the new ones.

    Parameters
    ----------
    log : bool, default=False
        Take ``sign(x) * log(1 + |x|)`` first.
    **kwargs
        Passed to `keras.layers.Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.encoders import FeatureScaling
    >>> scaling = FeatureScaling()
    >>> scaling.adapt(np.array([[1.0, 5.0], [3.0, 5.0]]))
    >>> np.asarray(scaling(np.array([[1.0, 5.0], [5.0, 6.0]]))).tolist()
    [[-1.0, 0.0], [3.0, 1.0]]
    """

    def __init__(self, log: bool = False, **kwargs: Any) -> None:
        # Without rounding of the input to half precision, which would lose a scale of 0.1 around a
        # mean of 1000, and turn values above 65504 into infinity.
        super().__init__(autocast=False, **kwargs)
        self.log = log
        # True while the model is exported to a format that has no exact log1p.
        self.avoids_log1p = False

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the statistics: mean 0 and scale 1 until `adapt`."""
        options = {"shape": input_shape[-1:], "dtype": "float32", "trainable": False}
        self.mean = self.add_weight(name="mean", initializer="zeros", autocast=False, **options)
        self.scale = self.add_weight(name="scale", initializer="ones", autocast=False, **options)

    @property
    def is_adapted(self) -> bool:
        """Whether the statistics differ from mean 0 and scale 1."""
        return self.built and bool(
            np.any(self.mean.numpy() != 0) or np.any(self.scale.numpy() != 1)
        )

    def adapt(self, data: Any) -> None:
        """Learn mean and standard deviation.

        Parameters
        ----------
        data : array-like or sparse matrix of shape (n_samples, n_features)
            Features of one or more training rows.

        Raises
        ------
        ValueError
            If the data has another shape.
        """
        rows = data.tocsr() if hasattr(data, "tocsr") else np.asarray(data)
        _check_rows(rows)
        step = max(1, _NUMBERS_PER_CHUNK // max(1, rows.shape[1]))
        chunks = (rows[start : start + step] for start in range(0, rows.shape[0], step))
        self.adapt_to_chunks(
            chunk.toarray() if hasattr(chunk, "toarray") else chunk for chunk in chunks
        )

    def adapt_to_chunks(self, chunks: Iterable[NDArray[Any]]) -> None:
        """Learn mean and standard deviation of rows of which only a few are in memory.

        Parameters
        ----------
        chunks : iterable of ndarray of shape (n, n_features)
            Features of the training rows, in chunks of one or more rows.

        Raises
        ------
        ValueError
            If a chunk has another shape.
        """
        n_rows = 0
        mean: Any = 0.0
        variance: Any = 0.0
        largest: Any = 0.0
        for chunk in chunks:
            data = np.asarray(chunk, dtype=np.float64)
            _check_rows(data)
            if self.log:
                data = np.sign(data) * np.log1p(np.abs(data))
            n_rows += len(data)
            # T. Chan, G. Golub and R. LeVeque, "Updating formulae and a pairwise algorithm for
            # computing sample variances", COMPSTAT 1982.
            share = len(data) / n_rows
            shift = data.mean(axis=0) - mean
            variance = (1 - share) * (variance + share * shift**2) + share * data.var(axis=0)
            mean = mean + share * shift
            largest = np.maximum(largest, np.abs(data).max(axis=0))
        if not self.built:
            self.build((None, *mean.shape))
        scale = np.sqrt(variance)
        # Because of rounding, the standard deviation of a constant column is about 1e-16 of its
        # value instead of 0. Other features may be tiny: a random MobileNet returns some of 1e-20.
        constant = scale <= np.maximum(1e-12 * largest, 1e-30)
        self.mean.assign(mean)
        self.scale.assign(np.where(constant, 1.0, scale))

    def call(self, inputs: Any) -> Any:
        """Scale features."""
        inputs = keras.ops.cast(inputs, "float32")
        if self.log:
            size = keras.ops.abs(inputs)
            log1p = _log1p(size) if self.avoids_log1p else keras.ops.log1p(size)
            inputs = keras.ops.sign(inputs) * log1p
        # A number near the limit of float32 would become infinite, and scores NaN.
        scaled = keras.ops.clip((inputs - self.mean) / self.scale, -_LARGEST, _LARGEST)
        return keras.ops.cast(scaled, self.compute_dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "log": self.log}


@keras.saving.register_keras_serializable(package=PACKAGE)
class ApplicationPreprocessing(keras.layers.Layer):
    """Prepare RGB pixels 0..255 as in the training of a network of `keras.applications`.

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
        return find_preprocessing(self.application)(inputs, data_format="channels_last")

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of the input."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "application": self.application}


@keras.saving.register_keras_serializable(package=PACKAGE)
class MirrorImages(keras.layers.Layer):
    """Swap left and right of images.

    Parameters
    ----------
    **kwargs
        Passed to `keras.layers.Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.encoders import MirrorImages
    >>> np.asarray(MirrorImages()(np.array([[[[1.0], [2.0], [3.0]]]]))).ravel().tolist()
    [3.0, 2.0, 1.0]
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)

    def call(self, inputs: Any) -> Any:
        """Reverse the order of the columns of images of shape (n, height, width, channels)."""
        return keras.ops.flip(inputs, axis=2)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape of the input."""
        return input_shape


@keras.saving.register_keras_serializable(package=PACKAGE)
class InferenceModel(keras.Model):
    """A functional model that stays in inference mode, also within a model that is trained.

    A backbone should be such a model: with dropout active in training, its features would differ
    from stored ones. Calling a plain model with ``training=False`` is not enough, because Keras
    overrides the argument when the model around it is trained.

    Parameters
    ----------
    *args, **kwargs
        As for `keras.Model`: the input, the output and a name.

    Examples
    --------
    >>> import keras
    >>> import numpy as np
    >>> from multimodal_ensemble.encoders import InferenceModel
    >>> inputs = keras.Input((2,))
    >>> model = InferenceModel(inputs, keras.layers.Dropout(0.5)(inputs))
    >>> np.asarray(model(np.ones((1, 2)), training=True)).tolist()
    [[1.0, 1.0]]
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Run every layer in inference mode."""
        del training
        return super().call(inputs, training=False, mask=mask)

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """Return a model whose frozen layers are frozen throughout.

        Layers that make others when they are built, such as the blocks of transformers, leave
        these trainable when they are restored.
        """
        model = super().from_config(config, custom_objects=custom_objects)
        for layer in all_layers(model):
            if not layer.trainable and not isinstance(layer, keras.Model):
                # TensorFlow ignores an attribute that is set to the value that it has.
                layer.trainable = True
                layer.trainable = False
        return model


def _check_rows(data: Any) -> None:
    if data.ndim != 2 or not data.shape[0]:
        msg = (
            "FeatureScaling adapts to features of shape (n_samples, n_features) with at least "
            f"one row. Received shape {data.shape}."
        )
        raise ValueError(msg)


def _log1p(size: Any) -> Any:
    """Return ``log(1 + size)`` of numbers that are not negative, exact also for tiny ones."""
    # D. Goldberg, "What every computer scientist should know about floating-point arithmetic",
    # ACM Computing Surveys 23(1), 1991, theorem 4.
    above = 1 + size
    step = above - 1
    is_seen = step > 0
    return keras.ops.where(
        is_seen, keras.ops.log(above) * (size / keras.ops.where(is_seen, step, 1.0)), size
    )
