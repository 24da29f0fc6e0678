"""Helpers for Keras models: the registered package name, configurations and nested layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import keras

# The name under which the package's layers, encoders and losses are registered with Keras.
PACKAGE = "multimodal_ensemble"

# Entries of a configuration that differ between processes and change no output.
_IRRELEVANT = {"build_config", "compile_config", "shared_object_id", "trainable"}

_Kept = TypeVar("_Kept")

# The beginning of the names of attributes in which values are kept with a model.
_REMEMBERED = "__multimodal_ensemble_"

# Keys whose values hold names of layers.
_NAME_KEYS = {"keras_history", "input_layers", "output_layers"}

# A "name" next to one of these keys is that of a layer or input, not that of a dtype policy.
_LAYER_KEYS = {"trainable", "batch_shape", "layers"}


def without_names(config: Any) -> Any:
    """Return a configuration that is the same for equal models in all processes.

    The names of layers are left out, and replaced by numbers where a model connects its layers,
    because Keras names layers in the order in which a process builds them.
    """
    return _without_names(config, {})


def _without_names(node: Any, names: dict[str, str], *, names_here: bool = False) -> Any:
    """Replace the names of layers by numbers, only where Keras writes such names.

    A layer may have the same name as an activation, or as a layer of a model inside this one, so
    `names` has the numbers of the layers of one model.
    """
    if isinstance(node, dict):
        is_in_graph = "inbound_nodes" in node
        left_out = _IRRELEVANT | ({"name"} if _LAYER_KEYS & node.keys() else set())
        name_keys = _NAME_KEYS | ({"name"} if is_in_graph else set())
        result = {}
        for key, value in node.items():
            if key == "config" and "module" in node:
                if is_in_graph and isinstance(value, dict):
                    # An operation, unlike a layer, has no key that shows whose name this is.
                    value = {inner: value[inner] for inner in value if inner != "name"}
                result[key] = _without_names(value, {})
            elif key not in left_out:
                here = names_here or key in name_keys
                result[key] = _without_names(value, names, names_here=here)
        return result
    if isinstance(node, list | tuple):
        return [_without_names(value, names, names_here=names_here) for value in node]
    if names_here and isinstance(node, str):
        return names.setdefault(node, f"#{len(names)}")
    return node


@contextmanager
def using_dtype_policy(policy: Any) -> Iterator[None]:
    """Create layers and models with a dtype policy; the current one is restored afterwards."""
    current = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(current)


def remembered(layer: keras.Layer, name: str, state: Any, make: Callable[[], _Kept]) -> _Kept:
    """Return what is kept with a layer or model for a state of it, or make and keep it.

    Keras does not see it. Keras adds the layers in an attribute that is set in the usual way to the
    model. It also saves and loads the layers in all attributes whose names do not begin with two
    underscores.
    """
    kept: tuple[Any, Any] = getattr(layer, _REMEMBERED + name, (None, None))
    if kept[0] != state:
        kept = (state, make())
        object.__setattr__(layer, _REMEMBERED + name, kept)
    value: _Kept = kept[1]
    return value


def is_remembered(layer: keras.Layer, name: str) -> bool:
    """Return whether something is kept with a layer or model, perhaps for an earlier state."""
    return hasattr(layer, _REMEMBERED + name)


def clone_model(model: keras.Model, **options: Any) -> keras.Model:
    """Return what `keras.models.clone_model` returns, without compiling it or models inside it.

    Keras compiles the clone of a compiled model too. That fails if the loss is a function, and
    makes all variables of the optimizer: twice as many numbers as are trained, for Adam.
    """
    models = [model, *(layer for layer in all_layers(model) if isinstance(layer, keras.Model))]
    compiled = [each for each in models if each.compiled]
    for each in compiled:
        each.compiled = False
    try:
        clone: keras.Model = keras.models.clone_model(model, **options)
    finally:
        for each in compiled:
            each.compiled = True
    return clone


def all_layers(model: keras.Model) -> Iterator[keras.Layer]:
    """Yield the layers of a model and of every model inside it."""
    for layer in model.layers:
        yield layer
        if isinstance(layer, keras.Model):
            yield from all_layers(layer)


def has_lambda(model: keras.Model) -> bool:
    """Return whether a model holds a Python function, which no configuration describes."""
    return any(isinstance(layer, keras.layers.Lambda) for layer in all_layers(model))


def has_batch_normalisation(model: keras.Model) -> bool:
    """Return whether a model, or a model inside it, normalises batches."""
    return any(type(layer) is keras.layers.BatchNormalization for layer in all_layers(model))


def get_optimizer(optimizer: Any) -> keras.optimizers.Optimizer:
    """Return an optimizer for what `keras.Model.compile` takes, or raise a ValueError."""
    try:
        found = keras.optimizers.get(optimizer)
    except (KeyError, TypeError, ValueError):
        found = None
    if not isinstance(found, keras.optimizers.Optimizer):
        msg = (
            "optimizer must be the name of a Keras optimizer, such as 'adam', or an instance of "
            f"keras.optimizers.Optimizer. Received optimizer={optimizer!r}."
        )
        raise ValueError(msg)
    return found


def check_loss(loss: Any) -> None:
    """Raise a ValueError unless `loss` is what `keras.Model.compile` takes for one output."""
    if loss is None:
        msg = (
            "loss must be the name of a Keras loss, such as 'binary_crossentropy', an instance of "
            "keras.losses.Loss, or a callable. Received loss=None."
        )
        raise ValueError(msg)
    # Keras's error names what it received.
    keras.losses.get(loss)
