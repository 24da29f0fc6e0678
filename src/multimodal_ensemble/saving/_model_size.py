"""Bound the memory that the models in a configuration take by what their file holds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from multimodal_ensemble.exceptions import ArtefactError
from multimodal_ensemble.saving._load_object import cannot_rebuild, without_compilation
from multimodal_ensemble.saving._safe_config import find_keras_class

# Layers may take memory in proportion to a number or to the size of an input before they have any
# weights. A model for images of 4,000 x 4,000 pixels is within this limit.
MAX_SIZE = 2**26
# Of networks that a file names without their weights: the largest of keras.applications, or 18
# times VGG16. A file of a few bytes could name any.
MAX_ABSENT_WEIGHTS = 2**28
# The states of random generators and the like, which a file need not hold.
_N_FREE = 2**14
_NO_SIZES = {"seed", "shared_object_id"}


def check_model_sizes(config: Any, *, n_available: int, where: str) -> None:
    """Check that the layers in a checked configuration have no more weights than the file holds.

    Their variables are created without values, so the check takes no memory.

    Parameters
    ----------
    config : JSON value
        What `check_config` accepted.
    n_available : int
        Number of values in the file.
    where : str
        Name of the configuration in errors.

    Raises
    ------
    ArtefactError
        If they have more weights, or sizes that no model has, or cannot be built.
    """
    layers = [without_compilation(layer) for layer in _outermost_layers(config)]
    size = sum(_sum_of_sizes(layer, "") for layer in layers)
    if size > MAX_SIZE:
        msg = (
            f"{where} cannot be loaded: the sizes in its configuration add up to {size:,}, more "
            f"than {MAX_SIZE:,}, which no model has."
        )
        raise ArtefactError(msg)
    if not layers:
        return
    # Keras initialises variables without values later, unless the thread that created them ends.
    with ThreadPoolExecutor(max_workers=1) as pool:
        n_weights = pool.submit(_count_weights, layers, _registered(layers), where).result()
    if n_weights > n_available + _N_FREE:
        msg = (
            f"{where} cannot be loaded: its configuration describes {n_weights:,} weights, and the "
            f"file holds {n_available:,} values. It is damaged."
        )
        raise ArtefactError(msg)


def _outermost_layers(config: Any) -> Iterator[dict[str, Any]]:
    import keras

    found = find_keras_class(config)
    if isinstance(found, type) and issubclass(found, keras.Layer):
        yield config
    elif isinstance(config, dict | list | tuple):
        for item in config.values() if isinstance(config, dict) else config:
            yield from _outermost_layers(item)


def _sum_of_sizes(value: Any, key: object) -> int:
    """Return the sum of the sizes in a configuration: its whole numbers outside of lists.

    The numbers of a shape count as their product.
    """
    if isinstance(value, dict):
        return sum(_sum_of_sizes(item, key) for key, item in value.items() if key not in _NO_SIZES)
    if isinstance(value, list):
        numbers = [abs(item) for item in value if isinstance(item, int)]
        inner = (_sum_of_sizes(x, key) for x in value if isinstance(x, list | dict))
        is_shape = isinstance(key, str) and key.endswith("shape")
        return sum(inner) + (math.prod(numbers) if numbers and is_shape else 0)
    return abs(value) if isinstance(value, int) else 0


def _registered(config: Any) -> dict[str, Any]:
    """Return the registered objects that a configuration names; a scope is that of one thread."""
    import keras

    names: set[str] = set()

    def collect(value: Any) -> None:
        if isinstance(value, dict | list):
            for item in value.values() if isinstance(value, dict) else value:
                collect(item)
        elif isinstance(value, str):
            names.add(value)

    collect(config)
    found = {name: keras.saving.get_registered_object(name) for name in names}
    return {name: value for name, value in found.items() if value is not None}


def _count_weights(layers: list[Any], registered: dict[str, Any], where: str) -> int:
    import keras

    n_weights = 0
    with keras.StatelessScope(initialize_variables=False):
        for config in layers:
            try:
                layer: Any = keras.saving.deserialize_keras_object(
                    config, custom_objects=registered, safe_mode=True
                )
            except Exception as error:
                if registered and "stateless scope" in str(error):
                    # A layer of another package creates variables from arrays, which exist then.
                    continue
                raise cannot_rebuild(where, error) from error
            n_weights += sum(math.prod(variable.shape) for variable in layer.variables)
    return n_weights
