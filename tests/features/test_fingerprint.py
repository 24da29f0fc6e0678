"""Two backbones have equal fingerprints if, and only if, they compute the same outputs."""

import contextlib
import functools
import io

import keras
import numpy as np
import pytest

from multimodal_ensemble import ImageEncoder
from multimodal_ensemble.features import model_fingerprint
from tests.fresh_process import run_fresh
from tests.toys import make_network, make_poster


def dense(units=2, *, name=None, activation="relu", seed=1, **options):
    kernel = keras.initializers.GlorotUniform(seed)
    return keras.layers.Dense(units, activation, kernel_initializer=kernel, name=name, **options)


def sequential(*layers, name=None):
    return keras.Sequential([keras.Input((2,)), *layers], name=name)


def residual(first="first", second="second", *, swapped=False):
    """Return a functional model that depends on the order of a subtraction."""
    inputs = keras.Input((2,))
    one, other = dense(name=first, seed=1)(inputs), dense(name=second, seed=2)(inputs)
    pair = [other, one] if swapped else [one, other]
    return keras.Model(inputs, keras.layers.Subtract()(pair))


def with_parts(first, second):
    """Return a functional model of two models that are added by an operation without a layer."""
    inputs = keras.Input((2,))
    parts = [
        sequential(dense(name=name), name=f"{number}{name}")
        for number, name in enumerate((first, second))
    ]
    return keras.Model(inputs, keras.ops.add(*[part(inputs) for part in parts]))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (lambda: sequential(dense()), lambda: sequential(dense())),
        (lambda: sequential(dense(name="a")), lambda: sequential(dense(name="b"), name="mine")),
        (residual, lambda: residual("x", "y")),
        (residual, lambda: residual("second", "first")),
        (
            lambda: sequential(dense(name="relu")),
            lambda: sequential(dense(name="tanh")),
        ),
        (lambda: with_parts("same", "same"), lambda: with_parts("x", "y")),
    ],
    ids=[
        "built twice",
        "names",
        "names in a graph",
        "names swapped",
        "named like an activation",
        "names in models of a model",
    ],
)
def test_models_that_differ_only_in_names_have_equal_fingerprints(one, other):
    assert model_fingerprint(one()) == model_fingerprint(other())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (lambda: sequential(dense(seed=1)), lambda: sequential(dense(seed=2))),
        (
            lambda: sequential(dense(name="relu", activation="relu")),
            lambda: sequential(dense(name="tanh", activation="tanh")),
        ),
        (
            lambda: sequential(dense(name="relu", activation="tanh")),
            lambda: sequential(dense(name="tanh", activation="relu")),
        ),
        (residual, lambda: residual(swapped=True)),
        (lambda: sequential(dense()), lambda: sequential(dense(), keras.layers.ReLU())),
        (
            lambda: sequential(dense(), keras.layers.Rescaling(1)),
            lambda: sequential(dense(), keras.layers.Rescaling(2)),
        ),
        (lambda: sequential(dense()), lambda: sequential(dense(dtype="mixed_float16"))),
        (
            lambda: keras.Sequential([keras.Input((2,)), keras.layers.Softmax()]),
            lambda: keras.Sequential([keras.Input((3,)), keras.layers.Softmax()]),
        ),
    ],
    ids=[
        "weights",
        "activation, hidden by equal names",
        "activations and names swapped",
        "order of a subtraction",
        "another layer",
        "an option",
        "precision",
        "input size",
    ],
)
def test_models_with_different_outputs_have_different_fingerprints(one, other):
    assert model_fingerprint(one()) != model_fingerprint(other())


def under_policy(policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        return model_fingerprint(sequential(dense(), dense()))
    finally:
        keras.config.set_dtype_policy(before)


def test_the_global_precision_changes_the_fingerprint():
    policies = ["float32", "mixed_float16", "mixed_bfloat16", "bfloat16"]
    assert len({under_policy(policy) for policy in policies}) == len(policies)


def test_the_order_of_weights_changes_the_fingerprint():
    model = sequential(dense(2, activation=None))
    before = model_fingerprint(model)
    kernel, bias = model.get_weights()
    model.set_weights([kernel[::-1], bias])
    assert model_fingerprint(model) != before


def test_freezing_does_not_change_the_fingerprint():
    model = sequential(dense())
    before = model_fingerprint(model)
    model.trainable = False
    assert model_fingerprint(model) == before
    model.compile("sgd", "mse")
    assert model_fingerprint(model) == before


def test_use_in_other_models_does_not_change_the_fingerprint():
    network = make_network()
    encoders = [make_poster(name, network=network) for name in "ab"]
    one, other = (model_fingerprint(encoder.get_backbone()) for encoder in encoders)
    keras.Sequential([network, keras.layers.Flatten()])
    assert one == other == model_fingerprint(encoders[0].get_backbone())


def test_saving_and_loading_does_not_change_the_fingerprint(tmp_path):
    model = residual()
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert model_fingerprint(loaded) == model_fingerprint(model)


def test_empty_weights_have_a_fingerprint():
    model = keras.Sequential([keras.Input((2, 0)), keras.layers.Dense(3)])
    assert len(model_fingerprint(model)) == 64


SCRIPT = """
import keras
import numpy as np
from multimodal_ensemble import ImageEncoder
from multimodal_ensemble.features import model_fingerprint
encoder = ImageEncoder("poster", backbone="MobileNet", weights=None, image_size=32, seed=1)
inputs = keras.Input((2,))
kernel = keras.initializers.GlorotUniform(3)
dense = keras.layers.Dense(2, kernel_initializer=kernel)(inputs)
graph = keras.layers.Concatenate()([dense, inputs])
print(model_fingerprint(encoder.get_backbone()), model_fingerprint(keras.Model(inputs, graph)))
"""


@pytest.mark.slow
def test_fingerprints_are_equal_in_all_processes():
    elsewhere = run_fresh(SCRIPT).split()
    ImageEncoder("before", backbone="MobileNet", weights=None, image_size=32).get_backbone()
    keras.Sequential([keras.Input((2,)), keras.layers.Dense(2), keras.layers.Dense(2)])
    with contextlib.redirect_stdout(io.StringIO()) as here:
        exec(SCRIPT, {})
    assert len(elsewhere) == 2
    assert here.getvalue().split() == elsewhere


def change_one_number(model):
    kernel, bias = model.layers[0].get_weights()
    kernel[0, 0] = np.nextafter(kernel[0, 0], np.float32(9))
    model.layers[0].set_weights([kernel, bias])


def exchange_two_numbers(model):
    kernel, bias = model.layers[0].get_weights()
    kernel[0, 0], kernel[0, 1] = kernel[0, 1], kernel[0, 0]
    model.layers[0].set_weights([kernel, bias])


def add_a_layer(model):
    model.add(keras.layers.ReLU())


@pytest.mark.parametrize("change", [change_one_number, exchange_two_numbers, add_a_layer])
def test_a_later_change_is_detected(change):
    model = sequential(dense())
    before = model_fingerprint(model)
    assert model_fingerprint(model) == before
    change(model)
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    assert model_fingerprint(model) == model_fingerprint(copy) != before


def test_a_function_in_a_model_counts_by_what_it_computes():
    factor = [2.0]

    def scaled(x):
        return factor[0] * x

    def fingerprint(function):
        return model_fingerprint(sequential(keras.layers.Lambda(function), dense()))

    first = fingerprint(scaled)
    assert (
        first
        == fingerprint(lambda x: x + x)
        == fingerprint(functools.partial(keras.ops.multiply, 2.0))
    )
    factor[0] = 3.0
    assert first != fingerprint(scaled)
    assert first != fingerprint(lambda x: x)
