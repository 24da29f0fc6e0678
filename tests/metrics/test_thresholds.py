"""The threshold search, compared with exact brute force, and the rule that applies thresholds."""

from __future__ import annotations

import json
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from multimodal_ensemble.metrics import apply_thresholds, check_criterion, tune_thresholds

HUGE = np.finfo(np.float64).max
INF = float("inf")


def gain(tp, fp, fn, tn):
    """Return the profit of a campaign, as an example of a custom criterion."""
    return 3 * tp - 2 * fp


def precision(tp, fp, fn, tn):
    """Return the precision, a criterion that is 0 / 0 if no row is predicted positive."""
    return tp / (tp + fp)


def exact_value(criterion, tp, fp, fn, tn):
    """Return the value of a criterion as a fraction, or None if it is undefined."""
    if criterion == "accuracy":
        return Fraction(tp + tn, tp + fp + fn + tn)
    if criterion == "balanced_accuracy":
        rates = [Fraction(hit, hit + miss) for hit, miss in ((tp, fn), (tn, fp)) if hit + miss]
        return sum(rates) / len(rates)
    if criterion == "f1":
        return Fraction(2 * tp, 2 * tp + fp + fn) if tp + fp + fn else Fraction(0)
    if criterion == "prevalence":
        return Fraction(-abs((tp + fp) - (tp + fn)))
    if criterion is precision:
        return Fraction(tp, tp + fp) if tp + fp else None
    return Fraction(criterion(tp, fp, fn, tn))


def count(y_true, scores, threshold, weights):
    """Return tp, fp, fn, tn, counted row by row."""
    counts = {(True, True): 0, (False, True): 0, (True, False): 0, (False, False): 0}
    for truth, score, weight in zip(y_true, scores, weights, strict=True):
        counts[bool(truth), float(score) >= threshold] += int(weight)
    return counts[True, True], counts[False, True], counts[True, False], counts[False, False]


def brute_force(y_true, scores, criterion, weights):
    """Return the distinct scores and the exact criterion at each candidate, highest first."""
    rows = zip(scores, weights, strict=True)
    distinct = sorted({float(score) for score, weight in rows if weight}, reverse=True)
    # The upper of two neighbouring scores divides the rows like any value between them.
    candidates = [INF, *distinct[:-1], -INF]
    counts = [count(y_true, scores, candidate, weights) for candidate in candidates]
    return distinct, [exact_value(criterion, *four) for four in counts]


def check_against_brute_force(y_true, scores, criterion, weights=None):
    given_weights = weights
    weights = np.ones(len(scores), dtype=int) if weights is None else weights
    (threshold,) = tune_thresholds(
        y_true.reshape(-1, 1),
        scores.reshape(-1, 1),
        criterion=criterion,
        sample_weight=given_weights,
    )
    distinct, values = brute_force(y_true, scores, criterion, weights)
    best = max(value for value in values if value is not None)
    winner = values.index(best)

    chosen = count(y_true, scores, threshold, weights)
    assert exact_value(criterion, *chosen) == best
    if winner == 0:
        assert threshold == INF
    elif winner == len(distinct):
        assert threshold == -INF
    else:
        upper, lower = distinct[winner - 1], distinct[winner]
        assert lower < threshold <= upper
        midway = (Fraction(lower) + Fraction(upper)) / 2
        rounding = Fraction(math.ulp(max(abs(lower), abs(upper))))
        assert abs(Fraction(threshold) - midway) <= rounding
        assert threshold < upper or np.nextafter(lower, INF) == upper
    predicted = apply_thresholds(scores.reshape(-1, 1), threshold)[:, 0]
    assert count(y_true, predicted, 1, weights) == chosen


@st.composite
def columns(draw):
    dtype = draw(st.sampled_from([np.float16, np.float32, np.float64]))
    width = np.dtype(dtype).itemsize * 8
    numbers = st.floats(width=width, allow_nan=False, allow_infinity=False)
    pool = draw(st.lists(numbers, min_size=1, max_size=6))
    # Neighbouring floats have no midpoint.
    near = [np.nextafter(dtype(number), dtype(0)) for number in pool]
    scores = draw(st.lists(st.sampled_from([*pool, *near]), min_size=1, max_size=14))
    size = len(scores)
    y_true = draw(st.lists(st.integers(0, 1), min_size=size, max_size=size))
    return np.array(y_true), np.array(scores, dtype=dtype)


CRITERIA = ["accuracy", "balanced_accuracy", "f1", "prevalence", gain, precision]


@pytest.mark.parametrize("criterion", CRITERIA)
@settings(deadline=None)
@given(columns())
@example((np.array([1]), np.array([0.5])))
@example((np.array([0]), np.array([0.5])))
@example((np.array([0, 0, 0]), np.array([0.1, 0.2, 0.3])))
@example((np.array([1, 1, 1]), np.array([0.1, 0.2, 0.3])))
@example((np.array([0, 1, 1]), np.array([0.5, 0.5, 0.5])))
@example((np.array([0, 1]), np.array([1.0, np.nextafter(1.0, 2)])))
@example((np.array([0, 1]), np.array([-HUGE, HUGE])))
@example((np.array([0, 1]), np.array([np.nextafter(HUGE, 0), HUGE])))
@example((np.array([0, 1]), np.array([0.0, 5e-324])))
@example((np.array([0, 1]), np.array([-0.0, 0.0])))
def test_the_threshold_is_the_best_of_all_candidates(criterion, column):
    check_against_brute_force(*column, criterion)


@pytest.mark.parametrize("criterion", CRITERIA)
@settings(deadline=None, max_examples=settings.default.max_examples // 3)
@given(columns(), st.data())
def test_whole_weights_are_equivalent_to_repeated_rows(criterion, column, data):
    y_true, scores = column
    size = len(scores)
    weights = np.array(data.draw(st.lists(st.integers(0, 3), min_size=size, max_size=size)))
    if not weights.any():
        weights[0] = 1
    check_against_brute_force(y_true, scores, criterion, weights)
    repeated = [np.repeat(values, weights).reshape(-1, 1) for values in column]
    weighted = tune_thresholds(
        y_true.reshape(-1, 1), scores.reshape(-1, 1), criterion=criterion, sample_weight=weights
    )
    assert weighted == tune_thresholds(*repeated, criterion=criterion)


@settings(deadline=None, max_examples=30)
@given(columns())
def test_named_criteria_equal_the_metrics_of_scikit_learn(column):
    y_true, scores = column
    if len(set(y_true)) == 1:
        y_true = np.append(y_true, 1 - y_true[0])
        scores = np.append(scores, scores[0])
    scores = scores.astype(np.float64)
    metrics = {
        "accuracy": accuracy_score,
        "balanced_accuracy": balanced_accuracy_score,
        "f1": lambda truth, predicted: f1_score(truth, predicted, zero_division=0),
    }
    for criterion, metric in metrics.items():
        threshold = tune_thresholds(
            y_true.reshape(-1, 1), scores.reshape(-1, 1), criterion=criterion
        )
        best = max(metric(y_true, scores >= candidate) for candidate in (*scores, INF))
        assert metric(y_true, scores >= threshold) == pytest.approx(best)


@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
def test_labels_are_tuned_independently(criterion, dtype, order):
    rng = np.random.default_rng(0)
    y_true = rng.random((200, 5)) < [0.0, 0.1, 0.5, 0.9, 1.0]
    y_score = np.asarray(rng.random((200, 5)) + 0.3 * y_true, dtype=dtype, order=order)
    together = tune_thresholds(y_true, y_score, criterion=criterion)
    separately = [
        tune_thresholds(y_true[:, [j]], y_score[:, [j]], criterion=criterion)[0] for j in range(5)
    ]
    assert together.shape == (5,)
    assert together.dtype == np.float64
    assert together.tolist() == separately


def test_prevalence_predicts_each_label_as_often_as_it_occurs():
    rng = np.random.default_rng(0)
    y_true = rng.random((100, 5)) < [0.0, 0.1, 0.5, 0.9, 1.0]
    # All scores differ, so any number of rows can be predicted.
    y_score = rng.permuted(np.linspace(0, 1, 100)[:, np.newaxis].repeat(5, axis=1), axis=0)
    thresholds = tune_thresholds(y_true, y_score, criterion="prevalence")
    assert apply_thresholds(y_score, thresholds).sum(0).tolist() == y_true.sum(0).tolist()
    assert thresholds[[0, 4]].tolist() == [INF, -INF]


def test_fractional_weights_change_the_threshold():
    y_true, y_score = [[1], [0], [1], [0]], [[0.1], [0.2], [0.3], [0.4]]
    weights = [0.5, 0.1, 0.5, 0.7]
    assert tune_thresholds(y_true, y_score, sample_weight=weights).tolist() == [-INF]
    weights = [0.1, 0.5, 0.5, 0.3]
    assert tune_thresholds(y_true, y_score, sample_weight=weights).tolist() == [0.25]


@settings(deadline=None)
@given(columns())
def test_a_monotone_transform_of_the_scores_does_not_change_the_predictions(column):
    y_true, scores = (values.reshape(-1, 1) for values in column)
    ranks = np.unique(scores, return_inverse=True)[1].reshape(-1, 1)
    plain = apply_thresholds(scores, tune_thresholds(y_true, scores))
    ranked = apply_thresholds(ranks, tune_thresholds(y_true, ranks))
    assert np.array_equal(plain, ranked)


def test_equal_balanced_accuracies_tie_despite_rounding():
    # (1/3 + 3/3) and (3/3 + 1/3) are equal, but floats may round them differently.
    for positives in range(1, 12):
        for negatives in range(1, 12):
            y_true = np.repeat([1, 0, 1, 0], [1, negatives, positives, 0])
            scores = np.repeat([3.0, 2.0, 1.0, 0.0], [1, negatives, positives, 0])
            check_against_brute_force(y_true, scores, "balanced_accuracy")


def test_a_callable_receives_counts_from_the_highest_threshold_to_the_lowest():
    seen = []

    def remember(tp, fp, fn, tn):
        seen.append([values.tolist() for values in (tp, fp, fn, tn)])
        return tp

    tune_thresholds([[1], [0], [1]], [[0.1], [0.3], [0.3]], criterion=remember)
    assert seen == [[[0, 1, 2], [0, 1, 1], [2, 1, 0], [1, 0, 0]]]


def test_nan_ranks_below_any_number():
    def undefined_above(tp, fp, fn, tn):
        return np.where(tp < 2, np.nan, -1.0)

    tuned = tune_thresholds([[1], [1], [0]], [[0.5], [0.25], [0.0]], criterion=undefined_above)
    assert tuned.tolist() == [0.125]


@pytest.mark.parametrize("result", [1.0, [1.0], [[1.0], [2.0], [3.0]], None])
def test_a_callable_that_returns_the_wrong_shape_raises(result):
    with pytest.raises(ValueError, match=r"one value per candidate .* \(3,\)\. Received"):
        tune_thresholds([[0], [1]], [[0.1], [0.2]], criterion=lambda *counts: result)


def test_a_callable_that_returns_only_nan_raises():
    with pytest.raises(ValueError, match="Received only NaN for label column 0"):
        tune_thresholds([[0], [1]], [[0.1], [0.2]], criterion=lambda tp, *rest: tp * np.nan)


@pytest.mark.parametrize("criterion", CRITERIA)
def test_check_criterion_accepts_every_valid_criterion(criterion):
    check_criterion(criterion)


@pytest.mark.parametrize(
    ("criterion", "message"),
    [
        ("mcc", "threshold must be one of 'accuracy'.*threshold='mcc'"),
        (0.5, "threshold must be one of 'accuracy'.*threshold=0.5"),
        (lambda tp: tp, r"called as threshold\(tp, fp, fn, tn\).*The call failed: .*positional"),
        (lambda *counts: 1.0, "one value per candidate"),
    ],
    ids=["name", "number", "arguments", "shape"],
)
def test_check_criterion_refuses_an_invalid_criterion(criterion, message):
    with pytest.raises(ValueError, match=message):
        check_criterion(criterion, name="threshold")


def test_inputs_are_not_modified():
    y_true, y_score = np.array([[0], [1], [1]]), np.array([[0.5], [0.2], [0.9]])
    weights = np.array([1.0, 0.0, 2.0])

    def spoil(tp, fp, fn, tn):
        tp[:] = fp[:] = 0
        return tp

    tune_thresholds(y_true, y_score, criterion=spoil, sample_weight=weights)
    assert y_true.tolist() == [[0], [1], [1]]
    assert y_score.tolist() == [[0.5], [0.2], [0.9]]
    assert weights.tolist() == [1.0, 0.0, 2.0]


def test_thresholds_survive_json():
    rng = np.random.default_rng(1)
    y_true = rng.random((50, 4)) < [0, 0.5, 0.5, 1]
    y_score = rng.random((50, 4))
    thresholds = tune_thresholds(y_true, y_score)
    assert {INF, -INF} < set(thresholds.tolist())
    loaded = json.loads(json.dumps(thresholds.tolist()))
    assert loaded == thresholds.tolist()
    assert np.array_equal(apply_thresholds(y_score, loaded), apply_thresholds(y_score, thresholds))


@pytest.mark.parametrize(
    ("y_true", "y_score", "options", "message"),
    [
        ([0, 1], [[0.1], [0.2]], {}, r"y_true must be a multi-hot matrix.*Received shape \(2,\)"),
        ([[0], [1]], [0.1, 0.2], {}, r"same shape.*y_score of shape \(2,\)"),
        ([[0], [1]], [[0.1, 0.2]], {}, r"same shape.*\(2, 1\) and y_score of shape \(1, 2\)"),
        (np.empty((0, 2)), np.empty((0, 2)), {}, "at least one row and one label"),
        (np.empty((2, 0)), np.empty((2, 0)), {}, "at least one row and one label"),
        ([[0], [2]], [[0.1], [0.2]], {}, "only 0 and 1.*row 1, column 0"),
        ([[0], [0.5]], [[0.1], [0.2]], {}, "only 0 and 1.*row 1, column 0"),
        ([[0], [1]], [[0.1], [math.nan]], {}, "must be finite. Received nan in row 1, column 0"),
        ([[0], [1]], [[INF], [0.1]], {}, "must be finite. Received inf in row 0, column 0"),
        ([[0], [1]], [["a"], ["b"]], {}, "must be numeric"),
        ([[0], [1]], [[0.1], [0.2]], {"criterion": "mcc"}, "one of 'accuracy', 'balanced_acc"),
        ([[0], [1]], [[0.1], [0.2]], {"sample_weight": [1]}, r"sample_weight .* shape \(2,\)"),
        ([[0], [1]], [[0.1], [0.2]], {"sample_weight": [1, -1]}, "not negative"),
        ([[0], [1]], [[0.1], [0.2]], {"sample_weight": [0, 0]}, "zero everywhere"),
    ],
)
def test_tuning_with_invalid_input_raises(y_true, y_score, options, message):
    with pytest.raises(ValueError, match=message):
        tune_thresholds(y_true, y_score, **options)


def test_predictions_are_int8_of_the_same_shape():
    predicted = apply_thresholds([[0.5, 0.4], [0.6, 0.5]], [0.5, 0.5])
    assert predicted.dtype == np.int8
    assert predicted.tolist() == [[1, 0], [1, 1]]


def test_a_single_threshold_applies_to_all_labels():
    scores = [[0.5, 0.4], [0.6, 0.5]]
    assert apply_thresholds(scores, 0.5).tolist() == [[1, 0], [1, 1]]
    assert apply_thresholds(scores, INF).tolist() == [[0, 0], [0, 0]]
    assert apply_thresholds(scores, -INF).tolist() == [[1, 1], [1, 1]]


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_scores_and_thresholds_are_compared_in_float64(dtype):
    score = dtype(0.1)
    just_above = np.nextafter(np.float64(score), 1)
    assert apply_thresholds(np.array([[score]]), float(score)).tolist() == [[1]]
    # Under NEP 50, a Python float or a 0-d array would be rounded to the precision of the scores.
    assert apply_thresholds(np.array([[score]]), float(just_above)).tolist() == [[0]]
    assert apply_thresholds(np.array([[score]]), np.array([just_above])).tolist() == [[0]]
    assert apply_thresholds(np.array([[0.1]]), np.array([score])).tolist() == [
        [int(float(score) <= 0.1)]
    ]


@pytest.mark.parametrize(
    ("y_score", "thresholds", "message"),
    [
        ([[0.1, 0.2]], [0.5], r"shape \(2,\) for y_score of shape \(1, 2\).*of shape \(1,\)"),
        ([[0.1, 0.2]], [0.5] * 3, r"shape \(2,\) for y_score of shape \(1, 2\).*of shape \(3,\)"),
        ([[0.1, 0.2]], [[0.5, 0.5]], r"of shape \(1, 2\)\.$"),
        ([[0.1, 0.2]], [0.5, math.nan], "must not be NaN"),
        ([[0.1, 0.2]], math.nan, "must not be NaN"),
        ([[0.1, 0.2]], None, "thresholds must be numbers. Received dtype object"),
        ([[0.1, 0.2]], ["0.5", "0.5"], "thresholds must be numbers"),
        ([0.1, 0.2], 0.5, r"must have shape \(n_samples, n_labels\)"),
        ([[0.1, math.nan]], 0.5, "must be finite"),
        ([[0.1, INF]], 0.5, "must be finite"),
    ],
)
def test_applying_invalid_thresholds_raises(y_score, thresholds, message):
    with pytest.raises(ValueError, match=message):
        apply_thresholds(y_score, thresholds)


def test_a_callable_criterion_need_not_be_hashable():
    class Accuracy:
        __hash__ = None

        def __call__(self, tp, fp, fn, tn):
            return tp + tn

    y_true, y_score = [[0], [1], [1]], [[0.25], [0.5], [0.75]]
    assert tune_thresholds(y_true, y_score, criterion=Accuracy()).tolist() == [0.375]
