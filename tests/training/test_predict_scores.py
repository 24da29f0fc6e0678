"""Scores come in the order of the rows, from pixels or from stored features."""

import numpy as np
import pytest

from multimodal_ensemble import (
    FeatureStore,
    MultimodalDataset,
    fuse_encoders,
    predict_scores,
)
from multimodal_ensemble.exceptions import ModalityError


@pytest.fixture
def encoders(problem):
    return problem.poster(), problem.numbers()


@pytest.fixture
def model(encoders):
    return fuse_encoders(encoders, n_labels=3, dropout=0.4, seed=1)


@pytest.mark.parametrize("with_store", [False, True])
@pytest.mark.parametrize("batch_size", [1, 7, 60, 100])
def test_scores_are_in_the_order_of_the_rows(
    problem, encoders, model, tmp_path, with_store, batch_size
):
    store = FeatureStore(tmp_path / "store", dtype="float32") if with_store else None
    dataset = MultimodalDataset(
        problem.train, encoders, batch_size=batch_size, shuffle=True, store=store, verbose=0
    )
    dataset.on_epoch_end()
    inputs = {encoder.name: encoder.encode(problem.train[encoder.name]) for encoder in encoders}
    scores = predict_scores(model, dataset)
    assert scores.shape == (60, 3)
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, np.asarray(model(inputs, training=False)), rtol=1e-5)


def test_predicting_does_not_change_the_order_of_training(problem, encoders, model):
    train, _ = problem.datasets(*encoders)
    before = train.peek(0).raw.index.tolist()
    predict_scores(model, train)
    assert train.peek(0).raw.index.tolist() == before


def test_a_model_of_vectors_alone(problem):
    numbers = problem.numbers()
    model = fuse_encoders([numbers], n_labels=3, seed=1)
    _, validation = problem.datasets(numbers)
    expected = model.predict(validation, verbose=0)
    np.testing.assert_allclose(predict_scores(model, validation), expected, rtol=1e-5)


def test_wrong_modalities_are_named(problem, encoders, model):
    numbers = problem.numbers()
    other = problem.numbers(column="numbers")
    other.name = "figures"
    dataset = MultimodalDataset(problem.train, [numbers, other])
    match = (
        r"takes the modalities \['numbers', 'poster'\], and the data set gives "
        r"\['numbers', 'figures'\]. Missing: \['poster'\]. Not taken: \['figures'\]"
    )
    with pytest.raises(ModalityError, match=match):
        predict_scores(model, dataset)


def test_features_from_before_the_backbone_was_unfrozen_are_refused(
    problem, encoders, model, tmp_path
):
    _, validation = problem.datasets(
        *encoders, store=FeatureStore(tmp_path / "store", dtype="float32")
    )
    encoders[0].unfreeze(1)
    with pytest.raises(ModalityError, match="Make the data set anew"):
        predict_scores(model, validation)


def test_progress_is_shown_where_images_are_read(problem, capsys):
    numbers, poster = problem.numbers(), problem.poster()
    for encoder, is_shown in ((numbers, False), (poster, True)):
        _, rows = problem.datasets(encoder)
        model = fuse_encoders([encoder], 3, seed=1)
        quiet = predict_scores(model, rows)
        assert capsys.readouterr().out == ""
        np.testing.assert_array_equal(predict_scores(model, rows, verbose=1), quiet)
        assert ("40/40" in capsys.readouterr().out) == is_shown
