"""Weights of labels in the loss, against formulas written out and against scikit-learn."""

import keras
import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from multimodal_ensemble import (
    LabelWeightedCrossentropy,
    balanced_label_weights,
    fit_model,
    fuse_encoders,
    predict_scores,
)


def rare(problem):
    """Make the second label rare among the training rows, and nothing that can be learned."""
    problem.y_train[:, 1] = np.arange(60) % 7 == 0
    return problem


def train(problem, **options):
    numbers = problem.numbers()
    model = fuse_encoders([numbers], n_labels=3, seed=1)
    datasets = problem.datasets(numbers)
    optimizer = keras.optimizers.SGD(0.5)
    options = {"epochs": 4, "patience": None, **options}
    fit_model(model, *datasets, optimizer=optimizer, evaluate_every=100, verbose=0, **options)
    return model, datasets[1]


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


def test_the_loss_survives_its_config():
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
        ([1.0], [1.0, 2.0], "one weight a label. Received 1 and 2 weights"),
        ([-1.0], [1.0], r"positive_weight must be finite and not negative. Received \[-1.0\]"),
        ([1.0], [np.nan], "negative_weight must be finite and not negative"),
        ([[1.0]], [1.0], r"positive_weight must be numbers of shape \(n_labels,\). Received float"),
        (["a"], [1.0], "positive_weight must be numbers"),
        ([], [], "positive_weight must be numbers"),
    ],
)
def test_weights_that_are_none_are_refused(positive, negative, match):
    with pytest.raises(ValueError, match=match):
        LabelWeightedCrossentropy(positive, negative)


def test_balanced_weights_are_those_of_scikit_learn():
    y = np.random.default_rng(1).random((50, 5)) < [0.02, 0.1, 0.5, 0.7, 0.98]
    y[0] = [1, 1, 0, 0, 0]
    positive, negative = balanced_label_weights(y)
    for column in range(5):
        expected = compute_class_weight("balanced", classes=np.array([0, 1]), y=y[:, column])
        np.testing.assert_allclose([negative[column], positive[column]], expected)
    n_positive = y.sum(axis=0)
    np.testing.assert_allclose(positive * n_positive, negative * (50 - n_positive))


def test_a_label_of_one_class_weighs_one():
    positive, negative = balanced_label_weights([[1, 0, 1], [1, 0, 0]])
    assert positive.tolist() == negative.tolist() == [1, 1, 1]


def test_balanced_weights_are_for_multi_hot_labels():
    with pytest.raises(ValueError, match="y must be a multi-hot matrix"):
        balanced_label_weights([0, 1])


def test_with_weights_of_one_training_is_as_without(problem):
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


def test_balanced_weights_are_counted_from_the_training_rows(problem, spy):
    rare(problem)
    numbers = problem.numbers()
    model = fuse_encoders([numbers], n_labels=3, seed=1)
    seen = []
    fit_model(
        model,
        *problem.datasets(numbers, sample_weight=np.linspace(0, 1, 60)),
        epochs=1,
        optimizer="sgd",
        label_weight="balanced",
        callbacks=[spy(lambda step: seen.append(model.loss))],
        verbose=0,
    )
    positive, negative = balanced_label_weights(problem.y_train)
    assert seen[0].positive_weight == positive.tolist()
    assert seen[0].negative_weight == negative.tolist()
    # So that a saved model loads where the loss has not been imported.
    assert model.get_compile_config()["loss"] == "binary_crossentropy"


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"label_weight": "even"}, "must be 'balanced', one weight a label, or a mapping"),
        ({"label_weight": [1, 2]}, r"must have shape \(3,\), one weight a label. Received shape"),
        ({"label_weight": [1, 2, -3]}, "label_weight must be finite and not negative"),
        ({"label_weight": {"second": "x"}}, "label_weight must be numbers of shape"),
        (
            {"label_weight": {"first": 1, "fourth": 2}},
            r"names \['fourth'\], which are no labels .* have \['first', 'second', 'third'\]",
        ),
        (
            {"label_weight": "balanced", "loss": "mse"},
            r"goes only with loss='binary_crossentropy'\. Received loss='mse'",
        ),
        (
            {"class_weight": {0: 1.0, 1: 2.0}},
            r"argmax of a multi-hot row .* Received {0: 1\.0, 1: 2\.0}\. Use label_weight, which",
        ),
    ],
)
def test_weights_that_do_not_fit_are_refused(problem, options, match):
    with pytest.raises(ValueError, match=match):
        train(problem, **options)
