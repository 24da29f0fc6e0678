"""One model for backbones that begin with the same layers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import keras

from multimodal_ensemble._digest import digest_arrays
from multimodal_ensemble._keras import all_layers, without_names
from multimodal_ensemble.encoders._graph import is_chain, run_part, takes_as_it_is
from multimodal_ensemble.encoders._layers import InferenceModel


def join_backbones(backbones: Sequence[keras.Model]) -> list[tuple[keras.Model, list[int]]]:
    """Return models that compute the outputs of several backbones, and run equal layers once.

    Backbones whose first layers with weights are equal are joined into one model. Within it, each
    layer that receives the same input in several of them is run once. Two layers are equal if
    their configurations, except for names, and their weights are. Backbones in which different
    layers have the same name are not joined.

    Parameters
    ----------
    backbones : sequence of keras.Model
        Models with one input of the same shape and one output each.

    Returns
    -------
    list of (keras.Model, list of int)
        Models, and for each the positions in `backbones` of its outputs. A backbone that shares
        no layer is returned as it is. A joined model returns a list of outputs, and has the layers
        of the backbones, so it is valid until their weights change.

    Examples
    --------
    >>> import keras
    >>> from multimodal_ensemble.encoders import join_backbones
    >>> inputs = keras.Input((4,))
    >>> middle = keras.layers.Dense(3)(inputs)
    >>> one = keras.Model(inputs, middle)
    >>> other = keras.Model(inputs, keras.layers.Dense(2)(middle))
    >>> ((joined, positions),) = join_backbones([one, other])
    >>> positions, joined.output_shape, len(joined.weights)
    ([0, 1], [(None, 3), (None, 2)], 4)
    """
    groups: dict[str, list[int]] = {}
    for position, backbone in enumerate(backbones):
        groups.setdefault(_first_layer(backbone), []).append(position)
    joined: list[tuple[keras.Model, list[int]]] = []
    for positions in groups.values():
        parts = [backbones[position] for position in positions]
        model = _join(parts) if len(parts) > 1 else None
        if model is not None:
            joined.append((model, positions))
        else:
            joined += [(part, [at]) for part, at in zip(parts, positions, strict=True)]
    return joined


def _join(backbones: Sequence[keras.Model]) -> keras.Model | None:
    """Return one model, or None if different layers would have the same name in it."""
    inputs = keras.Input(backbones[0].input_shape[1:], dtype=backbones[0].inputs[0].dtype)
    first: dict[str, Any] = {}
    outputs: dict[str, Any] = {}
    named: dict[str, Any] = {}

    def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
        if is_chain(layer) and takes_as_it_is(layer, args, kwargs):
            return run_part(layer, args[0], call)
        digest = _digest_layer(layer)
        key = f"{digest} {keras.tree.map_structure(_identify, (args, kwargs))}"
        if key not in outputs:
            # The first of equal layers is called also with other inputs, which saves memory.
            used = first.setdefault(digest, layer)
            outputs[key] = used(*args, **kwargs)
            named.setdefault(used.name, used)
        return outputs[key]

    joined = [run_part(backbone, inputs, call) for backbone in backbones]
    if any(named[layer.name] is not layer for layer in first.values()):
        return None
    model: keras.Model = InferenceModel(inputs, joined, name=f"{backbones[0].name}_joined")
    return model


def _identify(argument: Any) -> str:
    # A tensor is identified by its id. So is an array, whose text may show only some numbers.
    is_simple = argument is None or isinstance(argument, bool | int | float | str)
    return repr(argument) if is_simple else f"object {id(argument)}"


def _first_layer(backbone: keras.Model) -> str:
    """Return the digest of the first layer with weights."""
    if is_chain(backbone):
        for layer in all_layers(backbone):
            if layer.weights and not is_chain(layer):
                return _digest_layer(layer)
    return f"model {id(backbone)}"


def _digest_layer(layer: Any) -> str:
    """Return a digest of what a layer or operation computes."""
    if isinstance(layer, keras.layers.Lambda):
        # No configuration describes what a Python function does.
        return f"layer {id(layer)}"
    config = keras.saving.serialize_keras_object(layer)
    config["config"] = {key: config["config"][key] for key in config["config"] if key != "name"}
    text = json.dumps(without_names(config), sort_keys=True, default=repr)
    weights = getattr(layer, "weights", ())
    return digest_arrays([weight.numpy() for weight in weights], prefix=text.encode())
