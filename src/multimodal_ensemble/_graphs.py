"""The graphs that TensorFlow traces for training and prediction: one for batches of any size."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf


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
        batch = _describe(inputs, any_size=any_size)
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
            step.get_concrete_function(_describe(batch))
        return step(batch)

    model.train_function = train_function


def _is_distributed(model: keras.Model) -> bool:
    """Return whether a model was made in the scope of a strategy, which may have ended."""
    with model.distribute_strategy.scope():
        return bool(tf.distribute.has_strategy())


def _describe(batch: Any, *, any_size: bool = True) -> Any:
    """Return the shapes and dtypes of the arrays of a batch, by default with any number of rows."""

    def describe(array: Any) -> Any:
        if array is None:
            return None
        n_rows = None if any_size else len(array)
        return tf.TensorSpec((n_rows, *array.shape[1:]), array.dtype)

    return keras.tree.map_structure(describe, batch)
