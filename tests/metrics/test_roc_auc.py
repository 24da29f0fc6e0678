"""ROC-AUC, compared with scikit-learn, and its handling of labels with one class."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import roc_auc_score

from multimodal_ensemble.metrics import mean_roc_auc

Y_TRUE = np.array([[0, 1, 0], [1, 1, 0], [1, 1, 0], [0, 1, 0]])
Y_SCORE = np.array([[0.1, 0.2, 0.3], [0.9, 0.1, 0.4], [0.2, 0.3, 0.1], [0.2, 0.7, 0.6]])


@settings(deadline=None)
@given(
    st.integers(2, 20).flatmap(
        lambda size: st.tuples(
            st.lists(st.integers(0, 4), min_size=2 * size, max_size=2 * size),
            st.lists(st.booleans(), min_size=2 * size, max_size=2 * size),
            st.lists(st.integers(1, 3), min_size=size, max_size=size),
        )
    )
)
def test_each_label_equals_the_metric_of_scikit_learn(drawn):
    scores, truth, weights = drawn
    y_score, y_true = np.array(scores).reshape(-1, 2) / 4, np.array(truth).reshape(-1, 2)
    y_true[0], y_true[1] = True, False
    expected = [roc_auc_score(y_true[:, j], y_score[:, j], sample_weight=weights) for j in (0, 1)]
    vector = mean_roc_auc(y_true, y_score, average=None, sample_weight=weights)
    assert vector.shape == (2,)
    assert vector.dtype == np.float64
    assert vector == pytest.approx(expected)
    mean = mean_roc_auc(y_true, y_score, sample_weight=weights)
    assert isinstance(mean, float)
    assert mean == pytest.approx(np.mean(expected))
    assert mean_roc_auc(y_true, y_score) == pytest.approx(
        roc_auc_score(y_true, y_score, average="macro")
    )


def test_one_warning_names_all_labels_with_one_class():
    with pytest.warns(UndefinedMetricWarning, match="labels 'War', 'Noir'") as caught:
        value = mean_roc_auc(Y_TRUE, Y_SCORE, labels=["Drama", "War", "Noir"])
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert value == roc_auc_score(Y_TRUE[:, 0], Y_SCORE[:, 0])


def test_the_warning_numbers_labels_without_names():
    with pytest.warns(UndefinedMetricWarning, match="label columns 1, 2") as caught:
        vector = mean_roc_auc(Y_TRUE, Y_SCORE, average=None)
    assert len(caught) == 1
    assert np.isnan(vector).tolist() == [False, True, True]


def test_the_mean_is_nan_if_no_label_has_two_classes():
    with pytest.warns(UndefinedMetricWarning, match="label columns 0, 1:"):
        assert math.isnan(mean_roc_auc(Y_TRUE[:, 1:], Y_SCORE[:, 1:]))


def test_rows_with_weight_zero_are_ignored():
    weights = [1, 0, 0, 1]
    with pytest.warns(UndefinedMetricWarning, match="label columns 0, 1, 2:"):
        vector = mean_roc_auc(Y_TRUE, Y_SCORE, average=None, sample_weight=weights)
    assert np.isnan(vector).all()
    weights = [1, 1, 0, 1]
    kept = mean_roc_auc(Y_TRUE[:, :1], Y_SCORE[:, :1], sample_weight=weights)
    assert kept == mean_roc_auc(Y_TRUE[[0, 1, 3], :1], Y_SCORE[[0, 1, 3], :1])


def test_no_warning_if_all_labels_are_defined():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mean_roc_auc(Y_TRUE[:, :1], Y_SCORE[:, :1])


def test_huge_scores_do_not_overflow():
    huge = np.finfo(np.float64).max
    assert mean_roc_auc([[0], [1]], [[-huge], [huge]]) == 1.0


@pytest.mark.parametrize(
    ("y_true", "y_score", "options", "message"),
    [
        ([0, 1], [0.1, 0.2], {}, "y_true must be a multi-hot matrix"),
        ([[0], [1]], [0.1, 0.2], {}, "same shape"),
        ([[0], [1]], [[0.1]], {}, "same shape"),
        (np.empty((0, 1)), np.empty((0, 1)), {}, "at least one row"),
        ([[0], [3]], [[0.1], [0.2]], {}, "only 0 and 1"),
        ([[0], [1]], [[0.1], [math.nan]], {}, "must be finite"),
        ([[0], [1]], [[0.1], [-math.inf]], {}, "must be finite"),
        ([[0], [1]], [[0.1], [0.2]], {"average": "micro"}, "average must be one of 'macro', None"),
        ([[0], [1]], [[0.1], [0.2]], {"labels": ["a", "b"]}, "labels must name all 1 columns"),
        ([[0], [1]], [[0.1], [0.2]], {"sample_weight": [1, 2, 3]}, "sample_weight must have shape"),
    ],
)
def test_invalid_input_raises(y_true, y_score, options, message):
    with pytest.raises(ValueError, match=message):
        mean_roc_auc(y_true, y_score, **options)
