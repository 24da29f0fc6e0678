"""Training learns, keeps the best weights, trains the right layers, and is repeatable."""

import random

import keras
import numpy as np
import pandas as pd
import pytest

from multimodal_ensemble import (
    MultimodalDataset,
    fuse_models,
    load_model,
    predict_scores,
)
from multimodal_ensemble.training import _fit_model
from tests.toys import ArrayEncoder
from tests.training.conftest import Training


def changed(model, before):
    """Return the paths of the weights that changed."""
    return [
        weight.path
        for weight, old in zip(model.weights, before, strict=True)
        if not np.array_equal(weight.numpy(), old)
    ]


def assert_same_weights(weights, expected):
    for weight, other in zip(weights, expected, strict=True):
        np.testing.assert_array_equal(weight, other)


def without_time(history):
    return history.drop(columns="seconds")


def test_training_learns(training):
    before = training.score()
    result = training.fit(
        epochs=15, optimizer=keras.optimizers.Adam(0.03), evaluate_every=30, loss_window=30
    )
    assert before < 0.75
    assert result.best_roc_auc > 0.93
    assert result.history["loss"].iloc[-1] < 0.6 * result.history["loss"].iloc[0]
    assert result.n_trainable == (4 * 6 + 6) + (6 * 3 + 3)
    assert result.seconds >= result.history["seconds"].iloc[-1] > 0


def test_the_model_has_the_best_weights_after_training(training, spy):
    copies = {}

    def spoil(step):
        copies[step] = training.model.get_weights()
        if step == 30:
            scores = training.model.get_layer("scores")
            scores.set_weights([-weight for weight in scores.get_weights()])

    result = training.fit(
        epochs=5,
        optimizer=keras.optimizers.Adam(0.03),
        evaluate_every=5,
        patience=None,
        callbacks=[spy(spoil)],
    )
    roc_auc = result.history["mean_roc_auc"]
    best = roc_auc.idxmax()
    assert result.history["step"][best] == result.best_step <= 30
    assert result.best_step < result.history["step"].iloc[-1]
    assert roc_auc[best] == result.best_roc_auc == training.score()
    is_best = roc_auc > roc_auc.cummax().shift(fill_value=-1)
    assert result.history["best"].tolist() == is_best.tolist()
    assert_same_weights(training.model.get_weights(), copies[result.best_step])


def test_training_stops_after_patience_evaluations_without_a_better_one(training):
    optimizer = keras.optimizers.Adam(0.1)
    result = training.fit(epochs=50, optimizer=optimizer, evaluate_every=3, patience=4)
    history = result.history
    assert len(history) < 50 * len(training.train) // 3
    assert history["best"].tolist()[-5:] == [True, False, False, False, False]
    assert result.best_step == history["step"].iloc[-5]


def test_training_does_not_stop_before_it_has_learned_and_its_end_is_evaluated(training):
    epochs = []
    # A single callback needs no list.
    callback = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: epochs.append(epoch))
    result = training.fit(
        epochs=3,
        optimizer=keras.optimizers.SGD(0.0),
        evaluate_every=10,
        patience=1,
        callbacks=callback,
    )
    assert result.history["best"].tolist() == [True, False, False]
    assert result.history["step"].tolist() == [10, 20, 24]
    assert result.history["epoch"].tolist() == [2, 3, 3]
    assert epochs == [0, 1, 2]


@pytest.mark.parametrize(("epochs", "interval"), [(1, 1), (2, 1), (3, 2), (5, 4), (1000, 150)])
def test_by_default_a_short_training_is_evaluated_about_ten_times(
    training, monkeypatch, epochs, interval
):
    intervals = []

    def run_no_epoch(model, train, callbacks, **options):
        intervals.append(callbacks[0].evaluate_every)

    monkeypatch.setattr(_fit_model, "run_epochs", run_no_epoch)
    training.fit(epochs=epochs)
    assert intervals == [interval]


def run_with_seed(problem, seed):
    numbers = problem.numbers(dropout=0.3, input_dropout=0.1)
    poster = problem.poster(dropout=0.2, scaling="standard")
    training = problem.prepare(numbers, poster, seed=seed, fusion={"dropout": 0.2, "seed": seed})
    result = training.fit(epochs=3, evaluate_every=4)
    return without_time(result.history), training.model.get_weights(), result.best_step


@pytest.mark.slow
def test_a_seed_repeats_a_training_whatever_the_global_generators_do(problem):
    history, weights, best_step = run_with_seed(problem, 1)
    random.seed(99)
    np.random.seed(99)
    keras.random.uniform((3,))
    keras.layers.Dense(2).build((None, 2))
    repeated, same_weights, same_step = run_with_seed(problem, 1)
    pd.testing.assert_frame_equal(repeated, history, check_exact=True)
    assert same_step == best_step
    assert_same_weights(same_weights, weights)
    other_history, _, _ = run_with_seed(problem, 2)
    assert not other_history["loss"].equals(history["loss"])


@pytest.mark.slow
def test_training_on_stored_features_equals_training_the_whole_model(problem, store):
    encoders = problem.poster(scaling="standard"), problem.numbers()
    plain = problem.prepare(*encoders)
    expected = plain.fit(epochs=3, evaluate_every=6, optimizer="adam")
    encoders = problem.poster(scaling="standard"), problem.numbers()
    cached = problem.prepare(*encoders, store=store)
    result = cached.fit(epochs=3, evaluate_every=6, optimizer="adam")
    assert (list(plain.train.features), list(cached.train.features)) == ([], ["poster"])
    pd.testing.assert_frame_equal(
        without_time(result.history), without_time(expected.history), rtol=1e-4
    )
    assert result.n_trainable == expected.n_trainable
    for one, other in zip(plain.model.weights, cached.model.weights, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-3, atol=1e-4)
    images = Training(cached.model, *problem.datasets(*encoders))
    assert images.validation.features == {}
    np.testing.assert_allclose(
        predict_scores(cached.model, images.validation),
        predict_scores(cached.model, cached.validation),
        rtol=1e-5,
    )
    assert images.score() == pytest.approx(result.best_roc_auc)


def check_scaling(problem, training):
    """Check that the head of the posters has adapted to all training rows; return its layer."""
    (poster,) = training.train.encoders
    features = np.asarray(poster.get_backbone()(poster.encode(problem.train["poster"])))
    scaling = training.model.get_layer("poster_head").get_layer("scaling")
    np.testing.assert_allclose(scaling.mean.numpy(), features.mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(scaling.scale.numpy(), features.std(axis=0), rtol=1e-3)
    return scaling


def test_heads_adapt_to_the_stored_features_of_the_training_rows_only_once(problem, store):
    poster = problem.poster(scaling="standard")
    training = problem.prepare(poster, store=store)
    training.fit(epochs=1)
    scaling = check_scaling(problem, training)
    before = scaling.get_weights()
    training.train = MultimodalDataset(
        {"poster": problem.train["poster"][:10]}, [poster], problem.y_train[:10], store=store
    )
    training.fit(epochs=1)
    assert_same_weights(scaling.get_weights(), before)


def test_a_head_adapts_to_a_frozen_backbone_that_does_not_change(problem):
    training = problem.prepare(problem.poster(scaling="standard"))
    before = training.model.get_weights()
    training.fit(epochs=1)
    paths = changed(training.model, before)
    assert {"scores/kernel", "scores/bias"} <= set(paths)
    assert not [path for path in paths if "conv2d" in path]
    check_scaling(problem, training)


def test_an_unfrozen_backbone_is_trained_from_pixels(problem, store):
    poster = problem.poster().unfreeze()
    training = problem.prepare(poster, store=store)
    assert training.train.features == {}
    before = poster.get_backbone().get_weights()
    result = training.fit(epochs=1)
    assert len(changed(poster.get_backbone(), before)) == 2
    assert result.n_trainable == (27 * 6 + 6) + (6 * 5 + 5) + (5 * 3 + 3)
    assert training.score() == pytest.approx(result.best_roc_auc)


@pytest.mark.slow
def test_a_fusion_of_trained_models_is_trained(problem, store):
    encoders = problem.poster(), problem.numbers()
    parts = []
    for encoder in encoders:
        part = problem.prepare(encoder, store=store)
        part.fit(epochs=2)
        parts.append(part.model)
    kept = [part.get_weights() for part in parts]
    for freeze in (False, True):
        fused = fuse_models(parts, n_labels=3, freeze=freeze, seed=1)
        before = fused.get_weights()
        result = Training(fused, *problem.datasets(*encoders, store=store)).fit(epochs=5)
        assert result.best_roc_auc > 0.5
        assert (set(changed(fused, before)) == {"scores/kernel", "scores/bias"}) == freeze
        for part, old in zip(parts, kept, strict=True):
            assert not changed(part, old)


class NormalizingEncoder(ArrayEncoder):
    """A third party's encoder with Keras's own normalization in its head."""

    input_shape = (4,)

    def build_head(self):
        return keras.Sequential([keras.layers.Normalization(), keras.layers.Dense(3)])


def test_a_normalization_layer_of_keras_is_adapted_before_training(problem):
    training = problem.prepare(NormalizingEncoder("numbers"))
    model, validation = training.model, training.validation
    model.predict(validation, verbose=0)
    result = training.fit(epochs=2, evaluate_every=4)
    expected = np.stack(problem.train["numbers"]).mean(axis=0)
    normalization = model.get_layer("numbers_head").layers[0]
    np.testing.assert_allclose(np.ravel(normalization.mean), expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(
        model.predict(validation, verbose=0), predict_scores(model, validation), rtol=1e-5
    )
    assert training.score() == result.best_roc_auc


class MovingHeadEncoder(NormalizingEncoder):
    """A third party's encoder whose head has moving statistics and nothing to train."""

    def build_head(self):
        return keras.layers.BatchNormalization(center=False, scale=False, momentum=0.5)


def test_moving_statistics_are_restored_with_the_best_weights(problem, spy):
    training = problem.prepare(MovingHeadEncoder("numbers"))
    copies = {}
    result = training.fit(
        epochs=2,
        optimizer=keras.optimizers.SGD(0.1),
        evaluate_every=2,
        callbacks=[spy(lambda step: copies.update({step: training.model.get_weights()}))],
    )
    assert_same_weights(training.model.get_weights(), copies[result.best_step])


def test_rows_of_weight_zero_are_not_learned(training, problem):
    opposite = 1 - problem.y_train
    training.train = MultimodalDataset(
        {"numbers": problem.train["numbers"] * 2},
        training.train.encoders,
        np.concatenate([problem.y_train, opposite]),
        batch_size=16,
        shuffle=True,
        sample_weight=np.repeat([1.0, 0.0], len(opposite)),
    )
    training.fit(epochs=6, optimizer=keras.optimizers.Adam(0.05))
    assert training.score() > 0.9


def test_workers_do_not_change_a_training(problem, training):
    expected = training.fit(epochs=2, evaluate_every=4)
    result = problem.prepare(problem.numbers(), workers=2).fit(epochs=2, evaluate_every=4)
    pd.testing.assert_frame_equal(without_time(result.history), without_time(expected.history))


def test_an_interrupted_training_keeps_the_best_weights(training, spy):
    model, copies = training.model, {}

    def interrupt(step):
        copies[step] = model.get_weights()
        if step == 7:
            model.set_weights([-weight for weight in model.get_weights()])
        if step == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        training.fit(epochs=5, evaluate_every=6, callbacks=[spy(interrupt)])
    assert_same_weights(model.get_weights(), copies[6])


def test_divergence_is_an_error_that_keeps_the_best_weights(training, spy):
    def diverge(step):
        if step == 5:
            training.model.set_weights([w * np.nan for w in training.model.get_weights()])

    with pytest.raises(FloatingPointError, match="diverged: after 8 batches the scores are not"):
        training.fit(epochs=5, evaluate_every=4, callbacks=[spy(diverge)])
    assert np.isfinite(predict_scores(training.model, training.validation)).all()


def test_a_loss_of_nan_is_found_at_the_end_at_the_latest(training):
    with pytest.raises(FloatingPointError, match="Training diverged: after 8 batches"):
        training.fit(epochs=1, evaluate_every=100, loss=lambda y, p: keras.ops.mean(p) * np.nan)


@pytest.mark.slow
def test_a_loaded_model_takes_stored_features(problem, store, tmp_path):
    training = problem.prepare(problem.poster(), store=store)
    training.fit(epochs=1)
    training.model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        predict_scores(load_model(tmp_path / "model.keras"), training.validation),
        predict_scores(training.model, training.validation),
    )


@pytest.mark.slow
def test_averaged_weights_of_an_optimizer_are_written_into_the_model(problem):
    def train(use_ema):
        optimizer = keras.optimizers.Adam(0.01, use_ema=use_ema, ema_momentum=0.9)
        training = problem.prepare(problem.numbers())
        training.fit(epochs=2, optimizer=optimizer, evaluate_every=1000, patience=None)
        return predict_scores(training.model, training.validation)

    assert not np.allclose(train(use_ema=False), train(use_ema=True))
