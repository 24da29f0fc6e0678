"""Attention between the embeddings of a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from multimodal_ensemble._keras import PACKAGE
from multimodal_ensemble._validation import check_at_least


@keras.saving.register_keras_serializable(package=PACKAGE)
class AttentionFusion(keras.layers.Layer):
    """Join embeddings that attend to each other.

    Each embedding is projected to the same number of units. To each projection, what it attends to
    in all projections of the row is added. The joined embedding is the concatenation of the sums.

    Parameters
    ----------
    units : int, default=64
        Size of each projection, a multiple of `n_heads`.
    n_heads : int, default=4
        Number of attention heads.
    **kwargs
        Passed to `keras.layers.Layer`.

    Raises
    ------
    ValueError
        If `units` is not a multiple of `n_heads`, or one of them is not a whole number of at least
        1.

    See Also
    --------
    GatedFusion : Weighs the modalities of each row.
    fuse_encoders : Takes one of them as its `fusion`.

    References
    ----------
    .. [1] A. Vaswani et al., "Attention Is All You Need", Advances in Neural Information Processing
       Systems 30, 2017, section 3.2, https://arxiv.org/abs/1706.03762.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.fusion import AttentionFusion
    >>> layer = AttentionFusion(8, n_heads=2)
    >>> layer([np.ones((2, 3)), np.zeros((2, 5))]).shape
    TensorShape([2, 16])
    """

    def __init__(self, units: int = 64, *, n_heads: int = 4, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_at_least(units, 1, name="units")
        check_at_least(n_heads, 1, name="n_heads")
        if units % n_heads:
            msg = (
                f"units must be a multiple of n_heads. Received units={units} and "
                f"n_heads={n_heads}; units={max(1, units // n_heads) * n_heads} is one."
            )
            raise ValueError(msg)
        self.units = int(units)
        self.n_heads = int(n_heads)

    def build(self, input_shape: Sequence[tuple[int | None, ...]]) -> None:
        """Create the projections and the attention."""
        self.projections = [
            keras.layers.Dense(self.units, dtype=self.dtype_policy, name=f"projection_{number}")
            for number in range(len(input_shape))
        ]
        self.attention = keras.layers.MultiHeadAttention(
            self.n_heads, self.units // self.n_heads, dtype=self.dtype_policy, name="attention"
        )
        for projection, shape in zip(self.projections, input_shape, strict=True):
            projection.build(shape)
        projected = (None, len(input_shape), self.units)
        self.attention.build(projected, projected)

    def call(self, inputs: Sequence[Any]) -> Any:
        """Return the joined embedding of shape ``(n, n_modalities * units)``."""
        ops = keras.ops
        projected = ops.stack(
            [
                projection(embedding)
                for projection, embedding in zip(self.projections, inputs, strict=True)
            ],
            axis=1,
        )
        attended = projected + self.attention(projected, projected)
        return ops.reshape(attended, (-1, len(inputs) * self.units))

    def compute_output_shape(
        self, input_shape: Sequence[tuple[int | None, ...]]
    ) -> tuple[int | None, int]:
        """Return the shape ``(n, n_modalities * units)``."""
        return (input_shape[0][0], len(input_shape) * self.units)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "units": self.units, "n_heads": self.n_heads}
