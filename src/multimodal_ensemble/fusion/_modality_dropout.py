"""Dropping whole modalities during training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from multimodal_ensemble._keras import PACKAGE
from multimodal_ensemble._validation import check_fraction


@keras.saving.register_keras_serializable(package=PACKAGE)
class ModalityDropout(keras.layers.Layer):
    """Drop whole embeddings of random rows in training, but never all embeddings of a row.

    This keeps a fusion from relying on its strongest modality alone. If all modalities of a row
    are drawn to be dropped, one of them, chosen at random, is kept. Kept embeddings are scaled so
    that their expected value is the same as in prediction, where nothing is dropped.

    Parameters
    ----------
    rate : float
        Probability that a modality is drawn to be dropped, in [0, 1).
    seed : int, optional
        Seed of the draws. Default: the draws differ between layers.
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

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        check_fraction(rate, name="rate")
        self.rate = rate
        self.seed = seed
        self.seed_generator = keras.random.SeedGenerator(seed)
        self.built = True

    def call(self, inputs: Sequence[Any], training: bool = False) -> list[Any]:
        """Drop embeddings in training; otherwise return the inputs."""
        inputs = list(inputs)
        n_modalities = len(inputs)
        if not training or not self.rate or n_modalities == 1:
            return inputs
        present = keras.ops.ones((keras.ops.shape(inputs[0])[0], n_modalities))
        kept = draw_kept(present, self.rate, self.seed_generator)
        probability = 1 - self.rate + self.rate**n_modalities / n_modalities
        factors = keras.ops.cast(kept, inputs[0].dtype) / probability
        return [
            embedding * factors[:, position : position + 1]
            for position, embedding in enumerate(inputs)
        ]

    def compute_output_shape(self, input_shape: Sequence[Any]) -> list[Any]:
        """Return the shapes of the inputs."""
        return list(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}


def draw_kept(present: Any, rate: float, seed_generator: keras.random.SeedGenerator) -> Any:
    """Draw which modalities to keep: at least one of those that a row has.

    Parameters
    ----------
    present : tensor of shape (n, n_modalities)
        1 where a row has a modality, else 0.
    rate : float
        Probability that a modality is drawn to be dropped, in [0, 1).
    seed_generator : keras.random.SeedGenerator
        Source of the draws.

    Returns
    -------
    tensor of shape (n, n_modalities)
        Booleans; False where a row lacks the modality.
    """
    ops = keras.ops
    present = ops.cast(present, "bool")
    # The lowest draw, so that a missing modality is never the one that must be kept.
    draws = keras.random.uniform(ops.shape(present), seed=seed_generator)
    draws = ops.where(present, draws, -1.0)
    highest = draws == ops.max(draws, axis=1, keepdims=True)
    return ops.logical_and(present, ops.logical_or(draws >= rate, highest))
