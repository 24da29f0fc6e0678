"""The layers of a network whose feature maps become features, and their pooling."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import keras

from multimodal_ensemble.encoders._graph import Step, find_cuts, has_graph, record_steps
from multimodal_ensemble.exceptions import ModalityError

_POOLINGS = {"avg": "GlobalAveragePooling2D", "max": "GlobalMaxPooling2D"}


def check_pooling(pooling: Any) -> tuple[str, ...]:
    """Return the kinds of pooling, or raise a ValueError unless there is one or more of them."""
    kinds = (pooling,) if isinstance(pooling, str) else pooling
    is_sequence = isinstance(kinds, list | tuple) and kinds
    if not is_sequence or any(kinds.count(kind) > 1 or kind not in [*_POOLINGS] for kind in kinds):
        msg = (
            "pooling must be 'avg', 'max' or both, as in ('avg', 'max'). "
            f"Received pooling={pooling!r}."
        )
        raise ValueError(msg)
    return tuple(kinds)


def check_layers(layers: Any) -> None:
    """Raise a ValueError unless `layers` is a number of at least 1 or distinct names."""
    is_number = isinstance(layers, Integral) and not isinstance(layers, bool)
    is_list = isinstance(layers, list | tuple) and len(layers) > 0
    if is_number and int(layers) >= 1:
        return
    if not is_list or any(not isinstance(n, str) or layers.count(n) > 1 for n in layers):
        msg = (
            "layers must be a whole number of at least 1, which counts sizes of feature maps from "
            "the last, or a list of different names of layers. "
            f"Received layers={layers!r}."
        )
        raise ValueError(msg)


def pool_maps(tensors: Sequence[Any], kinds: Sequence[str]) -> Any:
    """Return one vector with every kind of pooling of all feature maps; vectors are not pooled."""
    vectors = []
    for tensor in tensors:
        if _is_map(tensor):
            pools = [getattr(keras.layers, _POOLINGS[kind]) for kind in kinds]
            vectors += [pool(data_format="channels_last")(tensor) for pool in pools]
        else:
            vectors.append(tensor)
    return keras.layers.Concatenate()(vectors) if len(vectors) > 1 else vectors[0]


def join_layers(
    network: keras.Model, layers: int | Sequence[str], poolings: Sequence[str]
) -> keras.Model:
    """Return a model from the input of a network to the pooled features of several layers, joined.

    Layers behind the last of them are left out.
    """
    if not has_graph(network) or len(network.outputs) > 1:
        msg = (
            f"layers={layers!r} needs a network with one output whose layers are known, such as a "
            f"functional or sequential model. The model {network.name!r} is of type "
            f"{type(network).__name__}; pass layers=1 for its output."
        )
        raise ModalityError(msg)
    inputs, steps, output = record_steps(network)
    candidates = _find_candidates(steps, inputs)
    if isinstance(layers, Sequence):
        outputs = {step.layer.name: step.output for step in steps} | candidates
        chosen = [outputs.get(name) for name in layers]
        is_known = all(_is_map(tensor) or tensor is output for tensor in chosen)
    else:
        chosen = list(candidates.values())[-layers:]
        is_known = layers <= len(candidates)
    if not is_known:
        listed = ", ".join(f"{name!r} {tensor.shape[1:]}" for name, tensor in candidates.items())
        msg = (
            f"layers must be a number from 1 to {len(candidates)}, or names of layers that return "
            f"feature maps. The last layer of each size of maps in {network.name!r}: {listed}. "
            f"Received layers={layers!r}."
        )
        raise ModalityError(msg)
    return keras.Model(inputs, pool_maps(chosen, poolings), name=network.name)


def _find_candidates(steps: list[Step], inputs: Any) -> dict[str, Any]:
    """Return the last feature maps of each size, and the output, by the names of their layers.

    Maps inside a block with branches do not count, nor do sizes that only padding or pooling
    produces.
    """
    sizes = {_size(step.output) for step in steps if step.weights() and _is_map(step.output)}
    last = {}
    for step in [steps[cut] for cut in find_cuts(steps, inputs, len(steps)) if cut >= 0]:
        if _is_map(step.output) and _size(step.output) in sizes:
            last[_size(step.output)] = step
    found = [step for step in last.values() if step is not steps[-1]]
    return {step.layer.name: step.output for step in [*found, steps[-1]]}


def _is_map(tensor: Any) -> bool:
    return isinstance(tensor, keras.KerasTensor) and len(tensor.shape) == 4


def _size(tensor: Any) -> tuple[int | None, ...]:
    return tuple(tensor.shape[1:3])
