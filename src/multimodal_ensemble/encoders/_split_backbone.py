"""Splitting a backbone into a frozen part and a part that training changes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import keras

from multimodal_ensemble._keras import remembered
from multimodal_ensemble.encoders._graph import find_cuts, has_graph, record_steps, run_graph
from multimodal_ensemble.encoders._layers import InferenceModel


@dataclass(frozen=True)
class BackboneSplit:
    """A backbone in two parts: ``trained(frozen(x)) == backbone(x)``.

    Parameters
    ----------
    frozen : keras.Model or None
        From the input to features that training does not change; None without such a part, and
        where the features of rows differ in length.
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
        if None in backbone.output_shape[1:]:
            return BackboneSplit(None, backbone)
        return BackboneSplit(backbone, None)
    trained = [id(weight) for weight in backbone.trainable_weights]
    # Calling hundreds of layers symbolically takes time, and each call adds a node to a layer.
    return remembered(backbone, "split", trained, partial(_split, backbone))


def _split(backbone: keras.Model) -> BackboneSplit:
    if not has_graph(backbone):
        # The layers that a model with its own `call` runs are unknown.
        return BackboneSplit(None, backbone)
    inputs, steps, _ = record_steps(backbone)
    first_trained = next(n for n, step in enumerate(steps) if step.weights("trainable_weights"))
    # Include the first trained step, because a cut inside it needs a cut behind it as well.
    cuts = find_cuts(steps, inputs, first_trained + 1)
    inner = BackboneSplit(None, None)
    if {first_trained - 1, first_trained} <= set(cuts) and has_graph(steps[first_trained].layer):
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
    if None in features.shape[1:]:
        # Rows of different lengths are no features that could be stored.
        return BackboneSplit(None, backbone)
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

    trained_output = run_graph(backbone, behind, skip)
    return BackboneSplit(
        frozen=InferenceModel(inputs, features, name=f"{backbone.name}_frozen"),
        trained=InferenceModel(behind, trained_output, name=f"{backbone.name}_trained"),
    )
