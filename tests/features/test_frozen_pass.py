"""Passes with weights that are constants return what the network returns."""

import keras
import numpy as np
import pytest

from multimodal_ensemble import FeatureStore
from multimodal_ensemble._graphs import predict_batch, trace_with_constants
from multimodal_ensemble.encoders import join_backbones
from multimodal_ensemble.features import _frozen_pass
from tests import toys


def make_normalised(seed=1, *, n_features=3, dtype="float32"):
    """Return a convolution with a batch normalisation whose statistics are random."""
    inputs = keras.Input((8, 8, 3), dtype="uint8")
    maps = keras.layers.Rescaling(1 / 255)(inputs)
    first = keras.layers.Conv2D(4, 3, kernel_initializer=keras.initializers.GlorotUniform(1))
    maps = keras.layers.BatchNormalization(name="normalised", dtype=dtype)(first(maps))
    kernel = keras.initializers.GlorotUniform(seed)
    last = keras.layers.Dense(n_features, kernel_initializer=kernel)
    model = keras.Model(inputs, last(keras.layers.GlobalAveragePooling2D()(maps)), name="network")
    model.trainable = False
    generator = np.random.default_rng(seed)
    scale, shift, mean, variance = generator.uniform(0.5, 2, size=(4, 4))
    model.get_layer("normalised").set_weights([scale, shift, mean, variance])
    return model


@pytest.fixture
def pixels():
    return toys.draw_pixels(5, 8, 8, 3)


@pytest.mark.usefixtures("any_number_of_rows")
def test_features_are_those_of_the_network(pixels):
    model = make_normalised()
    predict = _frozen_pass.make_predictor(model, 1)
    for n_rows in (5, 2, 1):
        expected = np.asarray(model(pixels[:n_rows], training=False))
        np.testing.assert_allclose(predict(pixels[:n_rows]), expected, rtol=1e-4, atol=1e-6)
    # The graph of Keras was not made.
    assert model.predict_function is None


@pytest.fixture
def any_number_of_rows(monkeypatch):
    monkeypatch.setattr(_frozen_pass, "_LEAST_ROWS", 1)


def test_a_graph_reads_no_variables(pixels):
    model = make_normalised()
    traced = trace_with_constants(model, pixels)
    before = traced(pixels)
    model.get_layer("normalised").set_weights([np.zeros(4)] * 4)
    np.testing.assert_array_equal(traced(pixels), before)


@pytest.mark.usefixtures("any_number_of_rows")
def test_weights_may_change_between_passes(pixels):
    model = make_normalised()
    before = _frozen_pass.make_predictor(model, 1)(pixels)
    model.get_layer("normalised").set_weights([np.ones(4), np.zeros(4), np.zeros(4), np.ones(4)])
    after = _frozen_pass.make_predictor(model, 1)(pixels)
    assert np.abs(after - before).max() > 0.01
    expected = np.asarray(model(pixels, training=False))
    np.testing.assert_allclose(after, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.usefixtures("any_number_of_rows")
def test_a_graph_is_made_once(pixels, monkeypatch):
    made = []

    def trace(model, inputs):
        made.append(model)
        return trace_with_constants(model, inputs)

    monkeypatch.setattr(_frozen_pass, "trace_with_constants", trace)
    model = make_normalised()
    for n_rows in (5, 3):
        _frozen_pass.make_predictor(model, n_rows)(pixels[:n_rows])
    assert made == [model]


@pytest.mark.usefixtures("any_number_of_rows")
def test_networks_with_the_same_layers_are_joined(pixels):
    models = [make_normalised(1), make_normalised(1, n_features=2)]
    ((joined, _),) = join_backbones(models)
    outputs = _frozen_pass.make_predictor(joined, 1)(pixels)
    for model, output in zip(models, outputs, strict=True):
        expected = np.asarray(model(pixels, training=False))
        np.testing.assert_allclose(output, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("model", "n_rows"),
    [
        (make_normalised, 255),
        (lambda: make_normalised(dtype="bfloat16"), 256),
        (toys.make_network, 256),
    ],
    ids=["few rows", "bfloat16", "no batch normalisation"],
)
def test_other_passes_use_the_graph_of_keras(model, n_rows):
    predict = _frozen_pass.make_predictor(model(), n_rows)
    assert predict.func is predict_batch


def test_large_networks_use_the_graph_of_keras(monkeypatch):
    model = make_normalised()
    monkeypatch.setattr(_frozen_pass, "_MAX_WEIGHTS", model.count_params() - 1)
    assert _frozen_pass.make_predictor(model, 256).func is predict_batch


@pytest.mark.usefixtures("any_number_of_rows")
def test_a_store_computes_the_same_features(tmp_path, pixels, compute):
    encoder = toys.make_poster(network=make_normalised())
    store = FeatureStore(tmp_path / "store", batch_size=2, dtype="float32")
    features = store.get_features(encoder, list(pixels), verbose=0)
    np.testing.assert_allclose(features, compute(encoder, list(pixels)), rtol=1e-4, atol=1e-6)
