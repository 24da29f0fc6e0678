"""What makes two backbones the same: their structure and the values of their weights."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import keras
import numpy as np

# Bookkeeping that differs from one process to the next and changes no feature.
_IRRELEVANT = {"build_config", "compile_config", "shared_object_id", "trainable"}

# Where a configuration names layers; besides these, a name is a value like any other.
_NAME_KEYS = {"keras_history", "input_layers", "output_layers"}

# What stands beside the name of a layer or of an input, and not beside that of a dtype policy.
_LAYER_KEYS = {"trainable", "class_name", "batch_shape"}


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
    digest.update(json.dumps(_anonymous(config, {}), sort_keys=True, default=repr).encode())
    for weight in model.weights:
        value = np.ascontiguousarray(weight.numpy())
        digest.update(f"{value.dtype.str}{value.shape}".encode())
        digest.update(value.view(np.uint8).data if value.size else b"")
    return digest.hexdigest()


def _anonymous(node: Any, names: dict[str, str], *, names_here: bool = False) -> Any:
    """Replace the names of layers by numbers, in the places where Keras writes such names only.

    A layer may be called "relu" beside an activation "relu", so not every equal string is one.
    """
    if isinstance(node, dict):
        name_keys = _NAME_KEYS | ({"name"} if _LAYER_KEYS & node.keys() else set())
        return {
            key: _anonymous(value, names, names_here=names_here or key in name_keys)
            for key, value in node.items()
            if key not in _IRRELEVANT
        }
    if isinstance(node, list | tuple):
        return [_anonymous(value, names, names_here=names_here) for value in node]
    if names_here and isinstance(node, str):
        return names.setdefault(node, f"#{len(names)}")
    return node
