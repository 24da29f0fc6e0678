"""Dropping whole modalities during training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from multimodal_ensemble._keras import PACKAGE
from multimodal_ensemble._validation import check_fraction


@keras.saving.register_keras_serializable(package=PACKAGE)
class ModalityDropout(keras.layers.Layer):
    """Drop whole modalities of random rows in training, but never all that a row has.

    This keeps a fusion from relying on its strongest modality alone. If all modalities of a row
    are drawn to be dropped, one of them, chosen at random, is kept. The inputs are either
    embeddings or, where rows may lack modalities, the presence of each modality.

    Parameters
    ----------
    rate : float
        Probability that a modality is drawn to be dropped, in [0, 1).
    seed : int, optional
        Seed of the draws. Default: the draws differ between layers.
    presence : bool, default=False
        False: the inputs are embeddings of shape ``(n, size)``. Kept ones are scaled so that their
        expected value is the same as in prediction, where nothing is dropped. True: the inputs
        have shape ``(n, 1)`` and are 1 where a row has the modality, else 0. A dropped modality
        looks like a missing one, so that `MissingModality` is trained on both.
    **kwargs
        Passed to `keras.layers.Layer`.

    Raises
    ------
    ValueError
        If the rate is out of range.

    Notes
    -----
    With ``m`` modalities, each is kept with probability ``1 - rate + rate**m / m``.

    References
    ----------
    .. [1] N. Neverova, C. Wolf, G. Taylor, F. Nebout, "ModDrop: adaptive multi-modal gesture
       recognition", IEEE Transactions on Pattern Analysis and Machine Intelligence 38(8), 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.fusion import ModalityDropout
    >>> dropout = ModalityDropout(0.5, seed=1)
    >>> kept = dropout([np.ones((1000, 2)), np.ones((1000, 3))], training=True)
    >>> poster, tags = (np.asarray(embedding)[:, 0] > 0 for embedding in kept)
    >>> bool((poster | tags).all()), bool((poster & tags).all())
    (True, False)
    """

    def __init__(
        self, rate: float, seed: int | None = None, *, presence: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        check_fraction(rate, name="rate")
        self.rate = rate
        self.seed = seed
        self.presence = presence
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.built = True

    def call(self, inputs: Sequence[Any], training: bool = False) -> list[Any]:
        """Drop modalities in training; otherwise return the inputs."""
        inputs, n, ops = list(inputs), len(inputs), keras.ops
        if not training or not self.rate or n == 1:
            return inputs
        if self.presence:
            present = ops.cast(ops.concatenate(inputs, axis=1), "bool")
        else:
            present = ops.ones((ops.shape(inputs[0])[0], n), dtype="bool")
        # A missing modality has the lowest draw, so that it is never the one that must be kept.
        draws = keras.random.uniform(ops.shape(present), seed=self.seed_generator)
        draws = ops.where(present, draws, -1.0)
        highest = draws == ops.max(draws, axis=1, keepdims=True)
        kept = ops.logical_and(present, ops.logical_or(draws >= self.rate, highest))
        factors: list[Any] = ops.split(ops.cast(kept, inputs[0].dtype), n, axis=1)
        if self.presence:
            return factors
        probability = 1 - self.rate + self.rate**n / n
        return [
            embedding * (factor / probability)
            for embedding, factor in zip(inputs, factors, strict=True)
        ]

    def compute_output_shape(self, input_shape: Sequence[Any]) -> list[Any]:
        """Return the shapes of the inputs."""
        return list(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        own = {"rate": self.rate, "seed": self.seed, "presence": self.presence}
        return {**super().get_config(), **own}
