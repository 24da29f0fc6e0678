"""What makes two backbones the same: their structure and the values of their weights."""

from __future__ import annotations

import hashlib
import json

import keras
import numpy as np

from multimodal_ensemble.encoders._config import without_names


def model_fingerprint(model: keras.Model) -> str:
    """Return a digest of a model's structure, dtypes and weights.

    Names of layers do not count, because Keras numbers them in the order in which a process
    happens to build them.

    Parameters
    ----------
    model : keras.Model
        A functional or sequential model, or one with a complete `get_config`.

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
    digest = hashlib.sha256()
    config = keras.saving.serialize_keras_object(model)
    digest.update(json.dumps(without_names(config), sort_keys=True, default=repr).encode())
    for weight in model.weights:
        value = np.ascontiguousarray(weight.numpy())
        digest.update(f"{value.dtype.str}{value.shape}".encode())
        digest.update(value.view(np.uint8).data if value.size else b"")
    return digest.hexdigest()
