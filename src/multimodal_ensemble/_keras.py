"""What several modules need of Keras: the package's registered name, and a look into models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras

# The name under which the package's layers, encoders and losses are registered with Keras.
PACKAGE = "multimodal_ensemble"

# Bookkeeping that differs from one process to the next and changes no feature.
_IRRELEVANT = {"build_config", "compile_config", "shared_object_id", "trainable"}

# Where a configuration names layers; besides these, a name is a value like any other.
_NAME_KEYS = {"keras_history", "input_layers", "output_layers"}

# What stands beside the name of a layer or of an input, and not beside that of a dtype policy.
_LAYER_KEYS = {"trainable", "class_name", "batch_shape", "layers"}


def without_names(config: Any) -> Any:
    """Return a configuration with numbers for the names of layers, and without bookkeeping.

    Keras numbers names in the order in which a process happens to build layers.
    """
    return _without_names(config, {})


def _without_names(node: Any, names: dict[str, str], *, names_here: bool = False) -> Any:
    """Replace the names of layers by numbers, in the places where Keras writes such names only.

    A layer may be called "relu" beside an activation "relu", so not every equal string is one.
    """
    if isinstance(node, dict):
        name_keys = _NAME_KEYS | ({"name"} if _LAYER_KEYS & node.keys() else set())
        return {
            key: _without_names(value, names, names_here=names_here or key in name_keys)
            for key, value in node.items()
            if key not in _IRRELEVANT
        }
    if isinstance(node, list | tuple):
        return [_without_names(value, names, names_here=names_here) for value in node]
    if names_here and isinstance(node, str):
        return names.setdefault(node, f"#{len(names)}")
    return node


def all_layers(model: keras.Model) -> Iterator[keras.Layer]:
    """Yield the layers of a model and of every model inside it."""
    for layer in model.layers:
        yield layer
        if isinstance(layer, keras.Model):
            yield from all_layers(layer)
