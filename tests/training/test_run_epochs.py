"""The training step is one graph for batches of any size."""

import gc
import weakref
from contextlib import nullcontext

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.eager import context

from multimodal_ensemble.training import _run_epochs


@pytest.fixture
def train(problem):
    """Return a function that trains an equal model each time, and counts the graphs it traces."""

    def train():
        head = {"dropout": 0.5}
        training = problem.prepare(
            problem.numbers(**head), problem.numbers("again", **head), batch_size=24
        )
        # Batches of 24, 24 and 16 rows.
        assert [len(training.train[batch][1]) for batch in range(3)] == [24, 24, 16]
        step, n_traces = training.model.train_step, 0

        def train_step(data):
            nonlocal n_traces
            n_traces += 1
            return step(data)

        training.model.train_step = train_step
        training.fit(epochs=2, optimizer="adam")
        return training.model, n_traces

    return train


def test_a_shorter_last_batch_does_not_trace_a_second_graph(train, monkeypatch):
    model, n_traces = train()
    assert n_traces == 1
    monkeypatch.setattr(
        _run_epochs,
        "make_training_step",
        lambda model: lambda *batch: model.train_on_batch(*batch, return_dict=True)["loss"],
    )
    as_in_keras, n_traces = train()
    assert n_traces == 2
    for one, other in zip(model.get_weights(), as_in_keras.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_model_that_runs_eagerly_is_left_to_keras(problem):
    training = problem.prepare(problem.numbers())
    model = training.model
    model.compile(optimizer="sgd", loss="binary_crossentropy", run_eagerly=True)
    _run_epochs.run_epochs(model, training.train, [], first_epoch=0, epochs=1, show_progress=False)
    assert isinstance(model, keras.Model)
    assert model.evaluate(training.validation, verbose=0) > 0


@pytest.mark.parametrize("fits_in_scope", [True, False])
def test_a_model_of_a_strategy_is_left_to_keras(problem, fits_in_scope):
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    with strategy.scope():
        training = problem.prepare(problem.numbers())
    with strategy.scope() if fits_in_scope else nullcontext():
        result = training.fit(epochs=1)
    assert len(result.history) > 0


@pytest.mark.parametrize("with_images", [False, True])
def test_nothing_of_a_training_stays_in_memory(problem, with_images):
    """Trainings on vectors pass batches themselves; those on images pass a data set to Keras."""

    def train():
        training = problem.prepare(problem.numbers(), *([problem.poster()] if with_images else []))
        step, seen = training.model.train_step, [training.model, training.train]

        def train_step(data):
            seen.append(tf.compat.v1.get_default_graph())
            return step(data)

        training.model.train_step = train_step
        training.fit(epochs=1)
        return [weakref.ref(each) for each in seen]

    references = train()
    gc.collect()
    assert len(references) > 2
    assert not [reference() for reference in references if reference() is not None]


def test_kernels_are_not_kept_after_a_training(train, monkeypatch):
    cleared = []
    monkeypatch.setattr(context.context(), "clear_kernel_cache", lambda: cleared.append(1))
    train()
    assert cleared == [1]
