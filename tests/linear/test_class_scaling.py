"""Scores of several classes as probabilities, against a search over a grid of slopes."""

import numpy as np
import pytest
from sklearn.metrics import log_loss

from multimodal_ensemble.encoders import DenseEncoder
from multimodal_ensemble.fusion import ClassProbabilities, fuse_encoders
from multimodal_ensemble.linear import ClassScaling

N_ROWS = 300


def draw():
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 4, N_ROWS)
    scores = rng.random((N_ROWS, 4)) ** 2
    scores[np.arange(N_ROWS), codes] += 0.3
    return np.clip(scores, 0, 1).astype(np.float32), codes


@pytest.mark.parametrize("is_weighted", [False, True])
def test_the_slope_has_the_lowest_log_loss(is_weighted):
    scores, codes = draw()
    weight = np.arange(1.0, N_ROWS + 1) if is_weighted else None
    scaling = ClassScaling.fit(scores, np.eye(4, dtype=bool)[codes], weight)

    def loss(slope):
        powers = np.maximum(scores.astype(float), 1e-38) ** slope
        proba = powers / powers.sum(axis=1, keepdims=True)
        total = log_loss(codes, proba, sample_weight=weight) * N_ROWS
        return total + np.log(slope) ** 2

    grid = np.exp(np.linspace(-2, 2, 81))
    best = grid[np.argmin([loss(slope) for slope in grid])]
    assert scaling.slope == pytest.approx(best, rel=0.05)
    assert loss(scaling.slope) <= loss(best) + 1e-6


def test_probabilities_add_up_to_1_and_the_layer_has_the_same():
    scores, _ = draw()
    for slope in (0.3, 1.0, 4.0):
        expected = ClassScaling(slope).probabilities(scores)
        np.testing.assert_allclose(expected.sum(axis=1), 1)
        layer = ClassProbabilities()
        layer.build((None, 4))
        layer.set_weights([np.float32(slope)])
        np.testing.assert_allclose(layer(scores), expected, atol=1e-5)
        if slope == 1:
            shares = scores / scores.sum(axis=1, keepdims=True)
            np.testing.assert_allclose(expected, shares, rtol=1e-6)


def test_separate_classes_and_zeros_leave_the_slope_finite():
    scores = np.eye(3, dtype=np.float32)[[0, 1, 2, 0]]
    scaling = ClassScaling.fit(scores, scores.astype(bool))
    assert 0.05 <= scaling.slope <= 20
    np.testing.assert_allclose(scaling.probabilities(scores), scores, atol=1e-6)
    np.testing.assert_allclose(scaling.probabilities(np.zeros((1, 3))), 1 / 3)


def test_rows_without_a_class_are_left_out():
    scores, codes = draw()
    y = np.eye(4, dtype=bool)[codes]
    y[::2] = False
    slope = ClassScaling.fit(scores, y).slope
    assert slope == pytest.approx(ClassScaling.fit(scores[1::2], y[1::2]).slope, rel=1e-3)


def test_another_activation_is_refused():
    with pytest.raises(ValueError, match="activation must be one of 'sigmoid', 'softmax'"):
        fuse_encoders([DenseEncoder("x")], 3, activation="tanh")
