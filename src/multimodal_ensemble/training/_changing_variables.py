"""The variables that training changes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras


def changing_variables(model: keras.Model) -> list[Any]:
    """Return the weights of the layers that are trained, and the state of all that draws at random.

    A frozen backbone may hold hundreds of megabytes that training leaves alone.
    """
    return list({id(variable): variable for variable in _walk(model)}.values())


def changing_weights(model: keras.Model) -> list[Any]:
    """Return the weights of the layers that are trained, also those that no gradient reaches."""
    weights = {id(weight) for weight in model.weights}
    return [variable for variable in changing_variables(model) if id(variable) in weights]


def optimizer_variables(optimizer: keras.optimizers.Optimizer) -> list[Any]:
    """Return all variables of an optimizer."""
    variables = {id(variable): variable for variable in optimizer.variables}
    # `Nadam` keeps one beside those that it lists; a loss-scaling one wraps another optimizer.
    for owner in (optimizer, getattr(optimizer, "inner_optimizer", None)):
        for value in vars(owner).values() if owner is not None else ():
            if isinstance(value, keras.Variable):
                variables.setdefault(id(value), value)
    return list(variables.values())


def _walk(layer: keras.Layer) -> Iterator[Any]:
    if not layer.trainable:
        # Dropout goes on drawing in a frozen layer.
        weights = {id(weight) for weight in layer.weights}
        yield from (variable for variable in layer.variables if id(variable) not in weights)
        return
    inner = layer.layers if isinstance(layer, keras.Model) else []
    of_inner = {id(variable) for part in inner for variable in part.variables}
    yield from (variable for variable in layer.variables if id(variable) not in of_inner)
    for part in inner:
        yield from _walk(part)
