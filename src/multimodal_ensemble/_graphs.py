"""The graphs that TensorFlow traces for training and prediction: one for batches of any size."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf


def has_gpu() -> bool:
    """Return whether TensorFlow computes on a GPU."""
    return bool(tf.config.list_logical_devices("GPU"))


def predict_batch(model: keras.Model, inputs: Any, *, any_size: bool = True) -> Any:
    """Return what `keras.Model.predict_on_batch` returns, from one graph for batches of any size.

    Keras would trace a graph for the first batch, and another one for a batch of another size.
    Without `any_size`, the first graph is that for the size of the first batch.
    """
    is_first = model.predict_function is None
    if is_first and not model.run_eagerly:
        model.make_predict_function()
        # TensorFlow warns of functions that are traced often. It takes those of all models for one,
        # so it would warn wherever several models predict a few batches. It does not count this.
        batch = _describe_inputs(model, inputs, any_size=any_size)
        model.predict_function.get_concrete_function([(batch,)])
    return model.predict_on_batch(inputs)


def trace_only_once(model: keras.Model) -> None:
    """Give a model a training step that is the same graph for batches of any size.

    Keras would trace a graph for the first batch, and another one for a shorter last batch, each
    of which takes about a second. The results are the same.
    """
    if model.run_eagerly or model.jit_compile or _is_distributed(model):
        # XLA compiles each size on its own, and a strategy divides the batch.
        return
    step = tf.function(model.train_step, reduce_retracing=True)

    def train_function(batches: Iterator[Any]) -> Any:
        batch = next(batches)
        if not step.experimental_get_tracing_count():
            inputs, *others = batch
            described = (_describe_inputs(model, inputs), *map(_describe, others))
            step.get_concrete_function(described)
        return step(batch)

    model.train_function = train_function


@contextmanager
def releasing_graphs(model: keras.Model) -> Iterator[None]:
    """Let the graphs of a training be freed with its model.

    Keras sums the gradients over replicas, also where there is only one. TensorFlow registers the
    gradient of that sum, with the graph of the whole step, for the life of the process.
    """
    optimizer = model.optimizer
    name = "_all_reduce_sum_gradients"
    if _is_distributed(model) or not hasattr(optimizer, name):
        yield
        return
    object.__setattr__(optimizer, name, lambda pairs: pairs)
    try:
        yield
    finally:
        object.__delattr__(optimizer, name)


def _is_distributed(model: keras.Model) -> bool:
    """Return whether a model was made in the scope of a strategy, which may have ended."""
    with model.distribute_strategy.scope():
        return bool(tf.distribute.has_strategy())


def _describe_inputs(model: keras.Model, inputs: Any, *, any_size: bool = True) -> Any:
    """Return shapes and dtypes of the inputs, with any size where the model takes any."""
    taken = {tensor.name: tensor.shape[1:] for tensor in getattr(model, "inputs", None) or ()}
    if isinstance(inputs, dict):
        return {
            name: _describe(array, taken.get(name), any_size=any_size)
            for name, array in inputs.items()
        }
    (shape,) = taken.values() if len(taken) == 1 else [None]
    return _describe(inputs, shape, any_size=any_size)


def _describe(array: Any, shape: Any = None, *, any_size: bool = True) -> Any:
    """Return shape and dtype of an array, by default with any number of rows."""
    if array is None:
        return None
    if not any_size:
        return tf.TensorSpec(array.shape, array.dtype)
    return tf.TensorSpec((None, *(array.shape[1:] if shape is None else shape)), array.dtype)
