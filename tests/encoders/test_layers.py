"""`FeatureScaling` compared with scikit-learn and NumPy."""

import itertools

import keras
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra import numpy as st_numpy
from scipy import sparse
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from multimodal_ensemble.encoders import FeatureScaling, _layers

RNG = np.random.default_rng(0)
FEATURES = RNG.gamma(0.3, [0.01, 1, 500], (40, 3)).astype("float32")
OTHER = RNG.normal(0, [0.01, 1, 500], (7, 3)).astype("float32")


def signed_log(x):
    return np.sign(x) * np.log(1 + np.abs(x))


def scaled(train, values, log):
    step = FunctionTransformer(signed_log if log else None)
    scaler = StandardScaler().fit(step.transform(train.astype("float64")))
    return scaler.transform(step.transform(values.astype("float64")))


@pytest.fixture
def half_precision():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    yield
    keras.config.set_dtype_policy(before)


@pytest.mark.parametrize("log", [True, False])
@pytest.mark.parametrize("built", [True, False])
def test_scaling_equals_standard_scaler_before_and_after_build(log, built):
    layer = FeatureScaling(log=log)
    if built:
        layer.build((None, 3))
        np.testing.assert_allclose(
            layer(OTHER), signed_log(OTHER) if log else OTHER, rtol=1e-5, atol=1e-6
        )
    layer.adapt(FEATURES)
    for values in (FEATURES, OTHER):
        np.testing.assert_allclose(
            layer(values), scaled(FEATURES, values, log), rtol=1e-3, atol=1e-4
        )


@settings(deadline=None, max_examples=30)
@given(
    st_numpy.arrays(
        "float32",
        st.tuples(st.integers(1, 6), st.just(2)),
        elements=st.floats(-1000, 1000, width=32),
    ),
    st.booleans(),
)
def test_adapted_features_have_mean_0_and_variance_1_or_are_constant_0(features, log):
    layer = FeatureScaling(log=log)
    layer.adapt(features)
    out = np.asarray(layer(features), dtype="float64")
    assert np.isfinite(out).all()
    spread = (signed_log(features.astype("float64")) if log else features.astype("float64")).std(0)
    # Only where float32 has enough digits to distinguish the values.
    clear = spread > 0.01
    np.testing.assert_allclose(out.mean(0)[clear], 0, atol=0.05)
    np.testing.assert_allclose(out.std(0)[clear], 1, atol=0.05)
    np.testing.assert_allclose(out[:, np.ptp(features, axis=0) == 0], 0, atol=1e-3)


@pytest.mark.parametrize("constant", [0.0, 0.1, -3.7, 1e6, 1e-6])
def test_a_constant_feature_is_only_centred(constant):
    layer = FeatureScaling()
    layer.adapt(np.full((7, 1), constant))
    assert layer.scale.numpy().tolist() == [1]
    np.testing.assert_allclose(layer(np.array([[constant + 2]], dtype="float32")), [[2]], atol=1e-6)


def test_one_training_row_is_only_centred():
    layer = FeatureScaling()
    layer.adapt([[1.0, 5.0]])
    np.testing.assert_allclose(layer(np.array([[2.0, 5.0]])), [[1, 0]])


def test_a_second_adapt_also_changes_a_traced_function():
    model = keras.Sequential([keras.Input((3,)), FeatureScaling()])
    model.predict(OTHER, verbose=0)
    for train in (FEATURES, OTHER):
        model.layers[0].adapt(train)
        np.testing.assert_allclose(
            model.predict(OTHER, verbose=0), scaled(train, OTHER, False), rtol=1e-3, atol=1e-4
        )


def test_statistics_are_not_trained():
    layer = FeatureScaling()
    layer.build((None, 3))
    assert layer.trainable_weights == []
    assert [weight.shape for weight in layer.non_trainable_weights] == [(3,), (3,)]


@pytest.mark.parametrize("log", [True, False])
def test_a_saved_and_loaded_model_scales_in_the_same_way(log, tmp_path):
    model = keras.Sequential([keras.Input((3,)), FeatureScaling(log=log, name="scaling")])
    model.layers[0].adapt(FEATURES)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(OTHER), model(OTHER))
    assert loaded.layers[0].log is log


@pytest.mark.parametrize("log", [True, False])
@pytest.mark.parametrize("sizes", [[40], [1, 39], [13, 13, 14], [1] * 40])
def test_statistics_of_chunks_are_those_of_all_rows(log, sizes):
    features = FEATURES + np.float32([1e3, 0, -5])
    layer, steps = FeatureScaling(log=log), np.cumsum([0, *sizes])
    layer.adapt_to_chunks(features[a:b] for a, b in itertools.pairwise(steps))
    train = features.astype("float64")
    scaler = StandardScaler().fit(signed_log(train) if log else train)
    np.testing.assert_allclose(layer.mean.numpy(), scaler.mean_, rtol=1e-6)
    np.testing.assert_allclose(layer.scale.numpy(), scaler.scale_, rtol=1e-6)


@pytest.mark.parametrize("make", [sparse.csr_matrix, sparse.coo_matrix, sparse.csc_array, np.array])
def test_rows_are_converted_in_chunks(make, monkeypatch):
    monkeypatch.setattr(_layers, "_NUMBERS_PER_CHUNK", 7)
    features = np.where(OTHER > 0, OTHER, 0).astype("float64")
    features[:, 1] = 0
    layer = FeatureScaling()
    layer.adapt(make(features))
    scaler = StandardScaler().fit(features)
    np.testing.assert_allclose(layer.mean.numpy(), scaler.mean_, rtol=1e-6)
    np.testing.assert_allclose(layer.scale.numpy(), scaler.scale_, rtol=1e-6)


def test_whole_numbers_are_scaled():
    layer = FeatureScaling(log=True)
    counts = np.array([[1, 2], [3, 5]])
    layer.adapt(counts)
    np.testing.assert_allclose(layer(counts), scaled(counts, counts, True), rtol=1e-5)


@pytest.mark.usefixtures("half_precision")
@pytest.mark.parametrize(
    ("mean", "deviation"), [(0, 1), (1000, 1), (1e5, 10), (0, 1e-7), (3, 1e-3)]
)
def test_half_precision_rounds_only_the_result(mean, deviation):
    features = RNG.normal(mean, deviation, (50, 2)).astype("float32")
    layer = FeatureScaling()
    layer.adapt(features)
    out = layer(features)
    assert keras.backend.standardize_dtype(out.dtype) == "float16"
    assert layer(keras.Input((2,))).dtype == "float16"
    np.testing.assert_allclose(out, scaled(features, features, False), atol=0.01)


def test_the_configuration_is_complete():
    layer = FeatureScaling(log=True, name="mine")
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert type(copy) is FeatureScaling
    assert copy.get_config() == layer.get_config()
    assert layer.compute_output_shape((None, 3)) == (None, 3)


@pytest.mark.parametrize("shape", [(0, 2), (3,), (2, 3, 4)])
def test_adapt_refuses_anything_but_a_matrix_with_rows(shape):
    with pytest.raises(ValueError, match=rf"n_samples, n_features.*Received shape \({shape[0]}"):
        FeatureScaling().adapt(np.zeros(shape))
