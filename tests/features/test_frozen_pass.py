"""Passes of many rows use a faster network that returns the same features."""

import keras
import numpy as np
import pytest

from multimodal_ensemble import FeatureStore
from multimodal_ensemble.features import _frozen_pass, model_fingerprint
from multimodal_ensemble.features._compute_dtype import in_bfloat16
from tests import toys


def make_normalised():
    """Return a convolution with a batch normalisation."""
    inputs = keras.Input((8, 8, 3), dtype="uint8")
    first = keras.layers.Conv2D(4, 3, kernel_initializer=keras.initializers.GlorotUniform(1))
    maps = keras.layers.BatchNormalization(name="normalised")(first(inputs / 255))
    model = keras.Model(inputs, keras.layers.GlobalAveragePooling2D()(maps), name="network")
    model.trainable = False
    model.get_layer("normalised").set_weights(np.random.default_rng(1).uniform(0.5, 2, (4, 4)))
    return model


@pytest.fixture
def any_number_of_rows(monkeypatch):
    monkeypatch.setattr(_frozen_pass, "_LEAST_ROWS", 1)


@pytest.fixture
def pixels():
    return toys.draw_pixels(5, 8, 8, 3)


@pytest.mark.usefixtures("any_number_of_rows")
def test_a_store_computes_the_same_features(tmp_path, pixels, compute, monkeypatch):
    folded = []

    def fold(model):
        folded.append(_frozen_pass_fold(model))
        return folded[-1]

    _frozen_pass_fold = _frozen_pass.fold_normalisation
    monkeypatch.setattr(_frozen_pass, "fold_normalisation", fold)
    encoder = toys.make_poster(network=make_normalised())
    store = FeatureStore(tmp_path / "store", batch_size=2, dtype="float32")
    features = store.get_features(encoder, list(pixels[:3]), verbose=0)
    features = np.concatenate([features, store.get_features(encoder, list(pixels[3:]), verbose=0)])
    np.testing.assert_allclose(features, compute(encoder, list(pixels)), rtol=1e-4, atol=1e-6)
    # It was made once, and it computed the features.
    (used,) = folded
    assert used.predict_function is not None
    assert not any(isinstance(each, keras.layers.BatchNormalization) for each in used.layers)


@pytest.mark.usefixtures("any_number_of_rows")
def test_weights_may_change_between_passes(pixels):
    model = make_normalised()
    before = _frozen_pass.make_predictor(model, 5)(pixels)
    model.get_layer("normalised").set_weights([np.ones(4), np.zeros(4), np.zeros(4), np.ones(4)])
    after = _frozen_pass.make_predictor(model, 5)(pixels)
    assert np.abs(after - before).max() > 0.01
    expected = np.asarray(model(pixels, training=False))
    np.testing.assert_allclose(after, expected, rtol=1e-4, atol=1e-6)


def test_keras_saves_and_loads_a_network_as_before_its_passes(tmp_path, pixels):
    model = make_normalised()
    model.save_weights(tmp_path / "before.weights.h5")
    _frozen_pass.make_predictor(model, 256)(pixels)
    in_bfloat16(model)
    model_fingerprint(model)
    model.save_weights(tmp_path / "after.weights.h5")
    sizes = {(tmp_path / f"{name}.weights.h5").stat().st_size for name in ("before", "after")}
    assert len(sizes) == 1
    # Keras would miss the weights of other networks that it finds.
    model.load_weights(tmp_path / "before.weights.h5")


def test_a_class_with_its_own_predictions_is_used_itself():
    class Tenfold(keras.Model):
        def predict_step(self, data):
            return 10 * super().predict_step(data)

    plain = make_normalised()
    model = Tenfold(plain.inputs, plain.outputs)
    (used,) = _frozen_pass.make_predictor(model, 256).args
    assert used is model


def test_a_pass_of_few_rows_makes_no_other_network():
    model = make_normalised()
    (first,), (many,), (few,) = (
        _frozen_pass.make_predictor(model, n_rows).args for n_rows in (255, 256, 1)
    )
    assert first is model
    assert many is few is not model
