"""The state of a training: variables that it changes, and the record of its evaluations."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

# The columns that each history has, and the type of their values.
HISTORY_COLUMNS: dict[str, type] = {
    "step": int,
    "epoch": int,
    "seconds": float,
    "loss": float,
    "validation_loss": float,
    "mean_roc_auc": float,
    "mean_accuracy": float,
    "best": bool,
}


@dataclass
class EvaluationState:
    """Everything that `ValidationEvaluation` needs to resume."""

    # For each of the last batches, the sum of its rows' losses and the sum of their weights.
    losses: deque[tuple[float, float]]
    # Number of batches so far, and number of the current epoch, from 1.
    step: int = 0
    epoch: int = 0
    history: list[dict[str, Any]] = field(default_factory=list)
    # The trained weights at the best evaluation; empty before the first one.
    best_weights: list[NDArray[Any]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def best(self) -> dict[str, Any] | None:
        """The entry of the best evaluation; None before the first one."""
        return next((entry for entry in reversed(self.history) if entry["best"]), None)

    @property
    def window_loss(self) -> float:
        """Mean loss over the rows of the last batches."""
        weight = sum(weight for _, weight in self.losses)
        return sum(loss for loss, _ in self.losses) / weight if weight else math.nan

    def describe_weights(self) -> str:
        """Return a sentence that says which weights the model has if training stops now."""
        if self.best is None:
            return "There was no evaluation yet, so the model has its current weights"
        return (
            f"The model has the weights of batch {self.best['step']}, the best so far (mean "
            f"ROC-AUC {self.best['mean_roc_auc']:.4f})"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return all values as `pack_state` takes them."""
        return {**vars(self), "losses": list(self.losses)}

    @classmethod
    def from_dict(
        cls, values: Mapping[str, Any], *, columns: Mapping[str, type], loss_window: int
    ) -> EvaluationState:
        """Return the state that `to_dict` described; malformed values raise KeyError or ValueError.

        `columns` are those of the history with the type of their values.
        """
        for name, kind in _STATE_TYPES.items():
            check_type(values[name], kind, name)
        for pair in values["losses"]:
            check_type(pair, tuple, "an entry of losses")
            if [type(number) for number in pair] != [float, float]:
                msg = f"losses holds {pair!r}, which are not two numbers"
                raise ValueError(msg)
        known = {name: values[name] for name in _STATE_TYPES}
        state = cls(**{**known, "losses": deque(values["losses"], maxlen=loss_window)})
        steps = [0]
        for entry in state.history:
            check_type(entry, dict, "an entry of the history")
            if entry.keys() != columns.keys():
                msg = f"the history has the columns {list(entry)} instead of {list(columns)}"
                raise ValueError(msg)
            for column, kind in columns.items():
                check_type(entry[column], kind, f"{column} in the history")
            steps.append(entry["step"])
        # Each evaluation is after that of another batch, and the first one is the best so far.
        is_in_order = all(before < after for before, after in pairwise([*steps, state.step + 1]))
        if not is_in_order or len(state.losses) != min(state.step, loss_window):
            msg = f"its batches {steps[1:]}, of {state.step}, are impossible"
            raise ValueError(msg)
        if state.history and not state.history[0]["best"]:
            msg = "its first evaluation is not the best so far"
            raise ValueError(msg)
        if not 0 <= state.seconds < math.inf:
            msg = f"it took {state.seconds} seconds"
            raise ValueError(msg)
        return state


_STATE_TYPES: dict[str, type] = {
    "losses": list,
    **dict.fromkeys(("step", "epoch"), int),
    **dict.fromkeys(("history", "best_weights"), list),
    "seconds": float,
}


def check_type(value: Any, kind: type, name: str) -> None:
    """Raise a ValueError unless a value that was read from a file has exactly a type."""
    # A bool is an int, but not here.
    if type(value) is not kind:
        msg = f"{name} must be of type {kind.__name__}, not {type(value).__name__}"
        raise ValueError(msg)


def trained_variables(model: keras.Model) -> list[Any]:
    """Return the weights of trained layers, and the state of every random generator."""
    return list({id(variable): variable for variable in _walk(model)}.values())


def trained_weights(model: keras.Model) -> list[Any]:
    """Return the weights of trained layers, including those that no gradient reaches."""
    weights = {id(weight) for weight in model.weights}
    return [variable for variable in trained_variables(model) if id(variable) in weights]


def optimizer_variables(optimizer: keras.optimizers.Optimizer) -> list[Any]:
    """Return all variables of an optimizer."""
    variables = {id(variable): variable for variable in optimizer.variables}
    # `Nadam` has a variable that is not in its list. A loss-scaling optimizer wraps another one.
    for owner in (optimizer, getattr(optimizer, "inner_optimizer", None)):
        for value in vars(owner).values() if owner is not None else ():
            if isinstance(value, keras.Variable):
                variables.setdefault(id(value), value)
    return list(variables.values())


def values_of(variables: list[Any]) -> list[NDArray[Any]]:
    """Return copies of the values of variables, in dtypes that NumPy's files support."""
    values = [np.array(variable.numpy()) for variable in variables]
    # Each value of bfloat16 is also one of float32.
    return [value.astype(np.float32) if value.dtype.kind == "V" else value for value in values]


def do_fit(variables: list[Any], values: list[Any]) -> bool:
    """Return whether values have the shapes and dtypes of those that `values_of` returns."""
    return len(variables) == len(values) and all(
        isinstance(value, np.ndarray)
        and value.shape == tuple(variable.shape)
        and value.dtype == ("float32" if variable.dtype == "bfloat16" else variable.dtype)
        for variable, value in zip(variables, values, strict=True)
    )


def assign(variables: list[Any], values: list[NDArray[Any]]) -> None:
    """Give variables the values that `values_of` returned."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _walk(layer: keras.Layer) -> Iterator[Any]:
    if not layer.trainable:
        # Dropout continues to draw random numbers in a frozen layer.
        weights = {id(weight) for weight in layer.weights}
        yield from (variable for variable in layer.variables if id(variable) not in weights)
        return
    inner = layer.layers if isinstance(layer, keras.Model) else []
    of_inner = {id(variable) for part in inner for variable in part.variables}
    yield from (variable for variable in layer.variables if id(variable) not in of_inner)
    for part in inner:
        yield from _walk(part)
