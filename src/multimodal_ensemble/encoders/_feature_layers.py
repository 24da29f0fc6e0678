"""The layers of a network whose feature maps become features, and their pooling."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import keras

from multimodal_ensemble.encoders._graph import Step, find_cuts, has_graph, record_steps
from multimodal_ensemble.encoders._patch_pooling import PatchPooling
from multimodal_ensemble.exceptions import ModalityError

_POOLINGS = ("avg", "max", "cls")
_OF_MAPS = {"avg": "GlobalAveragePooling2D", "max": "GlobalMaxPooling2D"}


def check_pooling(pooling: Any) -> tuple[str, ...]:
    """Return the kinds of pooling, or raise a ValueError unless there is one or more of them."""
    kinds = (pooling,) if isinstance(pooling, str) else pooling
    is_sequence = isinstance(kinds, list | tuple) and kinds
    if not is_sequence or any(kinds.count(kind) > 1 or kind not in _POOLINGS for kind in kinds):
        msg = (
            "pooling must be 'avg', 'max' or 'cls', or several of them, as in ('avg', 'max'). "
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


def pool_maps(
    tensors: Sequence[Any], kinds: Sequence[str], *, patches: tuple[int, int] | None = None
) -> Any:
    """Return one vector with every kind of pooling of all tensors; vectors are not pooled.

    Parameters
    ----------
    tensors : sequence of tensors
        Feature maps (batch, height, width, channels), tokens (batch, n_tokens, channels), or
        vectors.
    kinds : sequence of {"avg", "max", "cls"}
        The kinds of pooling.
    patches : (int, int), optional
        Number of rows and columns of patches in the image. More tokens than patches are special
        tokens at the beginning, the first of which is the class token. Where there are none,
        "cls" is the mean. By default this is unknown: "cls" is the first token, and the other
        kinds pool all tokens.

    Raises
    ------
    ModalityError
        If the class token of feature maps is asked for.
    """
    pools = [_make_pool(tensor, kind, patches)(tensor) for tensor in tensors for kind in kinds]
    vectors = list({id(pool): pool for pool in pools}.values())
    return keras.layers.Concatenate()(vectors) if len(vectors) > 1 else vectors[0]


def _make_pool(tensor: Any, kind: str, patches: tuple[int, int] | None) -> Any:
    """Return a function that pools a tensor."""
    if _is_map(tensor):
        if kind not in _OF_MAPS:
            msg = (
                "pooling='cls' needs a network that returns tokens, such as a vision transformer. "
                f"This one returns feature maps of shape {tuple(tensor.shape)}; pass "
                "pooling='avg' or 'max'."
            )
            raise ModalityError(msg)
        return getattr(keras.layers, _OF_MAPS[kind])(data_format="channels_last")
    if len(tensor.shape) != 3:
        return lambda vectors: vectors
    n_tokens = tensor.shape[1]
    if patches is None or n_tokens is None:
        return PatchPooling(kind)
    n_special = max(0, n_tokens - patches[0] * patches[1])
    return PatchPooling("avg" if kind == "cls" and not n_special else kind, n_special)


def join_layers(
    network: keras.Model,
    layers: int | Sequence[str],
    poolings: Sequence[str],
    *,
    patches: tuple[int, int] | None = None,
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
    return keras.Model(inputs, pool_maps(chosen, poolings, patches=patches), name=network.name)


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
