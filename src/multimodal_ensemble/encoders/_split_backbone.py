"""Splitting a backbone into a frozen part and a part that training changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras

from multimodal_ensemble.encoders._layers import InferenceModel


@dataclass(frozen=True)
class BackboneSplit:
    """A backbone in two parts: ``trained(frozen(x)) == backbone(x)``.

    Parameters
    ----------
    frozen : keras.Model or None
        From the input to features that training does not change; None without such a part.
    trained : keras.Model or None
        From these features to the output, with the layers of the backbone; None if all is frozen.

    Examples
    --------
    >>> from multimodal_ensemble.encoders import BackboneSplit
    >>> BackboneSplit(frozen=None, trained=None).frozen is None
    True
    """

    frozen: keras.Model | None
    trained: keras.Model | None


@dataclass(frozen=True)
class _Step:
    """One call of a layer, in the order of computation; tensors are identified by their ids."""

    layer: keras.Layer
    takes: set[int]
    output: Any

    @property
    def returns(self) -> set[int]:
        return set(map(id, keras.tree.flatten(self.output)))

    def weights(self, kind: str = "weights") -> list[Any]:
        # A plain operation in a functional model, such as keras.ops.mean, has no weights.
        return list(getattr(self.layer, kind, ()))


# The attribute that holds the split of a model: calling hundreds of layers symbolically takes time,
# and each call adds a node to the layer.
_CACHE = "_multimodal_ensemble_split"


def split_backbone(backbone: keras.Model) -> BackboneSplit:
    """Split a backbone in front of the first layer that is trained.

    The cut is at the last tensor in front of the trained layers that all paths to the output pass
    through. In a network with branches it lies in front of a whole block.

    Parameters
    ----------
    backbone : keras.Model
        A functional or sequential model, which may hold other models.

    Returns
    -------
    BackboneSplit
        The same object as long as the same weights are trained.

    Examples
    --------
    >>> import keras
    >>> from multimodal_ensemble.encoders import split_backbone
    >>> backbone = keras.Sequential(
    ...     [keras.Input((4,)), keras.layers.Dense(3), keras.layers.Dense(2)])
    >>> backbone.layers[0].trainable = False
    >>> split = split_backbone(backbone)
    >>> split.frozen.output_shape, split.trained.output_shape
    ((None, 3), (None, 2))
    """
    if not backbone.trainable_weights:
        return BackboneSplit(backbone, None)
    trained = [id(weight) for weight in backbone.trainable_weights]
    known, split = getattr(backbone, _CACHE, (None, BackboneSplit(None, None)))
    if known != trained:
        split = _split(backbone)
        # Bypass the way in which Keras sets attributes, which would add the parts as layers.
        object.__setattr__(backbone, _CACHE, (trained, split))
    return split


def _split(backbone: keras.Model) -> BackboneSplit:
    if not _has_graph(backbone):
        # The layers that a model with its own `call` runs are unknown.
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
    # Include the first trained step, because a cut inside it needs a cut behind it as well.
    cuts = _find_cuts(steps, inputs, first_trained + 1)
    inner = BackboneSplit(None, None)
    if {first_trained - 1, first_trained} <= set(cuts) and _has_graph(steps[first_trained].layer):
        # The step is the network behind the preprocessing: split it, and call its parts.
        inner = split_backbone(steps[first_trained].layer)
    if inner.frozen is not None:
        last = first_trained
        features = inner.frozen(steps[last - 1].output if last else inputs)
    else:
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
        if number == last and inner.frozen is not None and inner.trained is not None:
            return inner.trained(behind)
        # Nothing in front of the cut is needed; only the structure of the outputs must match.
        return keras.tree.map_structure(lambda _: behind, steps[number].output)

    trained_output = _run(backbone, behind, skip)
    return BackboneSplit(
        frozen=InferenceModel(inputs, features, name=f"{backbone.name}_frozen"),
        trained=InferenceModel(behind, trained_output, name=f"{backbone.name}_trained"),
    )


def _find_cuts(steps: list[_Step], inputs: Any, end: int) -> list[int]:
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


def _run(model: keras.Model, tensor: Any, call: Callable[..., Any]) -> Any:
    """Run the graph of a model on a tensor, with `call` instead of the call of each layer."""
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
    """Return whether a layer is a model that runs its graph and nothing else."""
    own = (
        name
        for kind in type(layer).__mro__
        if kind is not InferenceModel and not kind.__module__.startswith("keras.")
        for name in vars(kind)
    )
    is_model = isinstance(layer, keras.Sequential) or hasattr(layer, "operations")
    return is_model and "call" not in own
