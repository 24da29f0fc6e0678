"""The asymmetric loss against its formula and the losses of Keras that it generalises."""

import keras
import numpy as np
import pytest

from multimodal_ensemble.training import AsymmetricLoss

RNG = np.random.default_rng(1)
Y = (RNG.random((5, 4)) < 0.3).astype("float32")
P = RNG.random((5, 4)).astype("float32")


def test_the_loss_is_that_of_its_formula():
    q = np.maximum(P - 0.1, 0)
    terms = np.where(Y, -((1 - P) ** 1.5) * np.log(P), -(q**3) * np.log(1 - q))
    loss = AsymmetricLoss(1.5, 3, 0.1, reduction=None)
    np.testing.assert_allclose(loss(Y, P), terms.mean(axis=1), rtol=1e-5)
    assert float(AsymmetricLoss(1.5, 3, 0.1)(Y, P)) == pytest.approx(terms.mean(), rel=1e-5)


def test_it_generalises_the_cross_entropy_and_the_focal_loss():
    for loss, of_keras in (
        (AsymmetricLoss(0, 0, 0), keras.losses.BinaryCrossentropy()),
        (AsymmetricLoss(2, 2, 0), keras.losses.BinaryFocalCrossentropy(gamma=2)),
    ):
        assert float(loss(Y, P)) == pytest.approx(float(of_keras(Y, P)), rel=1e-5)


def test_gradients_at_extreme_scores_are_finite():
    import tensorflow as tf

    scores = tf.Variable([[0.0, 1.0, 0.0, 1.0, 0.05]])
    with tf.GradientTape() as tape:
        loss = AsymmetricLoss(0.5, 0.5)(np.array([[0.0, 0.0, 1.0, 1.0, 0.0]]), scores.value())
    assert np.isfinite(tape.gradient(loss, scores)).all()


def test_the_loss_survives_serialization():
    loss = AsymmetricLoss(1, 3, 0.1, reduction="sum", name="mine")
    config = keras.saving.serialize_keras_object(loss)
    again = keras.saving.deserialize_keras_object(config)
    assert again.get_config() == loss.get_config()
    assert float(again(Y, P)) == float(loss(Y, P))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"positive_gamma": -1}, "positive_gamma must be a finite number of at least 0.*-1"),
        ({"negative_gamma": float("nan")}, "negative_gamma must be a finite number.*nan"),
        ({"negative_gamma": "4"}, "negative_gamma must be a finite number.*'4'"),
        ({"margin": 1}, "margin must be at least 0 and below 1"),
    ],
)
def test_numbers_out_of_range_are_refused(options, match):
    with pytest.raises(ValueError, match=match):
        AsymmetricLoss(**options)
