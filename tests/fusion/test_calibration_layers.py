"""The layers that calibrate scores: against NumPy and SciPy."""

import keras
import numpy as np
import pytest
from scipy.special import expit, logit

from multimodal_ensemble.fusion import IsotonicCalibration, PlattCalibration, load_model


def draw_scores(n_rows=2000, n_labels=3, seed=0):
    """Return float32 scores of all sizes in ascending order within a label."""
    return np.sort(expit(np.random.default_rng(seed).normal(0, 4, (n_rows, n_labels))), axis=0)


def platt(slope, intercept):
    layer = PlattCalibration()
    layer.build((None, len(slope)))
    layer.set_weights([np.array(slope), np.array(intercept)])
    return layer


def isotonic(knots, values):
    layer = IsotonicCalibration(np.shape(knots)[1])
    layer.build((None, len(knots)))
    layer.set_weights([np.array(knots), np.array(values)])
    return layer


def draw_curves(n_labels, n_knots, seed=1):
    generator = np.random.default_rng(seed)
    return np.sort(generator.random((2, n_labels, n_knots)).astype("float32"), axis=-1)


def test_a_logistic_function_of_log_odds():
    scores = draw_scores().astype("float32").clip(0, 1 - 1e-6)
    slope, intercept = [0.5, 1.0, 2.0], [1.0, 0.0, -2.0]
    expected = expit(slope * logit(scores.astype(float)) + intercept)
    np.testing.assert_allclose(platt(slope, intercept)(scores), expected, atol=1e-6)


def test_initial_weights_keep_scores():
    scores = draw_scores().astype("float32")
    np.testing.assert_allclose(PlattCalibration()(scores), scores, atol=3e-7)
    np.testing.assert_allclose(IsotonicCalibration(5)(scores), scores, atol=3e-7)
    np.testing.assert_array_equal(IsotonicCalibration(2)(scores), scores)


def test_scores_of_0_and_1_have_finite_log_odds():
    scores = np.array([[0.0], [1e-40], [1e-30], [1 - 2**-24], [1.0]], dtype="float32")
    log_odds = np.asarray(PlattCalibration().log_odds(scores))[:, 0]
    assert np.isfinite(log_odds).all()
    assert (np.diff(log_odds)[1:] > 0).all()
    assert log_odds[0] == log_odds[1]


def test_linear_between_knots_and_constant_outside():
    scores = draw_scores()
    knots, values = draw_curves(3, 32)
    expected = [np.interp(scores[:, label], knots[label], values[label]) for label in range(3)]
    np.testing.assert_allclose(isotonic(knots, values)(scores), np.transpose(expected), atol=1e-6)


def test_equal_knots_are_a_step():
    layer = isotonic([[0, 0.5, 0.5, 1]], [[0, 0.25, 0.75, 1]])
    after = np.nextafter(np.float32(0.5), np.float32(1))
    result = np.asarray(layer(np.array([[0.5], [after]], dtype="float32")))[:, 0]
    np.testing.assert_allclose(result, [0.25, 0.75], atol=1e-6)


def test_a_larger_score_never_has_a_smaller_value():
    scores = draw_scores(20_000).astype("float32")
    assert (np.diff(isotonic(*draw_curves(3, 32))(scores), axis=0) >= 0).all()
    # Logarithms of float32 numbers are correct up to their last bit.
    assert (np.diff(platt([0.2, 1, 3], [0, -1, 1])(scores), axis=0) >= -1.2e-7).all()


@pytest.mark.parametrize("n_knots", [1, 33, 2.0, "2", 10**9])
def test_numbers_of_knots_are_bounded(n_knots):
    with pytest.raises(ValueError, match=r"n_knots must be from 2 to 32\. Received n_knots="):
        IsotonicCalibration(n_knots)


def test_models_with_these_layers_are_saved_and_compute_in_float32(tmp_path):
    scores = draw_scores().astype("float32")
    knots, values = draw_curves(3, 4)
    keras.config.set_dtype_policy("mixed_float16")
    try:
        tensor = keras.Input((3,), dtype="float32")
        layers = platt([0.5, 1, 2], [0, 0, 1]), isotonic(knots, values)
        model = keras.Model(tensor, layers[1](layers[0](tensor)))
    finally:
        keras.config.set_dtype_policy("float32")
    model.save(tmp_path / "model.keras")
    result = model.predict(scores, verbose=0)
    assert result.dtype == np.float32
    loaded = load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.predict(scores, verbose=0), result)
    np.testing.assert_allclose(result, layers[1](layers[0](scores)), atol=1e-6)
