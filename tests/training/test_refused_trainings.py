"""Trainings that cannot work are refused before the model changes."""

import keras
import numpy as np
import pandas as pd
import pytest

from multimodal_ensemble import MultimodalDataset, fit_model, load_model, predict_scores
from multimodal_ensemble.exceptions import ModalityError
from tests.training.conftest import Training


def check_refused(training, error, match, **options):
    before = training.model.get_weights()
    with pytest.raises(error, match=match):
        training.fit(**options)
    for weight, old in zip(training.model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)


def test_an_absent_modality_is_named(problem):
    poster, numbers = problem.poster(), problem.numbers()
    training = problem.prepare(poster, numbers)
    complete = training.train, training.validation
    lacking = problem.datasets(numbers)
    match = r"has \['numbers'\]. Absent: \['poster'\]. Unexpected: \[\]"
    for pair in ((lacking[0], complete[1]), (complete[0], lacking[1])):
        check_refused(Training(training.model, *pair), ModalityError, match)


def test_an_extra_modality_is_named(problem, training):
    pair = problem.datasets(problem.poster(), problem.numbers())
    match = r"Absent: \[\]. Unexpected: \['poster'\]"
    check_refused(Training(training.model, *pair), ModalityError, match)


def test_an_encoder_that_was_fitted_again_is_refused(training):
    (numbers,) = training.train.encoders
    numbers.fit([1, 2])
    dataset = MultimodalDataset({"numbers": [1, 2]}, [numbers], np.eye(3)[:2])
    match = r"takes rows of shape \(4,\) as 'numbers', and the data set's encoder returns \(1,\)"
    check_refused(Training(training.model, dataset, dataset), ModalityError, match)


def test_features_in_only_one_data_set_are_refused(problem, store):
    poster = problem.poster()
    training = problem.prepare(poster, store=store)
    training.validation = problem.datasets(poster)[1]
    match = r"features of the same modalities. Received \['poster'\] and \[\]"
    check_refused(training, ModalityError, match)


def test_features_from_before_the_backbone_was_unfrozen_are_refused(problem, store):
    training = problem.prepare(problem.poster(), store=store)
    training.train.encoders[0].unfreeze(1)
    match = "backbone of 'poster' was unfrozen after the data set took its features"
    check_refused(training, ModalityError, match)


def test_features_of_another_backbone_are_refused(problem, store):
    other = problem.poster()
    kernel = other.get_backbone().weights[0]
    kernel.assign(kernel.numpy() + 1)
    training = problem.prepare(problem.poster())
    training.train, training.validation = problem.datasets(other, store=store)
    check_refused(training, ModalityError, "features of another backbone for 'poster'")


@pytest.mark.slow
def test_a_loaded_model_of_an_encoder_unfrozen_since_is_refused(problem, tmp_path):
    poster = problem.poster()
    problem.prepare(poster).model.save(tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras")
    poster.unfreeze(1)
    training = Training(loaded, *problem.datasets(poster))
    check_refused(training, ModalityError, "a frozen backbone of its own, as loaded models do")
    # The fix that the message suggests works.
    fixed = problem.prepare(poster)
    fixed.model.set_weights(loaded.get_weights())
    fixed.fit(epochs=1)


def test_another_number_of_labels_is_refused(problem):
    training = problem.prepare(problem.numbers(), n_labels=2)
    match = "predicts 2 labels, and the training rows have 3. Build the model with n_labels=3"
    check_refused(training, ValueError, match)


@pytest.mark.parametrize("what", ["training", "validation"])
def test_rows_without_labels_are_refused(problem, training, what):
    without = MultimodalDataset(problem.train, training.train.encoders)
    setattr(training, "train" if what == "training" else what, without)
    check_refused(training, ValueError, f"The {what} rows have no labels")


def test_labels_in_another_order_are_refused(training):
    training.validation.labels = training.validation.labels[::-1]
    check_refused(training, ValueError, "the same labels in the same order")


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"epochs": 0}, "epochs must be a whole number of at least 1"),
        ({"evaluate_every": 0}, "evaluate_every must be a whole number of at least 1"),
        ({"loss_window": 0}, "loss_window must be a whole number of at least 1"),
        ({"patience": 0}, "patience must be a whole number of at least 1"),
        ({"verbose": 3}, r"verbose must be one of 0, 1, 2\. Received verbose=3"),
    ],
)
def test_options_out_of_range_are_refused(training, options, match):
    check_refused(training, ValueError, match, **options)


def test_other_objects_are_refused_as_callbacks(training):
    check_refused(training, TypeError, r"Callback\. Received 'early'", callbacks=["early"])


def test_categorical_cross_entropy_requires_exactly_one_label_per_row(training):
    for loss in ("categorical_crossentropy", keras.losses.CategoricalCrossentropy()):
        check_refused(training, ValueError, "Use loss='binary_crossentropy'", loss=loss)
    y = training.train.y
    training.train.y = np.eye(3, dtype=bool)[np.arange(len(y)) % 3]
    training.fit(loss=loss, epochs=1)


def test_a_table_is_refused_as_a_data_set(problem, training):
    table = pd.DataFrame({"numbers": problem.train["numbers"]})
    with pytest.raises(TypeError, match="Received a DataFrame; convert it with MultimodalDataset"):
        fit_model(training.model, table, table)
    with pytest.raises(TypeError, match="Received a DataFrame; convert it with MultimodalDataset"):
        predict_scores(training.model, table)
