"""A digest of all that the output of a backbone depends on: its structure and its weights."""

from __future__ import annotations

import json
import math
import zlib
from functools import partial
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._digest import digest_arrays
from multimodal_ensemble._keras import all_layers, has_lambda, remembered, without_names
from multimodal_ensemble.exceptions import ModalityError


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
    return remembered(model, "fingerprint", _state_of(model), partial(_digest, model))


# The size of an axis for which a model takes any size.
_ANY_SIZE = 32


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
    arrays = [weight.numpy() for weight in model.weights]
    if has_lambda(model) and len(getattr(model, "inputs", ())) == 1:
        # A function has a name or code, but these do not show which values it uses. What it does
        # with an input does.
        config: Any = [_layer_config(layer) for layer in all_layers(model)]
        arrays.append(_output_for_fixed_input(model))
    else:
        try:
            config = keras.saving.serialize_keras_object(model)
        except TypeError as error:
            msg = (
                f"The features of {model.name!r} cannot be stored, because one of its layers "
                f"cannot be described: {error} Train no layers of this network, or all of them."
            )
            raise ModalityError(msg) from error
    text = json.dumps(without_names(config), sort_keys=True, default=repr)
    return digest_arrays(arrays, prefix=text.encode())


def _layer_config(layer: keras.Layer) -> tuple[str, dict[str, Any]]:
    is_described = not isinstance(layer, keras.layers.Lambda | keras.Model)
    return type(layer).__name__, layer.get_config() if is_described else {}


def _output_for_fixed_input(model: keras.Model) -> NDArray[Any]:
    shape = [size or _ANY_SIZE for size in model.inputs[0].shape[1:]]
    is_float = "float" in keras.backend.standardize_dtype(model.inputs[0].dtype)
    values = np.arange(math.prod(shape)) % (251 if is_float else 2)
    row = values.reshape(1, *shape).astype("float32" if is_float else "int32")
    return np.asarray(model(row, training=False))
