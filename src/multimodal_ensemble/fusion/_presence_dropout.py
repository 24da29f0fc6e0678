"""Taking whole modalities from rows during training, where rows may lack some."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from multimodal_ensemble._keras import PACKAGE
from multimodal_ensemble.fusion._modality_dropout import ModalityDropout, draw_kept


@keras.saving.register_keras_serializable(package=PACKAGE)
class PresenceDropout(ModalityDropout):
    """Let some rows lack modalities in training, never all that a row has.

    What `ModalityDropout` is for modalities that are always there: a dropped modality looks to the
    fusion exactly like a missing one, so `MissingModality` learns from it what to put in its place.

    Parameters
    ----------
    rate : float
        Probability with which a modality is drawn to be dropped, in [0, 1).
    seed : int, optional
        Makes the draws repeatable.
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
    >>> here, missing = np.ones((1000, 1)), np.zeros((1000, 1))
    >>> poster, tags, table = dropout([here, here, missing], training=True)
    >>> left = np.asarray(poster) + np.asarray(tags)
    >>> float(left.min()), float(left.max()), float(np.asarray(table).max())
    (1.0, 2.0, 0.0)
    """

    def call(self, inputs: Sequence[Any], training: bool = False) -> list[Any]:
        """Return the presence of each modality, with fewer of them in training."""
        inputs = list(inputs)
        if not training or not self.rate:
            return inputs
        kept = draw_kept(keras.ops.concatenate(inputs, axis=1), self.rate, self.seed_generator)
        kept = keras.ops.cast(kept, inputs[0].dtype)
        return [kept[:, position : position + 1] for position in range(len(inputs))]
