"""What makes two backbones the same: their structure and the values of their weights."""

from __future__ import annotations

import hashlib
import json
import zlib
from dataclasses import dataclass

import keras
import numpy as np

from multimodal_ensemble._keras import all_layers, without_names


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
    state = _State.of(model)
    known, fingerprint = getattr(model, _KEPT, (None, ""))
    if known != state:
        fingerprint = _digest(model)
        # Past Keras's own way to set attributes, which would look for layers in it.
        object.__setattr__(model, _KEPT, (state, fingerprint))
    return fingerprint


# Where a model keeps its last fingerprint.
_KEPT = "_multimodal_ensemble_fingerprint"


@dataclass(frozen=True)
class _State:
    """What tells that a model is as it was when its fingerprint was taken.

    Every data set asks for the fingerprint, because weights may have changed. Writing out the
    configuration and its digest takes some 30 to 100 ms of a network, as long as many steps of
    training; a CRC of each weight takes a quarter of that, and misses no change of a single number.
    The configuration of a layer does not change once it is built.
    """

    layers: tuple[int, ...]
    checksums: tuple[int, ...]

    @classmethod
    def of(cls, model: keras.Model) -> _State:
        values = (np.ascontiguousarray(weight.numpy()) for weight in model.weights)
        return cls(
            tuple(id(layer) for layer in all_layers(model)),
            tuple(zlib.crc32(value.view(np.uint8).data) if value.size else 0 for value in values),
        )


def _digest(model: keras.Model) -> str:
    digest = hashlib.sha256()
    config = keras.saving.serialize_keras_object(model)
    digest.update(json.dumps(without_names(config), sort_keys=True, default=repr).encode())
    for weight in model.weights:
        value = np.ascontiguousarray(weight.numpy())
        digest.update(f"{value.dtype.str}{value.shape}".encode())
        digest.update(value.view(np.uint8).data if value.size else b"")
    return digest.hexdigest()
