"""Dropping whole modalities during training where rows may lack some."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from multimodal_ensemble._keras import PACKAGE
from multimodal_ensemble.fusion._modality_dropout import ModalityDropout, draw_kept


@keras.saving.register_keras_serializable(package=PACKAGE)
class PresenceDropout(ModalityDropout):
    """Mark modalities of random rows as missing in training, but never all that a row has.

    It replaces `ModalityDropout` where rows may lack modalities. A dropped modality looks to the
    fusion exactly like a missing one, so that `MissingModality` is trained on both.

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

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.fusion import PresenceDropout
    >>> dropout = PresenceDropout(0.5, seed=1)
    >>> present, missing = np.ones((1000, 1)), np.zeros((1000, 1))
    >>> poster, tags, table = dropout([present, present, missing], training=True)
    >>> left = np.asarray(poster) + np.asarray(tags)
    >>> float(left.min()), float(left.max()), float(np.asarray(table).max())
    (1.0, 2.0, 0.0)
    """

    def call(self, inputs: Sequence[Any], training: bool = False) -> list[Any]:
        """Return the presence of each modality; some are set to 0 in training."""
        inputs = list(inputs)
        if not training or not self.rate:
            return inputs
        kept = draw_kept(keras.ops.concatenate(inputs, axis=1), self.rate, self.seed_generator)
        kept = keras.ops.cast(kept, inputs[0].dtype)
        return [kept[:, position : position + 1] for position in range(len(inputs))]
