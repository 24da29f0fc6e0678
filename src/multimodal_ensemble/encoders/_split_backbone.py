"""Parting a backbone whose last layers are trained into what is frozen and what is not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras

from multimodal_ensemble.encoders._inference_model import InferenceModel


@dataclass(frozen=True)
class BackboneSplit:
    """A backbone in two: ``trained(frozen(x)) == backbone(x)``.

    Parameters
    ----------
    frozen : keras.Model or None
        From the input to features that training does not change; None where training changes
        the first layers that have weights.
    trained : keras.Model or None
        From these features to the backbone's output; None where nothing is trained. It shares
        its layers with the backbone.
    """

    frozen: keras.Model | None
    trained: keras.Model | None


@dataclass(frozen=True)
class _Step:
    """One call of a layer, in the order of computation; tensors are told by their ids."""

    layer: keras.Layer
    takes: set[int]
    output: Any

    @property
    def gives(self) -> set[int]:
        return set(map(id, keras.tree.flatten(self.output)))

    def weights(self, kind: str = "weights") -> list[Any]:
        # A plain operation in a functional model, such as keras.ops.mean, has no such attribute.
        return list(getattr(self.layer, kind, ()))


# Where a model keeps its split: calling some hundred layers symbolically takes time, and each call
# leaves a node behind.
_KEPT = "_multimodal_ensemble_split"


def split_backbone(backbone: keras.Model) -> BackboneSplit:
    """Part a backbone in front of the first layer that is trained.

    The cut is at the last tensor before any trained layer through which everything passes that
    the output depends on, so in a network with branches it lies in front of a whole block.

    Parameters
    ----------
    backbone : keras.Model
        A functional model, or a sequential one, with any models inside.

    Returns
    -------
    BackboneSplit
        The same objects as long as the same weights are trained.
    """
    if not backbone.trainable_weights:
        return BackboneSplit(backbone, None)
    trained = [id(weight) for weight in backbone.trainable_weights]
    known, split = getattr(backbone, _KEPT, (None, BackboneSplit(None, None)))
    if known != trained:
        split = _split(backbone)
        # Past Keras's own way to set attributes, which would take the parts for layers of it.
        object.__setattr__(backbone, _KEPT, (trained, split))
    return split


def _split(backbone: keras.Model) -> BackboneSplit:
    if not _has_graph(backbone):
        # A model with a `call` of its own says nothing of what it calls.
        return BackboneSplit(None, backbone)
    inputs = keras.Input(backbone.input_shape[1:], dtype=backbone.inputs[0].dtype)
    steps: list[_Step] = []

    def record(layer: keras.Layer, *args: Any, **kwargs: Any) -> Any:
        output = layer(*args, **kwargs)
        takes = set(map(id, keras.tree.flatten((args, kwargs))))
        steps.append(_Step(layer, takes, output))
        return output

    _run(backbone, inputs, record)
    first_trained = next(n for n, step in enumerate(steps) if step.weights("trainable_weights"))
    # With the first trained step, because a cut inside it needs one behind it, too.
    cuts = _find_cuts(steps, inputs, first_trained + 1)
    inner: BackboneSplit | None = None
    if {first_trained - 1, first_trained} <= set(cuts) and _has_graph(steps[first_trained].layer):
        # The network inside the backbone, behind the preprocessing: cut it, and call its parts.
        inner = split_backbone(steps[first_trained].layer)
    if inner is not None and inner.frozen is not None:
        last = first_trained
        features = inner.frozen(steps[last - 1].output if last else inputs)
    else:
        inner = None
        last = max(cut for cut in cuts if cut < first_trained)
        if not any(step.weights() for step in steps[: last + 1]):
            return BackboneSplit(None, backbone)
        features = steps[last].output
    behind = keras.Input(features.shape[1:], dtype=features.dtype)
    numbers = iter(range(len(steps)))

    def skip(layer: keras.Layer, *args: Any, **kwargs: Any) -> Any:
        number = next(numbers)
        if number > last:
            return layer(*args, **kwargs)
        if number == last and inner is not None and inner.trained is not None:
            return inner.trained(behind)
        # In front of the cut nothing is needed any more, but as many outputs as the layer has.
        return keras.tree.map_structure(lambda _: behind, steps[number].output)

    return BackboneSplit(
        frozen=InferenceModel(inputs, features, name=f"{backbone.name}_frozen"),
        trained=InferenceModel(
            behind, _run(backbone, behind, skip), name=f"{backbone.name}_trained"
        ),
    )


def _find_cuts(steps: list[_Step], inputs: Any, end: int) -> list[int]:
    """Return the steps before `end` whose output is all that is needed after them.

    The number -1 stands for the input.
    """
    # When each tensor is needed for the last time; the output at the very end.
    last_use = {tensor: number for number, step in enumerate(steps) for tensor in step.takes}
    last_use |= dict.fromkeys(steps[-1].gives, len(steps))
    alive = {id(inputs)}
    cuts = [-1]
    for number, step in enumerate(steps[:end]):
        alive = {tensor for tensor in alive if last_use.get(tensor, 0) > number}
        alive |= step.gives
        if len(alive) == 1 and isinstance(step.output, keras.KerasTensor):
            cuts.append(number)
    return cuts


def _run(model: keras.Model, tensor: Any, call: Callable[..., Any]) -> Any:
    """Run a model's graph on a tensor, with `call` in place of the call of each layer."""
    if isinstance(model, keras.Sequential):
        for layer in model.layers:
            tensor = call(layer, tensor)
        return tensor
    rerun = keras.models.clone_model(
        model,
        input_tensors=keras.tree.map_structure(lambda _: tensor, model.input),
        clone_function=lambda layer: layer,
        call_function=call,
    )
    return rerun.output


def _has_graph(layer: keras.Layer) -> bool:
    """Return whether a layer is a model that does what its graph says, and no more."""
    own = (
        name
        for kind in type(layer).__mro__
        if kind is not InferenceModel and not kind.__module__.startswith("keras.")
        for name in vars(kind)
    )
    is_model = isinstance(layer, keras.Sequential) or hasattr(layer, "operations")
    return is_model and "call" not in own
