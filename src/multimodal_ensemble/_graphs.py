"""The graphs that TensorFlow traces for training and prediction: one for batches of any size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import keras
import numpy as np
import tensorflow as tf


def has_gpu() -> bool:
    """Return whether TensorFlow computes on a GPU."""
    return bool(tf.config.list_logical_devices("GPU"))


def predict_batch(model: keras.Model, inputs: Any, *, any_size: bool = True) -> Any:
    """Return what `keras.Model.predict_on_batch` returns, from one graph for batches of any size.

    Keras would trace a graph for the first batch, and another one for a batch of another size.
    Without `any_size`, the first graph is that for the size of the first batch.
    """
    if count_replicas(model) > 1:
        # Keras would give all rows to each replica, and join the results.
        return keras.tree.map_structure(keras.ops.convert_to_numpy, model(inputs, training=False))
    is_first = model.predict_function is None
    if is_first and not model.run_eagerly:
        model.make_predict_function()
        # TensorFlow warns of functions that are traced often. It takes those of all models for one,
        # so it would warn wherever several models predict a few batches. It does not count this.
        batch = _describe_inputs(model, inputs, any_size=any_size)
        model.predict_function.get_concrete_function([(batch,)])
    return model.predict_on_batch(inputs)


def make_training_step(model: keras.Model) -> Callable[[Any, Any, Any], float]:
    """Return a function that trains on inputs, labels and row weights (or None) of one batch.

    It returns the mean loss of the batch, as `keras.Model.train_on_batch` does, but is the same
    graph for batches of any size. Keras would trace a graph for the first batch, and another one
    for a shorter last batch, each of which takes about a second.
    """
    if count_replicas(model) > 1:
        return _divide_batches(model)
    if model.run_eagerly or model.jit_compile or _is_distributed(model):
        # XLA compiles each size on its own.
        return lambda *batch: model.train_on_batch(*batch, return_dict=True)["loss"]
    step = tf.function(model.train_step, reduce_retracing=True, autograph=False)

    def train(*batch: Any) -> float:
        if not step.experimental_get_tracing_count():
            inputs, *others = batch
            described = (_describe_inputs(model, inputs), *map(_describe, others))
            step.get_concrete_function(described)
        return float(step(batch)["loss"])

    return train


@contextmanager
def releasing_graphs(model: keras.Model) -> Iterator[None]:
    """Let the graphs and kernels of a training be freed with its model.

    Keras sums the gradients over replicas, also where there is only one. TensorFlow registers the
    gradient of that sum, with the graph of the whole step, for the life of the process. It also
    keeps the kernels of each graph, about 0.5 MB per training, until its cache is cleared.
    """
    optimizer = model.optimizer
    name = "_all_reduce_sum_gradients"
    is_replaced = not _is_distributed(model) and hasattr(optimizer, name)
    if is_replaced:
        object.__setattr__(optimizer, name, lambda pairs: pairs)
    try:
        yield
    finally:
        if is_replaced:
            object.__delattr__(optimizer, name)
        _clear_kernels()


def _clear_kernels() -> None:
    """Clear TensorFlow's cache of kernels, as `keras.utils.clear_session` does.

    TensorFlow has no public function for it. Those in use stay alive.
    """
    with suppress(ImportError, AttributeError):
        from tensorflow.python.eager import context

        context.context().clear_kernel_cache()


def count_replicas(model: keras.Model) -> int:
    """Return how many devices of a `tf.distribute` strategy a model has copies on."""
    return int(model.distribute_strategy.num_replicas_in_sync)


def find_loss_tracker(model: keras.Model) -> keras.metrics.Metric:
    """Return the metric in which a compiled model sums the losses of rows."""
    return next(metric for metric in model.metrics if metric.name == "loss")


def _divide_batches(model: keras.Model) -> Callable[[Any, Any, Any], float]:
    """Return a training step that divides each batch over the replicas of a model.

    `keras.Model.train_on_batch` would give all rows to each replica. Keras averages the mean losses
    of the replicas. The weights of the rows make this the mean over all rows, however they are
    divided: as many rows of each replica count R times their share, for R replicas.
    """
    strategy, n_replicas = model.distribute_strategy, count_replicas(model)
    tracker = find_loss_tracker(model)

    def step(parts: Any) -> Any:
        logs = strategy.run(model.train_step, args=(parts,))
        return {"loss": strategy.reduce("MEAN", logs["loss"], axis=None)}

    traced_step = tf.function(step, reduce_retracing=True)

    def train(inputs: Any, y: Any, weight: Any) -> float:
        n_rows = len(y)
        weight = np.ones(n_rows, np.float32) if weight is None else np.asarray(weight, np.float32)

        def take_part(context: Any) -> Any:
            rows = np.array_split(np.arange(n_rows), n_replicas)[context.replica_id_in_sync_group]
            here = weight[rows] * (len(rows) * n_replicas / n_rows)
            if not len(rows):
                # The mean over no rows is not a number.
                rows, here = np.arange(1), np.zeros(1)
            part = (
                keras.tree.map_structure(lambda array: array[rows], inputs),
                y[rows],
                here.astype(np.float32),
            )
            return keras.tree.map_structure(tf.convert_to_tensor, part)

        logs = traced_step(strategy.experimental_distribute_values_from_function(take_part))
        # The replicas have counted their rows without the weights that are theirs here.
        tracker.total.assign(logs["loss"] * n_rows)
        tracker.count.assign(n_rows)
        return float(logs["loss"])

    return train


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
