"""Gated multimodal units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from multimodal_ensemble._keras import PACKAGE
from multimodal_ensemble._validation import check_at_least


@keras.saving.register_keras_serializable(package=PACKAGE)
class GatedFusion(keras.layers.Layer):
    """Join embeddings by learned gates that weigh the modalities of each row.

    Each embedding is projected to the same number of units. For each unit, the gates of a row are
    shares of the modalities that sum to 1, and depend on all of its embeddings.

    Parameters
    ----------
    units : int, default=128
        Size of the joined embedding.
    activation : str or callable, default="tanh"
        Activation of the projections.
    **kwargs
        Passed to `keras.layers.Layer`.

    Raises
    ------
    ValueError
        If `units` is not a whole number of at least 1.

    See Also
    --------
    AttentionFusion : Lets the embeddings of a row attend to each other.
    fuse_encoders : Takes one of them as its `fusion`.

    Notes
    -----
    With embeddings ``x_m``, projections ``h_m = tanh(W_m x_m + b_m)`` and gates ``z = softmax over
    m of (V_m [x_1, ..., x_M] + c_m)``, the joined embedding is ``sum over m of z_m * h_m``. For two
    modalities, this softmax is the sigmoid gate of [1]_, whose other gate is one minus it.

    References
    ----------
    .. [1] J. Arevalo, T. Solorio, M. Montes-y-Gómez, F. A. González, "Gated Multimodal Units for
       Information Fusion", workshop of the International Conference on Learning Representations,
       2017, https://arxiv.org/abs/1702.01992.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.fusion import GatedFusion
    >>> layer = GatedFusion(4)
    >>> layer([np.ones((2, 3)), np.zeros((2, 5))]).shape
    TensorShape([2, 4])
    """

    def __init__(self, units: int = 128, *, activation: Any = "tanh", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_at_least(units, 1, name="units")
        self.units = int(units)
        self.activation = keras.activations.get(activation)

    def build(self, input_shape: Sequence[tuple[int | None, ...]]) -> None:
        """Create the projections and the gates."""
        dense, policy = keras.layers.Dense, self.dtype_policy
        self.projections = [
            dense(self.units, activation=self.activation, dtype=policy, name=f"projection_{number}")
            for number in range(len(input_shape))
        ]
        self.gates = dense(self.units * len(input_shape), dtype=policy, name="gates")
        for projection, shape in zip(self.projections, input_shape, strict=True):
            projection.build(shape)
        self.gates.build((None, sum(size or 0 for _, size in input_shape)))

    def call(self, inputs: Sequence[Any]) -> Any:
        """Return the joined embedding of shape ``(n, units)``."""
        ops = keras.ops
        projected = [
            projection(embedding)
            for projection, embedding in zip(self.projections, inputs, strict=True)
        ]
        gates = self.gates(ops.concatenate(inputs, axis=-1))
        gates = ops.softmax(ops.reshape(gates, (-1, len(inputs), self.units)), axis=1)
        return ops.sum(gates * ops.stack(projected, axis=1), axis=1)

    def compute_output_shape(
        self, input_shape: Sequence[tuple[int | None, ...]]
    ) -> tuple[int | None, int]:
        """Return the shape ``(n, units)``."""
        return (input_shape[0][0], self.units)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        activation = keras.activations.serialize(self.activation)
        return {**super().get_config(), "units": self.units, "activation": activation}
