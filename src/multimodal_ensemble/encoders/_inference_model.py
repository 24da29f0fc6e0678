"""A model that never runs in training mode."""

from __future__ import annotations

from typing import Any

import keras

from multimodal_ensemble._keras import PACKAGE


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
