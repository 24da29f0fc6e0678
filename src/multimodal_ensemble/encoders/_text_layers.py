"""Layers in front of and behind a network of token ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from multimodal_ensemble._keras import PACKAGE

Shape = tuple[int | None, ...]


@keras.saving.register_keras_serializable(package=PACKAGE)
class TokenInputs(keras.layers.Layer):
    """Turn padded token ids into the inputs of a network of KerasHub.

    Parameters
    ----------
    pad_id : int
        The id of the padding; negative where no id of the model is free for it.
    names : sequence of str
        The inputs: ``"token_ids"``, ``"padding_mask"`` and perhaps ``"segment_ids"``.
    **kwargs
        Passed to `keras.layers.Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.encoders._text_layers import TokenInputs
    >>> layer = TokenInputs(pad_id=0, names=["token_ids", "padding_mask"])
    >>> np.asarray(layer(np.array([[7, 8, 0]]))["padding_mask"]).tolist()
    [[1, 1, 0]]
    """

    def __init__(self, pad_id: int, names: Sequence[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pad_id = pad_id
        self.names = list(names)

    def call(self, inputs: Any) -> dict[str, Any]:
        """Return arrays of the shape of the ids; windows of all rows are rows of their own."""
        ids = keras.ops.cast(inputs, "int32")
        if len(inputs.shape) == 3:
            ids = keras.ops.reshape(ids, (-1, keras.ops.shape(ids)[2]))
        made = {
            "token_ids": keras.ops.maximum(ids, 0),
            "padding_mask": keras.ops.cast(keras.ops.not_equal(ids, self.pad_id), "int32"),
            "segment_ids": keras.ops.zeros_like(ids),
        }
        return {name: made[name] for name in self.names}

    def compute_output_spec(self, inputs: Any) -> dict[str, Any]:
        """Return the shapes and dtypes of the inputs of the network."""
        shape = (None, inputs.shape[2]) if len(inputs.shape) == 3 else inputs.shape
        return {name: keras.KerasTensor(shape, dtype="int32") for name in self.names}

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "pad_id": self.pad_id, "names": self.names}


@keras.saving.register_keras_serializable(package=PACKAGE)
class TokenPooling(keras.layers.Layer):
    """Reduce the vectors of tokens to one vector per row, without those of padding.

    Parameters
    ----------
    pooling : {"mean", "cls", "max", "last"}
        The mean, the vector of the first token, the maximum, or the vector of the last token.
    pad_id : int
        The id of the padding.
    **kwargs
        Passed to `keras.layers.Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.encoders._text_layers import TokenPooling
    >>> vectors = np.array([[[1.0], [3.0], [9.0]]])
    >>> np.asarray(TokenPooling("mean", pad_id=0)([vectors, np.array([[7, 8, 0]])])).tolist()
    [[2.0]]
    """

    def __init__(self, pooling: str, pad_id: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.pooling = pooling
        self.pad_id = pad_id

    def call(self, inputs: Sequence[Any]) -> Any:
        """Return vectors of shape ``(n, size)`` from vectors ``(n, length, size)`` and ids.

        With ids of shape ``(n, n_windows, length)``, the vectors are those of windows, and their
        mean counts a window by the number of its tokens. A text without tokens has zeros.
        """
        vectors, ids = inputs
        mask = keras.ops.cast(keras.ops.not_equal(ids, self.pad_id), vectors.dtype)
        if len(ids.shape) == 2:
            return self._pool(vectors, mask)
        shape = keras.ops.shape(ids)
        weights = keras.ops.sum(mask, axis=2, keepdims=True)
        pooled = self._pool(vectors, keras.ops.reshape(mask, (-1, shape[2])))
        windows = keras.ops.reshape(pooled, (-1, shape[1], vectors.shape[-1]))
        total = keras.ops.maximum(keras.ops.sum(weights, axis=1), 1)
        return keras.ops.sum(windows * weights, axis=1) / total

    def _pool(self, vectors: Any, mask: Any) -> Any:
        vectors = vectors * keras.ops.expand_dims(mask, -1)
        n_tokens = keras.ops.sum(mask, axis=1, keepdims=True)
        if self.pooling == "cls":
            return vectors[:, 0]
        if self.pooling == "max":
            lowest = keras.ops.min(vectors, axis=1, keepdims=True)
            here = keras.ops.expand_dims(mask, -1) > 0
            return keras.ops.max(keras.ops.where(here, vectors, lowest), axis=1)
        if self.pooling == "last":
            # The number of tokens up to each position is the whole number at the last one.
            is_last = keras.ops.cumsum(mask, axis=1) * mask > n_tokens - 0.5
            here = keras.ops.expand_dims(keras.ops.cast(is_last, mask.dtype), -1)
            return keras.ops.sum(vectors * here, axis=1)
        return keras.ops.sum(vectors, axis=1) / keras.ops.maximum(n_tokens, 1)

    def compute_output_shape(self, input_shape: Sequence[Shape]) -> Shape:
        """Return the shape ``(n, size)``."""
        return (input_shape[1][0], input_shape[0][-1])

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "pooling": self.pooling, "pad_id": self.pad_id}
