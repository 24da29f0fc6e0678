"""The last feature map of a convolutional network."""

from __future__ import annotations

from typing import Any

import keras

from multimodal_ensemble.encoders._graph import find_cuts, has_graph, record_steps


def split_at_feature_map(network: keras.Model) -> tuple[keras.Model, keras.Model] | None:
    """Split a network behind its last feature map.

    Parameters
    ----------
    network : keras.Model
        A network of images, which may hold other networks.

    Returns
    -------
    tuple of keras.Model, or None
        From pixels to the last tensor of shape ``(n, height, width, channels)``, and from there to
        the output, with the layers of the network. None if no layer returns such a tensor, or if
        more than this tensor leads to the output.

    Examples
    --------
    >>> import keras
    >>> from multimodal_ensemble.encoders import split_at_feature_map
    >>> pixels = keras.Input((8, 8, 3))
    >>> feature_map = keras.layers.Conv2D(4, 3)(pixels)
    >>> network = keras.Model(pixels, keras.layers.GlobalAveragePooling2D()(feature_map))
    >>> before, after = split_at_feature_map(network)
    >>> before.output_shape, after.output_shape
    ((None, 6, 6, 4), (None, 4))
    """
    inputs, steps, output = record_steps(network)
    for number in reversed(find_cuts(steps, inputs, len(steps))):
        if number < 0:
            break
        step = steps[number]
        taken = steps[number - 1].output if number else inputs
        if _is_map(step.output):
            return keras.Model(inputs, step.output), keras.Model(step.output, output)
        is_network = has_graph(step.layer) and id(taken) in step.takes
        inner = split_at_feature_map(step.layer) if is_network else None
        if inner is not None:
            before, after = inner
            behind = keras.Input(after.input_shape[1:], dtype=after.inputs[0].dtype)
            result = after(behind)
            if number < len(steps) - 1:
                result = keras.Model(step.output, output)(result)
            return keras.Model(inputs, before(taken)), keras.Model(behind, result)
    return None


def _is_map(tensor: Any) -> bool:
    # Layers that prepare pixels return three channels.
    shape: tuple[Any, ...] = getattr(tensor, "shape", ())
    return isinstance(tensor, keras.KerasTensor) and len(shape) == 4 and shape[-1] != 3
