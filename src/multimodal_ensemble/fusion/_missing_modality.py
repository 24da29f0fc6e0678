"""Learned embeddings for modalities that a row lacks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from multimodal_ensemble._keras import PACKAGE


@keras.saving.register_keras_serializable(package=PACKAGE)
class MissingModality(keras.layers.Layer):
    """Replace the embedding of a missing modality by a learned vector.

    The vector is the same for all rows, in training and in prediction. It is learned from the
    training rows that lack the modality or from which `ModalityDropout` drops it.

    Parameters
    ----------
    **kwargs
        Passed to `keras.layers.Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.fusion import MissingModality
    >>> embedding, presence = np.array([[3.0, 4.0], [0.0, 0.0]]), np.array([[1.0], [0.0]])
    >>> layer = MissingModality()
    >>> _ = layer([embedding, presence])
    >>> _ = layer.learned.assign([7.0, 8.0])
    >>> np.asarray(layer([embedding, presence])).tolist()
    [[3.0, 4.0], [7.0, 8.0]]
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)

    def build(self, input_shape: Sequence[tuple[int | None, ...]]) -> None:
        """Create the vector, which is initially zero."""
        (_, size), _ = input_shape
        self.learned = self.add_weight(name="learned", shape=(size,), initializer="zeros")

    def call(self, inputs: Sequence[Any]) -> Any:
        """Return the embedding where the presence is 1 and the vector where it is 0."""
        embedding, presence = inputs
        learned = keras.ops.cast(self.learned, embedding.dtype)
        return keras.ops.where(keras.ops.cast(presence, "bool"), embedding, learned)

    def compute_output_shape(
        self, input_shape: Sequence[tuple[int | None, ...]]
    ) -> tuple[int | None, ...]:
        """Return the shape of the embedding."""
        return input_shape[0]


@keras.saving.register_keras_serializable(package=PACKAGE)
class AlwaysPresent(keras.layers.Layer):
    """Return the presence of a modality that no row lacks, given its embedding."""

    # This is no operation of `keras.ops`, because some Keras functions expect layers in a model.
    def call(self, inputs: Any) -> Any:
        """Return ones of shape ``(n, 1)``."""
        return keras.ops.ones_like(inputs[:, :1])

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, int]:
        """Return the shape ``(n, 1)``."""
        return (input_shape[0], 1)
