"""Scores are in the order of the rows, from pixels and from stored features."""

import numpy as np
import pytest

from multimodal_ensemble import FeatureStore, MultimodalDataset, predict_scores
from multimodal_ensemble._graphs import predict_batch
from multimodal_ensemble.exceptions import ModalityError
from tests.toys import draw_pixels, make_network
from tests.training.conftest import Problem


@pytest.fixture(scope="module")
def training():
    """Return a model with its data sets, which no test changes."""
    problem = Problem()
    return problem.prepare(problem.poster(), problem.numbers(), fusion={"dropout": 0.4})


@pytest.fixture(scope="module")
def filled(training, tmp_path_factory):
    """Return a store with the features of all rows."""
    store = FeatureStore(tmp_path_factory.mktemp("filled") / "store", dtype="float32")
    Problem().datasets(*training.train.encoders, store=store)
    return store


@pytest.mark.parametrize("with_store", [False, True])
@pytest.mark.parametrize("batch_size", [1, 7, 64, 100])
def test_scores_are_in_the_order_of_the_rows(problem, training, filled, with_store, batch_size):
    encoders = training.train.encoders
    dataset = MultimodalDataset(
        problem.train,
        encoders,
        batch_size=batch_size,
        shuffle=True,
        store=filled if with_store else None,
        verbose=0,
    )
    dataset.on_epoch_end()
    inputs = {encoder.name: encoder.encode(problem.train[encoder.name]) for encoder in encoders}
    scores = predict_scores(training.model, dataset)
    assert scores.shape == (64, 3)
    assert scores.dtype == np.float32
    expected = np.asarray(training.model(inputs, training=False))
    np.testing.assert_allclose(scores, expected, rtol=1e-5)


@pytest.mark.slow
def test_batches_of_all_sizes_use_one_graph_and_cause_no_warnings(caplog):
    rows = draw_pixels(5, 8, 8, 3)
    # TensorFlow takes the predictions of all models for one function, which is traced often.
    with caplog.at_level("WARNING", logger="tensorflow"):
        for seed in range(6):
            model = make_network(seed)
            expected = np.concatenate([np.asarray(model(rows[:4])), np.asarray(model(rows[4:]))])
            found = [predict_batch(model, rows[:4]), predict_batch(model, rows[4:])]
            np.testing.assert_allclose(np.concatenate(found), expected, rtol=1e-5, atol=1e-5)
            assert model.predict_function.experimental_get_tracing_count() == 1
    assert not caplog.records


def test_prediction_does_not_change_the_order_of_training(training):
    before = training.train.peek(0).raw.index.tolist()
    predict_scores(training.model, training.train)
    assert training.train.peek(0).raw.index.tolist() == before


def test_scores_of_a_model_of_vectors_equal_those_of_keras(problem):
    training = problem.prepare(problem.numbers())
    expected = training.model.predict(training.validation, verbose=0)
    scores = predict_scores(training.model, training.validation)
    np.testing.assert_allclose(scores, expected, rtol=1e-5)


def test_other_modalities_are_named(problem, training):
    encoders = [problem.numbers(), problem.numbers("figures")]
    match = (
        r"takes the modalities \['numbers', 'poster'\], and the data set has "
        r"\['numbers', 'figures'\]. Absent: \['poster'\]. Unexpected: \['figures'\]"
    )
    with pytest.raises(ModalityError, match=match):
        predict_scores(training.model, MultimodalDataset(problem.train, encoders))


def test_features_from_before_the_backbone_was_unfrozen_are_refused(problem, store):
    training = problem.prepare(problem.poster())
    encoders = training.train.encoders
    _, validation = problem.datasets(*encoders, store=store)
    encoders[0].unfreeze(1)
    with pytest.raises(ModalityError, match="Make the data set again"):
        predict_scores(training.model, validation)


@pytest.mark.parametrize(("modality", "is_shown"), [("numbers", False), ("poster", True)])
def test_a_progress_bar_is_shown_if_images_are_read(problem, capsys, modality, is_shown):
    training = problem.prepare(getattr(problem, modality)())
    scores = predict_scores(training.model, training.validation)
    assert capsys.readouterr().out == ""
    shown = predict_scores(training.model, training.validation, verbose=1)
    np.testing.assert_array_equal(shown, scores)
    assert ("40/40" in capsys.readouterr().out) == is_shown
