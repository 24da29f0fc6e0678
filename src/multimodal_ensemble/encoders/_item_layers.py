"""Keras layers for rows that are lists of items."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from multimodal_ensemble._keras import PACKAGE
from multimodal_ensemble._validation import check_at_least, check_choice
from multimodal_ensemble.encoders._item_lists import PADDING

ITEM_POOLINGS = ("mean", "max", "attention")
_Shape = tuple[int | None, ...]


@keras.saving.register_keras_serializable(package=PACKAGE)
class FoldItems(keras.layers.Layer):
    """Turn lists of items into single items, and return which places of the lists hold one.

    Takes lists of shape ``(n, n_longest, *item_shape)`` with -1 throughout the places that hold no
    item. Returns items of shape ``(n * n_longest, *item_shape)``, with zeros in such places, and
    ones and zeros of shape ``(n, n_longest)``.

    Parameters
    ----------
    **kwargs
        Passed to `keras.layers.Layer`.

    See Also
    --------
    PoolItems : Turns features of items into features of rows.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.encoders import FoldItems
    >>> lists = np.array([[[3.0, 4.0], [5.0, 6.0]], [[7.0, 8.0], [-1.0, -1.0]]])
    >>> items, presence = FoldItems()(lists)
    >>> np.asarray(items).tolist()
    [[3.0, 4.0], [5.0, 6.0], [7.0, 8.0], [0.0, 0.0]]
    >>> np.asarray(presence).tolist()
    [[1.0, 1.0], [1.0, 0.0]]
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)

    def call(self, inputs: Any) -> list[Any]:
        """Return items, and which places hold one."""
        axes = tuple(range(2, len(inputs.shape)))
        is_item = keras.ops.any(keras.ops.not_equal(inputs, PADDING), axis=axes, keepdims=True)
        items = keras.ops.where(is_item, inputs, keras.ops.zeros_like(inputs))
        presence = keras.ops.cast(keras.ops.squeeze(is_item, axes), self.compute_dtype)
        return [keras.ops.reshape(items, (-1, *keras.ops.shape(inputs)[2:])), presence]

    def compute_output_shape(self, input_shape: _Shape) -> list[_Shape]:
        """Return the shapes of items and of their presence."""
        return [(None, *input_shape[2:]), tuple(input_shape[:2])]

    def compute_output_spec(self, inputs: Any) -> list[keras.KerasTensor]:
        """Return the shapes and dtypes of items and of their presence."""
        items, presence = self.compute_output_shape(inputs.shape)
        return [
            keras.KerasTensor(items, dtype=inputs.dtype),
            keras.KerasTensor(presence, dtype=self.compute_dtype),
        ]


@keras.saving.register_keras_serializable(package=PACKAGE)
class PoolItems(keras.layers.Layer):
    """Turn the features of items into features of the rows whose lists hold them.

    Takes features of shape ``(n * n_longest, n_features)`` and the presence of items of shape
    ``(n, n_longest)``, as `FoldItems` returns it. Returns features of shape ``(n, n_features)``, or
    for ``"attention"`` of shape ``(n, max_items, n_features + 1)``. A list without items has zeros.

    Parameters
    ----------
    pooling : {"mean", "max", "attention"}
        Mean or maximum over the items of a row, or all features of them for `AttentionPooling`: the
        last one is 1 for an item, and 0 where the list has ended.
    max_items : int, default=8
        Places per row, for ``"attention"``. Further items are left out.
    **kwargs
        Passed to `keras.layers.Layer`.

    Raises
    ------
    ValueError
        If an option is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.encoders import PoolItems
    >>> features, presence = np.array([[3.0], [5.0], [7.0], [0.0]]), np.array([[1, 1], [1, 0]])
    >>> np.asarray(PoolItems("mean")([features, presence])).tolist()
    [[4.0], [7.0]]
    """

    def __init__(self, pooling: str, max_items: int = 8, **kwargs: Any) -> None:
        check_choice(pooling, ITEM_POOLINGS, name="pooling")
        check_at_least(max_items, 1, name="max_items")
        super().__init__(**kwargs)
        self.pooling = pooling
        self.max_items = max_items

    def call(self, inputs: Sequence[Any]) -> Any:
        """Pool features."""
        features, presence = inputs
        n_longest = keras.ops.shape(presence)[1]
        features = keras.ops.reshape(features, (-1, n_longest, features.shape[-1]))
        is_item = keras.ops.expand_dims(keras.ops.cast(presence, features.dtype), -1)
        if self.pooling == "max":
            # Of the places without an item, the smallest feature of the row.
            least = keras.ops.min(features, axis=1, keepdims=True)
            largest = keras.ops.max(keras.ops.where(is_item > 0, features, least), axis=1)
            return largest * keras.ops.max(is_item, axis=1)
        features = features * is_item
        if self.pooling == "mean":
            count = keras.ops.maximum(keras.ops.sum(is_item, axis=1), 1)
            return keras.ops.sum(features, axis=1) / count
        places = keras.ops.concatenate([features, is_item], axis=-1)
        nothing = keras.ops.repeat(keras.ops.zeros_like(places[:, :1]), self.max_items, axis=1)
        return keras.ops.concatenate([places, nothing], axis=1)[:, : self.max_items]

    def compute_output_shape(self, input_shape: Sequence[_Shape]) -> _Shape:
        """Return the shape of the features of rows."""
        (_, n_features), (n_rows, _) = input_shape
        if self.pooling == "attention" and n_features is not None:
            return (n_rows, self.max_items, n_features + 1)
        return (n_rows, n_features)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "pooling": self.pooling, "max_items": self.max_items}


@keras.saving.register_keras_serializable(package=PACKAGE)
class AttentionPooling(keras.layers.Layer):
    """Mean of the items of a row, with weights that are learned from their features.

    The weight of an item with features h is the softmax, over the items of its row, of
    ``w @ tanh(V @ h)``, with h scaled to mean 0 and variance 1 [1]_. Before training, w is 0, and
    all weights are equal.

    Takes what `PoolItems` with ``"attention"`` returns, of shape ``(n, max_items, n_features +
    1)``, and returns features of shape ``(n, n_features)``. A list without items has zeros.

    Parameters
    ----------
    units : int, default=32
        Length of w.
    **kwargs
        Passed to `keras.layers.Layer`.

    Raises
    ------
    ValueError
        If `units` is less than 1.

    References
    ----------
    .. [1] M. Ilse, J. Tomczak and M. Welling, "Attention-based deep multiple instance learning",
       ICML 2018.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.encoders import AttentionPooling
    >>> two_items = np.array([[[3.0, 1.0, 1.0], [5.0, 3.0, 1.0], [0.0, 0.0, 0.0]]])
    >>> np.asarray(AttentionPooling()(two_items)).tolist()
    [[4.0, 2.0]]
    """

    def __init__(self, units: int = 32, **kwargs: Any) -> None:
        check_at_least(units, 1, name="units")
        super().__init__(**kwargs)
        self.units = units

    def build(self, input_shape: _Shape) -> None:
        """Create V and w."""
        n_features = int(input_shape[-1] or 0) - 1
        self.projection = self.add_weight(name="projection", shape=(n_features, self.units))
        self.direction = self.add_weight(name="direction", shape=(self.units,), initializer="zeros")

    def call(self, inputs: Any) -> Any:
        """Return weighted means."""
        features, is_item = inputs[..., :-1], inputs[..., -1:]
        centred = features - keras.ops.mean(features, axis=-1, keepdims=True)
        deviation = keras.ops.std(features, axis=-1, keepdims=True)
        scaled = centred / keras.ops.where(deviation > 0, deviation, keras.ops.ones_like(deviation))
        hidden = keras.ops.tanh(keras.ops.matmul(scaled, self.projection))
        logits = keras.ops.sum(hidden * self.direction, axis=-1, keepdims=True)
        least = keras.ops.min(logits, axis=1, keepdims=True)
        logits = keras.ops.where(is_item > 0, logits, least)
        # The largest weight of a row with items is 1 before the division.
        weights = keras.ops.exp(logits - keras.ops.max(logits, axis=1, keepdims=True)) * is_item
        total = keras.ops.maximum(keras.ops.sum(weights, axis=1), 1)
        return keras.ops.sum(weights * features, axis=1) / total

    def compute_output_shape(self, input_shape: _Shape) -> _Shape:
        """Return the shape of the features of rows."""
        return (input_shape[0], int(input_shape[-1] or 0) - 1)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "units": self.units}
