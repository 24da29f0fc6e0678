"""What an encoder computes in front of the trained layers, to detect that its code has changed.

A network is recognised by what it returns for fixed inputs. Its configuration would not do: each
version of Keras writes it differently, and the code of layers of one's own is not in it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._keras import all_layers
from multimodal_ensemble.encoders import Encoder

# Networks of layers of these packages are stored by their configurations or named, so that no code
# of one's own can change them, and running a large network would take seconds.
_KNOWN_PACKAGES = {"keras", "keras_hub", "multimodal_ensemble"}

# Lengths for axes of any length: the longest one with at most so many values.
_LENGTHS = (32, 16, 8, 4, 2, 1)
_MANY_VALUES = 2**20
_MOST_VALUES = 2**24
_MOST_OUTPUTS = 1000

# Consecutive multiples of the golden ratio, modulo 1, are evenly distributed, and the same on all
# machines.
_GOLDEN_RATIO = (math.sqrt(5) - 1) / 2

# The same network on other hardware differs by up to 0.003 of the root mean square of its features
# with the 11 bits of TensorFloat-32, and by up to 0.03 with the 8 bits of bfloat16.
_TOLERANCE = {"float32": 0.01, "float64": 0.01}
_HALF_TOLERANCE = 0.1
# A feature that is rounded to a code, such as a sign, may differ on other hardware.
_MOST_DIFFERENT = 0.05
# Features below this size may be rounding errors alone.
_LEAST_SIZE = 1e-6


def describe_computation(encoder: Encoder) -> dict[str, Any]:
    """Return the shape of encoded rows, the way of encoding, and outputs of the network.

    The outputs are None unless code of one's own takes part in the network.
    """
    backbone = encoder.get_backbone()
    is_own = backbone is not None and _has_own_code(encoder, backbone)
    return {
        "input_shape": _describe_shape(encoder),
        "encoding": _describe_encoding(encoder),
        "network_output": _fixed_output(encoder, backbone) if is_own else None,
    }


def find_changed_encoding(saved: Mapping[str, Any], encoder: Encoder) -> str | None:
    """Return how encoded rows differ from those that `describe_computation` described, or None."""
    if (shape := _describe_shape(encoder)) != saved["input_shape"]:
        return f"its input_shape is {shape}, and was {saved['input_shape']!r:.200}"
    if (encoding := _describe_encoding(encoder)) != saved["encoding"]:
        return f"its encoding_config is {encoding:.200}, and was {saved['encoding']!s:.200}"
    return None


def is_network_changed(saved: NDArray[Any], encoder: Encoder) -> bool:
    """Return whether the network returns anything but the saved outputs for the same inputs."""
    backbone = encoder.get_backbone()
    found = None if backbone is None else _fixed_output(encoder, backbone)
    if backbone is None or found is None or found.shape != saved.shape:
        return True
    tolerance = _TOLERANCE.get(backbone.compute_dtype, _HALF_TOLERANCE)
    return any(
        np.mean(_differs(before, after, tolerance)) > _MOST_DIFFERENT
        for before, after in zip(saved, found, strict=True)
    )


def _differs(
    before: NDArray[np.float32], after: NDArray[np.float32], tolerance: float
) -> NDArray[np.bool_]:
    finite = before[np.isfinite(before)].astype(np.float64)
    size = math.sqrt(np.mean(finite**2)) if finite.size else 0.0
    limit = tolerance * max(size, _LEAST_SIZE)
    return ~np.isclose(after, before, rtol=0, atol=limit, equal_nan=True)


def _describe_shape(encoder: Encoder) -> list[int | None]:
    return [None if size is None else int(size) for size in encoder.input_shape]


def _describe_encoding(encoder: Encoder) -> str:
    config = encoder.encoding_config()
    try:
        # As text, because the values may be NaN, which no manifest can hold.
        return json.dumps(config, sort_keys=True)
    except (TypeError, ValueError) as error:
        msg = (
            f"The encoder {encoder.name!r} cannot be saved: its encoding_config must return values "
            f"that JSON can hold. Received {config!r:.200}: {error}"
        )
        raise TypeError(msg) from error


def _has_own_code(encoder: Encoder, backbone: keras.Model) -> bool:
    kinds = {type(encoder), type(backbone), *map(type, all_layers(backbone))}
    return not {kind.__module__.partition(".")[0] for kind in kinds} <= _KNOWN_PACKAGES


def _fixed_output(encoder: Encoder, backbone: keras.Model) -> NDArray[np.float32] | None:
    """Return up to 1,000 outputs of the network for each of two rows, None if it takes none."""
    shape = _fixed_shape(encoder)
    if (n_values := math.prod(shape)) > _MOST_VALUES:
        return None
    values = np.modf(np.arange(2 * n_values) * _GOLDEN_RATIO)[0].reshape(2, *shape)
    if "float" in encoder.input_dtype:
        # Small numbers show other activations, and those of pixels show other limits.
        rows = np.stack([2 * values[0] - 1, 255 * values[1]])
    else:
        # The only numbers that all vocabularies have.
        rows = (values < 0.5).astype(np.int32)
    try:
        output = backbone(keras.ops.cast(rows, encoder.input_dtype), training=False)
        features = np.asarray(keras.ops.convert_to_numpy(output), dtype=np.float32)
        flat = features.reshape(len(rows), -1)
    except MemoryError:
        raise
    except Exception:
        # Code of one's own may refuse these rows with any error.
        return None
    return flat[:, :: max(1, math.ceil(flat.shape[1] / _MOST_OUTPUTS))]


def _fixed_shape(encoder: Encoder) -> list[int]:
    """Return the shape of a row, with equal lengths for the axes that take any length."""
    shapes = [
        [length if size is None else size for size in _describe_shape(encoder)]
        for length in _LENGTHS
    ]
    return next((shape for shape in shapes if math.prod(shape) <= _MANY_VALUES), shapes[-1])
