"""A digest of all that the output of a backbone depends on: its structure and its weights."""

from __future__ import annotations

import json
import zlib

import keras
import numpy as np

from multimodal_ensemble._digest import digest_arrays
from multimodal_ensemble._keras import all_layers, without_names


def model_fingerprint(model: keras.Model) -> str:
    """Return a digest of a model's structure, dtypes and weights.

    The names of layers have no effect, because Keras numbers layers in the order in which a
    process builds them.

    Parameters
    ----------
    model : keras.Model
        A functional or sequential model, or one with a complete ``get_config``.

    Returns
    -------
    str
        64 hexadecimal digits.

    Examples
    --------
    >>> import keras
    >>> from multimodal_ensemble.features import model_fingerprint
    >>> def build():
    ...     dense = keras.layers.Dense(1, kernel_initializer="ones")
    ...     return keras.Sequential([keras.Input((2,)), dense])
    >>> model_fingerprint(build()) == model_fingerprint(build())
    True
    """
    state = _state_of(model)
    known, fingerprint = getattr(model, _CACHE, (None, ""))
    if known != state:
        fingerprint = _digest(model)
        # Keras would search an attribute that is set in the usual way for layers.
        object.__setattr__(model, _CACHE, (state, fingerprint))
    return fingerprint


# The attribute in which a model keeps its last fingerprint.
_CACHE = "_multimodal_ensemble_fingerprint"


def _state_of(model: keras.Model) -> tuple[list[int], list[int]]:
    """Return evidence that a model has not changed since its fingerprint was taken.

    Every data set needs the fingerprint, because weights may have changed. Computing it takes 30
    to 100 ms per network, as long as many steps of training. A CRC of each weight takes a quarter
    of that and detects any change of a single number. A built layer keeps its configuration.
    """
    values = (np.ascontiguousarray(weight.numpy()) for weight in model.weights)
    checksums = [zlib.crc32(value.view(np.uint8).data) if value.size else 0 for value in values]
    return [id(layer) for layer in all_layers(model)], checksums


def _digest(model: keras.Model) -> str:
    config = without_names(keras.saving.serialize_keras_object(model))
    text = json.dumps(config, sort_keys=True, default=repr)
    return digest_arrays((weight.numpy() for weight in model.weights), prefix=text.encode())
