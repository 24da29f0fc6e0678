"""Label weights in the loss, compared with explicit formulas and with scikit-learn."""

import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.utils.class_weight import compute_class_weight

from multimodal_ensemble import predict_scores
from multimodal_ensemble._label_names import values_by_label
from multimodal_ensemble.training import LabelWeightedCrossentropy, balanced_label_weights


def rare(problem):
    """Make the second label rare in the training rows, and independent of the inputs."""
    problem.y_train[:, 1] = np.arange(64) % 7 == 0
    return problem


def train(problem, **options):
    training = problem.prepare(problem.numbers())
    options = {"epochs": 4, "patience": None, "optimizer": keras.optimizers.SGD(0.5), **options}
    training.fit(evaluate_every=100, **options)
    return training.model, training.validation


@pytest.mark.parametrize("reduction", ["sum_over_batch_size", "sum", None])
def test_the_loss_is_the_weighted_mean_over_labels(reduction):
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 2, (7, 4)), rng.uniform(0.01, 0.99, (7, 4))
    positive, negative, rows = rng.uniform(0, 9, 4), rng.uniform(0, 9, 4), rng.uniform(0, 2, 7)
    each = -(positive * y * np.log(p) + negative * (1 - y) * np.log(1 - p))
    expected = each.mean(axis=1) * rows
    loss = LabelWeightedCrossentropy(positive, negative, reduction=reduction)
    computed = np.asarray(loss(y.astype("float32"), p.astype("float32"), rows.astype("float32")))
    joined = {"sum_over_batch_size": expected.mean(), "sum": expected.sum(), None: expected}
    np.testing.assert_allclose(computed, joined[reduction], rtol=1e-5)


def test_the_loss_survives_serialization():
    loss = LabelWeightedCrossentropy([1, 2.5], (0, 1), reduction="sum", name="mine")
    config = keras.losses.serialize(loss)
    assert config["registered_name"] == "multimodal_ensemble>LabelWeightedCrossentropy"
    again = keras.losses.deserialize(config)
    assert again.get_config() == loss.get_config()
    assert again.positive_weight == [1.0, 2.5]
    assert again.negative_weight == [0.0, 1.0]
    assert (again.reduction, again.name, again.dtype) == ("sum", "mine", "float32")


@pytest.mark.parametrize(
    ("positive", "negative", "match"),
    [
        ([1.0], [1.0, 2.0], "one weight per label. Received 1 and 2 weights"),
        ([-1.0], [1.0], r"positive_weight must be finite and not negative. Received \[-1.0\]"),
        ([1.0], [np.nan], "negative_weight must be finite and not negative"),
        ([[1.0]], [1.0], r"positive_weight must be numbers of shape \(n_labels,\). Received float"),
        (["a"], [1.0], "positive_weight must be numbers"),
        ([], [], "positive_weight must be numbers"),
    ],
)
def test_invalid_weights_are_refused(positive, negative, match):
    with pytest.raises(ValueError, match=match):
        LabelWeightedCrossentropy(positive, negative)


def test_balanced_weights_equal_those_of_scikit_learn():
    y = np.random.default_rng(1).random((50, 5)) < [0.02, 0.1, 0.5, 0.7, 0.98]
    y[0] = [1, 1, 0, 0, 0]
    positive, negative = balanced_label_weights(y)
    for column in range(5):
        expected = compute_class_weight("balanced", classes=np.array([0, 1]), y=y[:, column])
        np.testing.assert_allclose([negative[column], positive[column]], expected)
    n_positive = y.sum(axis=0)
    np.testing.assert_allclose(positive * n_positive, negative * (50 - n_positive))


def test_a_label_of_one_class_has_weight_one():
    positive, negative = balanced_label_weights([[1, 0, 1], [1, 0, 0]])
    assert positive.tolist() == negative.tolist() == [1, 1, 1]


def test_balanced_weights_require_multi_hot_labels():
    with pytest.raises(ValueError, match="y must be a multi-hot matrix"):
        balanced_label_weights([0, 1])


@pytest.mark.slow
def test_weights_of_one_do_not_change_a_training(problem):
    plain, *weighted = (
        train(problem, label_weight=weight)[0].get_weights()
        for weight in (None, [1, 1, 1], {"third": 1})
    )
    for weights in weighted:
        for one, other in zip(weights, plain, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)


def test_balanced_weights_raise_the_scores_of_a_rare_label(problem):
    rare(problem)
    plain, balanced = (
        predict_scores(*train(problem, epochs=8, label_weight=weight)).mean(axis=0)
        for weight in (None, "balanced")
    )
    assert plain[1] < 0.25
    assert balanced[1] > plain[1] + 0.15


def test_balanced_weights_come_from_the_training_rows(problem, spy):
    rare(problem)
    training = problem.prepare(problem.numbers(), sample_weight=np.linspace(0, 1, 64))
    model, seen = training.model, []
    training.fit(
        epochs=1, label_weight="balanced", callbacks=[spy(lambda step: seen.append(model.loss))]
    )
    positive, negative = balanced_label_weights(problem.y_train)
    assert seen[0].positive_weight == positive.tolist()
    assert seen[0].negative_weight == negative.tolist()
    # A saved model must load where the loss has not been imported.
    assert model.get_compile_config()["loss"] == "binary_crossentropy"


@pytest.mark.parametrize(
    ("labels", "index"), [([1, 2, 3], range(3, 0, -1)), (["1", "2", "3"], [3, 2, 1])]
)
def test_a_series_is_matched_by_labels_as_strings(labels, index):
    weights = pd.Series([3.0, 2.0, 1.0], index=index)
    assert values_by_label(weights, labels) == {"1": 1.0, "2": 2.0, "3": 3.0}
    assert values_by_label(pd.Series([1.0, 2.0]), ["a", "b"]).tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"label_weight": "even"}, "must be 'balanced', one weight per label, or a mapping"),
        ({"label_weight": [1, 2]}, r"must have shape \(3,\), one weight per label. Received shape"),
        ({"label_weight": [1, 2, -3]}, "label_weight must be finite and not negative"),
        ({"label_weight": {"second": "x"}}, "label_weight must be numbers of shape"),
        (
            {"label_weight": {"first": 1, "fourth": 2}},
            r"names \['fourth'\], which are not labels .* have \['first', 'second', 'third'\]",
        ),
        (
            {"label_weight": "balanced", "loss": "mse"},
            r"requires loss='binary_crossentropy'\. Received loss='mse'",
        ),
    ],
)
def test_weights_that_do_not_fit_the_labels_or_the_loss_are_refused(problem, options, match):
    with pytest.raises(ValueError, match=match):
        train(problem, **options)
