"""Platt scaling against scikit-learn, and where it has to give up."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from multimodal_ensemble.linear import PlattScaling


@pytest.mark.parametrize("unit", [1e-6, 1.0, 1e6])
def test_scaling_is_the_logistic_regression_on_smoothed_targets(unit):
    generator = np.random.default_rng(0)
    y = generator.random((200, 2)) < [0.3, 0.05]
    scores = unit * (generator.normal(size=(200, 2)) + y + 3)
    weight = generator.uniform(0.5, 2, 200)
    weight /= weight.mean()
    for label in range(2):
        scaling = PlattScaling.fit(scores[:, [label]], y[:, [label]], weight)
        n1, n0 = weight[y[:, label]].sum(), weight[~y[:, label]].sum()
        share = np.where(y[:, label], (n1 + 1) / (n1 + 2), 1 / (n0 + 2))
        rows = np.tile(scores[:, [label]] / unit, (2, 1))
        model = LogisticRegression(C=1e10, tol=1e-10, max_iter=1000).fit(
            rows, np.repeat([1, 0], 200), np.concatenate([weight * share, weight * (1 - share)])
        )
        assert scaling.slope[0] * unit == pytest.approx(model.coef_[0, 0], rel=1e-4)
        assert scaling.intercept[0] == pytest.approx(model.intercept_[0], rel=1e-4)


def test_slopes_of_rare_labels_are_drawn_towards_the_mean_of_all_labels():
    generator = np.random.default_rng(0)
    y = np.arange(300)[:, np.newaxis] % [2, 3, 75] == 0
    scores = generator.normal(size=(300, 3)) + 2 * y
    scores[:, 2] = -10 * y[:, 2]
    own = [PlattScaling.fit(scores[:, [each]], y[:, [each]]) for each in range(3)]
    drawn = PlattScaling.fit(scores, y)
    rows = np.array([150, 100, 4])
    slopes = np.array([each.slope[0] for each in own]) * scores.std(axis=0)
    mean = rows @ slopes / rows.sum()
    expected = (rows * slopes + 30 * mean) / (rows + 30)
    np.testing.assert_allclose(drawn.slope * scores.std(axis=0), expected, atol=1e-8)
    assert own[2].slope[0] == 0 < drawn.slope[2]
    # The scores of each label have the mean of its smoothed targets.
    share = (1 / (1 + np.exp(-drawn.log_odds(scores)))).mean(axis=0)
    targets = (rows * (rows + 1) / (rows + 2) + (300 - rows) / (302 - rows)) / 300
    np.testing.assert_allclose(share, targets, atol=1e-6)


def test_separated_scores_have_a_finite_slope():
    y = np.arange(10)[:, None] > 4
    scaling = PlattScaling.fit(y.astype(float), y)
    p = 1 / (1 + np.exp(-scaling.log_odds(y.astype(float))))
    np.testing.assert_allclose(p, np.where(y, 6 / 7, 1 / 7), atol=1e-5)


@pytest.mark.parametrize("scores", [-np.arange(8.0), np.full(8, 0.7), np.zeros(8)])
def test_scores_that_say_nothing_give_the_prior(scores):
    y = np.arange(8)[:, None] > 5
    scaling = PlattScaling.fit(scores[:, None], y)
    assert scaling.slope.tolist() == [0]
    assert scaling.intercept[0] == pytest.approx(np.log(2.5 / 6.5))


@pytest.mark.parametrize("value", [True, False])
def test_a_label_of_one_class_has_finite_log_odds(value):
    y = np.full((6, 1), value)
    scaling = PlattScaling.fit(np.arange(6.0)[:, None], y)
    log_odds = scaling.log_odds(np.arange(6.0)[:, None])
    assert np.isfinite(log_odds).all()
    assert ((log_odds > 0) == value).all()
