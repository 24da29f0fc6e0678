"""Mean accuracy, compared with scikit-learn's Hamming loss."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from sklearn.metrics import accuracy_score, hamming_loss

from multimodal_ensemble.metrics import apply_thresholds, mean_accuracy, tune_thresholds


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(2, 4))
def test_mean_accuracy_is_one_minus_the_hamming_loss(seed, n_samples, n_labels):
    rng = np.random.default_rng(seed)
    y_true = rng.integers(0, 2, (n_samples, n_labels))
    y_score = rng.integers(0, 5, (n_samples, n_labels)) / 4
    thresholds = rng.choice([0.0, 0.3, 0.5, np.inf, -np.inf], n_labels)
    weights = rng.integers(1, 5, n_samples)
    y_pred = apply_thresholds(y_score, thresholds)
    value = mean_accuracy(y_true, y_score, thresholds)
    assert isinstance(value, float)
    assert value == pytest.approx(1 - hamming_loss(y_true, y_pred))
    weighted = mean_accuracy(y_true, y_score, thresholds, sample_weight=weights)
    assert weighted == pytest.approx(1 - hamming_loss(y_true, y_pred, sample_weight=weights))


def test_with_one_label_it_is_the_accuracy_score():
    y_true, y_score = np.array([[0], [1], [1]]), np.array([[0.2], [0.4], [0.6]])
    expected = accuracy_score(y_true[:, 0], y_score[:, 0] >= 0.5)
    assert mean_accuracy(y_true, y_score, 0.5) == pytest.approx(expected)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_tuned_thresholds_have_the_highest_accuracy(seed):
    rng = np.random.default_rng(seed)
    y_true, y_score = rng.integers(0, 2, (15, 3)), rng.random((15, 3))
    tuned = mean_accuracy(y_true, y_score, tune_thresholds(y_true, y_score))
    others = [rng.random(3), 0.5, np.inf, -np.inf]
    assert all(tuned >= mean_accuracy(y_true, y_score, other) - 1e-12 for other in others)


@pytest.mark.parametrize(
    ("y_true", "y_score", "thresholds", "options", "message"),
    [
        ([0, 1], [0.1, 0.2], 0.5, {}, "y_true must be a multi-hot matrix"),
        ([[0], [1]], [[0.1, 0.2]], 0.5, {}, "same shape"),
        (np.empty((0, 1)), np.empty((0, 1)), 0.5, {}, "at least one row"),
        ([[0], [-1]], [[0.1], [0.2]], 0.5, {}, "only 0 and 1"),
        ([[0], [1]], [[0.1], [math.nan]], 0.5, {}, "must be finite"),
        ([[0], [1]], [[0.1], [0.2]], [0.5, 0.5], {}, r"Received thresholds of shape \(2,\)"),
        ([[0], [1]], [[0.1], [0.2]], [math.nan], {}, "must not be NaN"),
        ([[0], [1]], [[0.1], [0.2]], 0.5, {"sample_weight": [1]}, "sample_weight must have shape"),
    ],
)
def test_invalid_input_raises(y_true, y_score, thresholds, options, message):
    with pytest.raises(ValueError, match=message):
        mean_accuracy(y_true, y_score, thresholds, **options)
