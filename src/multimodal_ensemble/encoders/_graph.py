"""The graphs of backbones: the calls of their layers, in the order of computation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras

from multimodal_ensemble._keras import clone_model
from multimodal_ensemble.encoders._layers import InferenceModel


@dataclass(frozen=True)
class Step:
    """One call of a layer, in the order of computation; tensors are identified by their ids."""

    layer: keras.Layer
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    output: Any

    @property
    def takes(self) -> set[int]:
        return set(map(id, keras.tree.flatten((self.args, self.kwargs))))

    @property
    def returns(self) -> set[int]:
        return set(map(id, keras.tree.flatten(self.output)))

    def weights(self, kind: str = "weights") -> list[Any]:
        # A plain operation in a functional model, such as keras.ops.mean, has no weights.
        return list(getattr(self.layer, kind, ()))


def record_steps(model: keras.Model) -> tuple[Any, list[Step], Any]:
    """Run the graph of a model on a new input; return the input, the calls and the output."""
    # The network of a KerasHub backbone takes its input in a dict.
    inputs = keras.Input(model.inputs[0].shape[1:], dtype=model.inputs[0].dtype)
    steps: list[Step] = []

    def record(layer: keras.Layer, *args: Any, **kwargs: Any) -> Any:
        output = layer(*args, **kwargs)
        steps.append(Step(layer, args, kwargs, output))
        return output

    output = run_graph(model, inputs, record)
    return inputs, steps, output


def find_cuts(steps: list[Step], inputs: Any, end: int) -> list[int]:
    """Return the steps up to `end` after which only their output is needed; -1 is the input."""
    # The step that uses each tensor last; the output is used at the very end.
    last_use = {tensor: number for number, step in enumerate(steps) for tensor in step.takes}
    last_use |= dict.fromkeys(steps[-1].returns, len(steps))
    alive = {id(inputs)}
    cuts = [-1]
    for number, step in enumerate(steps[:end]):
        alive = {tensor for tensor in alive if last_use.get(tensor, 0) > number}
        alive |= step.returns
        if len(alive) == 1 and isinstance(step.output, keras.KerasTensor):
            cuts.append(number)
    return cuts


def run_graph(model: keras.Model, tensor: Any, call: Callable[..., Any]) -> Any:
    """Run the graph of a model on a tensor, with `call` instead of the call of each layer."""
    if isinstance(model, keras.Sequential):
        for layer in model.layers:
            tensor = call(layer, tensor)
        return tensor
    if isinstance(model.input, dict):
        # A backbone of KerasHub: Keras would compare the name of the tensor with that in the dict.
        model = keras.Model(model.inputs[0], model.output)
    rerun = clone_model(
        model,
        input_tensors=keras.tree.map_structure(lambda _: tensor, model.input),
        clone_function=lambda layer: layer,
        call_function=call,
    )
    return rerun.output


def run_part(model: keras.Model, tensor: Any, call: Callable[..., Any]) -> Any:
    """Run the graph of a model as a part of another one, with `call` like `run_graph`."""
    start, steps, end = record_steps(model)
    here = {id(start): tensor}

    def find(argument: Any) -> Any:
        return here.get(id(argument), argument)

    for step in steps:
        args, kwargs = keras.tree.map_structure(find, (step.args, step.kwargs))
        output = call(step.layer, *args, **kwargs)
        old, new = keras.tree.flatten(step.output), keras.tree.flatten(output)
        here |= {id(before): after for before, after in zip(old, new, strict=True)}
    return keras.tree.map_structure(find, end)


def has_graph(layer: keras.Layer) -> bool:
    """Return whether a layer is a model that runs its graph and nothing else."""
    own = (
        name
        for kind in type(layer).__mro__
        if kind is not InferenceModel and not kind.__module__.startswith("keras.")
        for name in vars(kind)
    )
    is_model = isinstance(layer, keras.Sequential) or hasattr(layer, "operations")
    return is_model and "call" not in own


def is_chain(layer: Any) -> bool:
    """Return whether a layer is a model with a known graph from one input to one output."""
    shapes = [getattr(layer, name, None) for name in ("input_shape", "output_shape")]
    return has_graph(layer) and all(isinstance(shape, tuple) for shape in shapes)


def takes_as_it_is(model: keras.Model, args: Any, kwargs: Any) -> bool:
    """Return whether a call of a model neither converts its input nor uses a mask."""
    if len(args) != 1 or any(isinstance(e, keras.KerasTensor) for e in keras.tree.flatten(kwargs)):
        return False
    (own,) = model.inputs
    return own.dtype == args[0].dtype and len(own.shape) == len(args[0].shape)
