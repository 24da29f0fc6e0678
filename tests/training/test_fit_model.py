"""A training learns, keeps the best weights, trains what it should, and repeats exactly."""

import random

import keras
import numpy as np
import pandas as pd
import pytest

from multimodal_ensemble import (
    Encoder,
    FeatureStore,
    MultimodalDataset,
    fit_model,
    fuse_encoders,
    fuse_models,
    load_model,
    mean_roc_auc,
    predict_scores,
)
from multimodal_ensemble.exceptions import ModalityError


def score(model, validation):
    return mean_roc_auc(validation.y, predict_scores(model, validation))


def changed(model, before):
    """Return the paths of the weights that changed."""
    return [
        weight.path
        for weight, old in zip(model.weights, before, strict=True)
        if not np.array_equal(weight.numpy(), old)
    ]


def without_time(history):
    return history.drop(columns="seconds")


def test_training_learns(problem):
    numbers = problem.numbers()
    train, validation = problem.datasets(numbers)
    model = fuse_encoders([numbers], n_labels=3, seed=1)
    before = score(model, validation)
    result = fit_model(
        model,
        train,
        validation,
        epochs=15,
        optimizer=keras.optimizers.Adam(0.03),
        evaluate_every=30,
        loss_window=30,
        verbose=0,
    )
    assert before < 0.75
    assert result.best_roc_auc > 0.93
    assert result.history["loss"].iloc[-1] < 0.6 * result.history["loss"].iloc[0]
    assert result.n_trainable == (4 * 6 + 6) + (6 * 3 + 3)
    assert result.seconds >= result.history["seconds"].iloc[-1] > 0


def test_the_model_is_left_with_the_best_weights(problem, spy):
    numbers = problem.numbers()
    train, validation = problem.datasets(numbers)
    model = fuse_encoders([numbers], n_labels=3, seed=1)
    copies = {}

    def spoil(step):
        copies[step] = model.get_weights()
        if step == 30:
            scores = model.get_layer("scores")
            scores.set_weights([-weight for weight in scores.get_weights()])

    result = fit_model(
        model,
        train,
        validation,
        epochs=5,
        optimizer=keras.optimizers.Adam(0.03),
        evaluate_every=5,
        patience=None,
        callbacks=[spy(spoil)],
        verbose=0,
    )
    history = result.history
    best = history["mean_roc_auc"].idxmax()
    assert history["step"][best] == result.best_step <= 30 < history["step"].iloc[-1]
    assert history["mean_roc_auc"][best] == result.best_roc_auc
    assert (
        history["best"].tolist()
        == (
            history["mean_roc_auc"] > history["mean_roc_auc"].cummax().shift(fill_value=-1)
        ).tolist()
    )
    for weight, expected in zip(model.get_weights(), copies[result.best_step], strict=True):
        np.testing.assert_array_equal(weight, expected)
    assert score(model, validation) == result.best_roc_auc


def test_it_stops_after_so_many_scorings_without_a_better_one(problem):
    numbers = problem.numbers()
    train, validation = problem.datasets(numbers)
    model = fuse_encoders([numbers], n_labels=3, seed=1)
    result = fit_model(
        model,
        train,
        validation,
        epochs=50,
        optimizer=keras.optimizers.SGD(0.0),
        evaluate_every=3,
        patience=4,
        verbose=0,
    )
    assert result.history["step"].tolist() == [3, 6, 9, 12, 15]
    assert result.history["best"].tolist() == [True, False, False, False, False]
    assert result.best_step == 3


def test_without_patience_it_goes_on_and_the_end_is_scored(problem):
    numbers = problem.numbers()
    train, validation = problem.datasets(numbers)
    model = fuse_encoders([numbers], n_labels=3, seed=1)
    result = fit_model(
        model,
        train,
        validation,
        epochs=3,
        optimizer=keras.optimizers.SGD(0.0),
        evaluate_every=10,
        patience=None,
        verbose=0,
    )
    assert result.history["step"].tolist() == [10, 20, 24]
    assert result.history["epoch"].tolist() == [2, 3, 3]
    only_the_end = fit_model(model, train, validation, epochs=1, verbose=0)
    assert only_the_end.history["step"].tolist() == [8]


def run(problem, seed, make_noise):
    make_noise()
    numbers = problem.numbers(head__dropout=0.3, head__input_dropout=0.1)
    poster = problem.poster(head__dropout=0.2, head__scaling="standard")
    train, validation = problem.datasets(numbers, poster, seed=seed)
    model = fuse_encoders([numbers, poster], n_labels=3, dropout=0.2, seed=seed)
    result = fit_model(
        model, train, validation, epochs=3, evaluate_every=4, optimizer="sgd", verbose=0
    )
    return without_time(result.history), model.get_weights(), result.best_step


def other_noise():
    random.seed(99)
    np.random.seed(99)
    keras.random.uniform((3,))
    keras.layers.Dense(2).build((None, 2))


@pytest.mark.slow
def test_a_seed_repeats_a_training_whatever_the_global_generators_do(problem):
    history, weights, best_step = run(problem, 1, lambda: None)
    again, same_weights, same_step = run(problem, 1, other_noise)
    pd.testing.assert_frame_equal(again, history, check_exact=True)
    assert same_step == best_step
    for one, other in zip(weights, same_weights, strict=True):
        np.testing.assert_array_equal(one, other)
    other_history, _, _ = run(problem, 2, lambda: None)
    assert not other_history["loss"].equals(history["loss"])


@pytest.mark.slow
def test_training_on_stored_features_is_training_the_whole_model(problem, tmp_path):
    results, models = [], []
    for store in (None, FeatureStore(tmp_path / "store", dtype="float32")):
        encoders = problem.poster(head__scaling="standard"), problem.numbers()
        train, validation = problem.datasets(*encoders, store=store)
        assert list(train.features) == ([] if store is None else ["poster"])
        model = fuse_encoders(encoders, n_labels=3, seed=1)
        results.append(fit_model(model, train, validation, epochs=3, evaluate_every=6, verbose=0))
        models.append(model)
    plain, cached = results
    pd.testing.assert_frame_equal(
        without_time(cached.history), without_time(plain.history), rtol=1e-4
    )
    assert cached.n_trainable == plain.n_trainable
    for one, other in zip(models[0].weights, models[1].weights, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-3, atol=1e-4)
    _, images = problem.datasets(*encoders)
    assert images.features == {}
    np.testing.assert_allclose(
        predict_scores(models[1], images), predict_scores(models[1], validation), rtol=1e-5
    )
    assert score(models[1], images) == pytest.approx(cached.best_roc_auc)


@pytest.mark.parametrize("with_store", [False, True])
def test_heads_are_adapted_to_the_features_of_the_training_rows(problem, tmp_path, with_store):
    poster = problem.poster(head__scaling="standard")
    store = FeatureStore(tmp_path / "store", dtype="float32") if with_store else None
    train, validation = problem.datasets(poster, store=store)
    model = fuse_encoders([poster], n_labels=3, seed=1)
    fit_model(model, train, validation, epochs=1, optimizer="sgd", verbose=0)
    features = np.asarray(poster.get_backbone()(poster.encode(problem.train["poster"])))
    scaling = model.get_layer("poster_head").get_layer("scaling")
    np.testing.assert_allclose(scaling.mean.numpy(), features.mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(scaling.scale.numpy(), features.std(axis=0), rtol=1e-3)


def test_a_frozen_backbone_does_not_change(problem):
    poster = problem.poster()
    train, validation = problem.datasets(poster)
    model = fuse_encoders([poster], n_labels=3, seed=1)
    before = model.get_weights()
    fit_model(model, train, validation, epochs=1, optimizer="sgd", verbose=0)
    paths = changed(model, before)
    assert {"scores/kernel", "scores/bias"} <= set(paths)
    assert not [path for path in paths if "conv2d" in path]


def test_an_unfrozen_backbone_is_trained_and_the_store_steps_aside(problem, tmp_path):
    poster = problem.poster().unfreeze()
    train, validation = problem.datasets(
        poster, store=FeatureStore(tmp_path / "store", dtype="float32")
    )
    assert train.features == {}
    model = fuse_encoders([poster], n_labels=3, seed=1)
    before = poster.get_backbone().get_weights()
    result = fit_model(model, train, validation, epochs=2, optimizer="sgd", verbose=0)
    assert len(changed(poster.get_backbone(), before)) == 2
    assert result.n_trainable == (27 * 6 + 6) + (6 * 5 + 5) + (5 * 3 + 3)
    assert score(model, validation) == pytest.approx(result.best_roc_auc)


@pytest.mark.slow
@pytest.mark.parametrize("freeze", [False, True])
def test_a_fusion_of_trained_models_is_trained(problem, tmp_path, freeze):
    poster, numbers = problem.poster(), problem.numbers()
    store = FeatureStore(tmp_path / "store", dtype="float32")
    parts = []
    for encoder in (poster, numbers):
        part = fuse_encoders([encoder], n_labels=3, seed=1)
        fit_model(
            part, *problem.datasets(encoder, store=store), epochs=2, optimizer="sgd", verbose=0
        )
        parts.append(part)
    kept = [part.get_weights() for part in parts]
    fused = fuse_models(parts, n_labels=3, freeze=freeze, seed=1)
    before = fused.get_weights()
    result = fit_model(
        fused, *problem.datasets(poster, numbers, store=store), epochs=5, optimizer="sgd", verbose=0
    )
    assert result.best_roc_auc > 0.5
    assert (set(changed(fused, before)) == {"scores/kernel", "scores/bias"}) == freeze
    assert not [path for part, old in zip(parts, kept, strict=True) for path in changed(part, old)]


class PairEncoder(Encoder):
    """A third party's encoder with Keras's own normalisation in its head."""

    input_shape = (4,)

    def encode(self, values):
        return np.array(list(values), dtype="float32").reshape(-1, 4)

    def build_head(self):
        return keras.Sequential([keras.layers.Normalization(), keras.layers.Dense(3)])


def test_a_normalization_layer_of_keras_is_adapted_before_training(problem):
    encoder = PairEncoder("numbers")
    train, validation = problem.datasets(encoder)
    model = fuse_encoders([encoder], n_labels=3, seed=1)
    model.predict(validation, verbose=0)
    result = fit_model(
        model, train, validation, epochs=2, evaluate_every=4, optimizer="sgd", verbose=0
    )
    expected = np.stack(problem.train["numbers"]).mean(axis=0)
    normalization = model.get_layer("numbers_head").layers[0].layers[0]
    np.testing.assert_allclose(np.ravel(normalization.mean), expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(
        model.predict(validation, verbose=0), predict_scores(model, validation), rtol=1e-5
    )
    assert score(model, validation) == result.best_roc_auc


class MovingHeadEncoder(PairEncoder):
    """A third party's encoder whose head has statistics that move and nothing to train."""

    def build_head(self):
        return keras.layers.BatchNormalization(center=False, scale=False, momentum=0.5)


def test_statistics_that_move_are_restored_with_the_best_weights(problem, spy):
    encoder = MovingHeadEncoder("numbers")
    train, validation = problem.datasets(encoder)
    model = fuse_encoders([encoder], n_labels=3, seed=1)
    copies = {}
    result = fit_model(
        model,
        train,
        validation,
        epochs=2,
        optimizer=keras.optimizers.SGD(0.1),
        evaluate_every=2,
        callbacks=[spy(lambda step: copies.update({step: model.get_weights()}))],
        verbose=0,
    )
    for weight, expected in zip(model.get_weights(), copies[result.best_step], strict=True):
        np.testing.assert_array_equal(weight, expected)


def test_sample_weights_decide_what_is_learned(problem):
    numbers = problem.numbers()
    opposite = 1 - problem.y_train
    data = {"numbers": problem.train["numbers"] * 2}
    y = np.concatenate([problem.y_train, opposite])
    weight = np.repeat([1.0, 0.0], len(opposite))
    train = MultimodalDataset(data, [numbers], y, batch_size=8, shuffle=True, sample_weight=weight)
    _, validation = problem.datasets(numbers)
    model = fuse_encoders([numbers], n_labels=3, seed=1)
    fit_model(model, train, validation, epochs=8, optimizer=keras.optimizers.Adam(0.03), verbose=0)
    assert score(model, validation) > 0.9


def test_workers_do_not_change_a_training(problem):
    numbers = problem.numbers()
    train, validation = problem.datasets(numbers, workers=2)
    model = fuse_encoders([numbers], n_labels=3, seed=1)
    result = fit_model(
        model, train, validation, epochs=2, evaluate_every=4, optimizer="sgd", verbose=0
    )
    train, validation = problem.datasets(numbers)
    twin = fuse_encoders([numbers], n_labels=3, seed=1)
    expected = fit_model(
        twin, train, validation, epochs=2, evaluate_every=4, optimizer="sgd", verbose=0
    )
    pd.testing.assert_frame_equal(without_time(result.history), without_time(expected.history))


def test_an_interrupted_training_leaves_the_best_weights(problem, spy):
    numbers = problem.numbers()
    train, validation = problem.datasets(numbers)
    model = fuse_encoders([numbers], n_labels=3, seed=1)
    copies = {}

    def interrupt(step):
        copies[step] = model.get_weights()
        if step == 7:
            model.set_weights([-weight for weight in model.get_weights()])
        if step == 10:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_model(
            model,
            train,
            validation,
            epochs=5,
            evaluate_every=6,
            callbacks=[spy(interrupt)],
            optimizer="sgd",
            verbose=0,
        )
    for weight, expected in zip(model.get_weights(), copies[6], strict=True):
        np.testing.assert_array_equal(weight, expected)


def test_divergence_is_an_error_that_leaves_the_best_weights(problem, spy):
    numbers = problem.numbers()
    train, validation = problem.datasets(numbers)
    model = fuse_encoders([numbers], n_labels=3, seed=1)

    def diverge(step):
        if step == 5:
            model.set_weights([weight * np.nan for weight in model.get_weights()])

    with pytest.raises(FloatingPointError, match="diverged: after 8 batches the scores are not"):
        fit_model(
            model,
            train,
            validation,
            epochs=5,
            evaluate_every=4,
            callbacks=[spy(diverge)],
            optimizer="sgd",
            verbose=0,
        )
    assert np.isfinite(predict_scores(model, validation)).all()


def test_a_loss_that_is_no_number_is_found_at_the_end_at_the_latest(problem):
    numbers = problem.numbers()
    train, validation = problem.datasets(numbers)
    model = fuse_encoders([numbers], n_labels=3, seed=1)
    with pytest.raises(FloatingPointError, match="Training diverged: after 8 batches"):
        fit_model(
            model,
            train,
            validation,
            epochs=1,
            loss=lambda y, p: keras.ops.mean(p) * np.nan,
            optimizer="sgd",
            verbose=0,
        )


# -- what is refused, before anything is trained -----------------------------------------------


@pytest.fixture
def refused(problem):
    """Return a function that checks that a training is refused and the model untouched."""

    def check(model, train, validation, error, match, **options):
        before = model.get_weights()
        with pytest.raises(error, match=match):
            fit_model(model, train, validation, verbose=0, **options)
        assert changed(model, before) == []

    return check


def test_a_missing_modality_is_named(problem, refused):
    poster, numbers = problem.poster(), problem.numbers()
    model = fuse_encoders([poster, numbers], n_labels=3)
    complete, lacking = problem.datasets(poster, numbers), problem.datasets(numbers)
    match = r"gives \['numbers'\]. Missing: \['poster'\]. Not taken: \[\]"
    refused(model, lacking[0], complete[1], ModalityError, match)
    refused(model, complete[0], lacking[1], ModalityError, match)


def test_an_extra_modality_is_named(problem, refused):
    poster, numbers = problem.poster(), problem.numbers()
    model = fuse_encoders([numbers], n_labels=3)
    train, validation = problem.datasets(poster, numbers)
    match = r"Missing: \[\]. Not taken: \['poster'\]"
    refused(model, train, validation, ModalityError, match)


def test_an_encoder_fitted_again_since_is_noticed(problem, refused):
    numbers = problem.numbers()
    model = fuse_encoders([numbers], n_labels=3)
    numbers.fit([1, 2])
    dataset = MultimodalDataset({"numbers": [1, 2]}, [numbers], np.eye(3)[:2])
    match = r"takes rows of shape \(4,\) as 'numbers', and the data set's encoder gives \(1,\)"
    refused(model, dataset, dataset, ModalityError, match)


def test_features_of_only_one_data_set_are_refused(problem, refused, tmp_path):
    poster = problem.poster()
    model = fuse_encoders([poster], n_labels=3)
    train, _ = problem.datasets(poster, store=FeatureStore(tmp_path / "store", dtype="float32"))
    _, validation = problem.datasets(poster)
    match = r"features of the same modalities. Received \['poster'\] and \[\]"
    refused(model, train, validation, ModalityError, match)


def test_features_from_before_the_backbone_was_unfrozen_are_refused(problem, refused, tmp_path):
    poster = problem.poster()
    train, validation = problem.datasets(
        poster, store=FeatureStore(tmp_path / "store", dtype="float32")
    )
    model = fuse_encoders([poster], n_labels=3)
    poster.unfreeze(1)
    match = "backbone of 'poster' was unfrozen after the data set took its features"
    refused(model, train, validation, ModalityError, match)


def test_another_number_of_labels_is_refused(problem, refused):
    numbers = problem.numbers()
    model = fuse_encoders([numbers], n_labels=2)
    train, validation = problem.datasets(numbers)
    match = "predicts 2 labels, and the training rows have 3. Build the model with n_labels=3"
    refused(model, train, validation, ValueError, match)


@pytest.mark.parametrize("what", ["training", "validation"])
def test_rows_without_labels_are_refused(problem, refused, what):
    numbers = problem.numbers()
    model = fuse_encoders([numbers], n_labels=3)
    labelled, _ = problem.datasets(numbers)
    bare = MultimodalDataset(problem.train, [numbers])
    pair = (bare, labelled) if what == "training" else (labelled, bare)
    refused(model, *pair, ValueError, f"The {what} rows have no labels")


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"epochs": 0}, "epochs must be a whole number of at least 1"),
        ({"evaluate_every": 0}, "evaluate_every must be a whole number of at least 1"),
        ({"loss_window": 0}, "loss_window must be a whole number of at least 1"),
        ({"patience": 0}, "patience must be a whole number of at least 1"),
    ],
)
def test_options_out_of_range_are_refused(problem, refused, options, match):
    numbers = problem.numbers()
    model = fuse_encoders([numbers], n_labels=3)
    refused(model, *problem.datasets(numbers), ValueError, match, **options)


def test_another_verbosity_is_refused(problem):
    numbers = problem.numbers()
    model = fuse_encoders([numbers], n_labels=3)
    with pytest.raises(ValueError, match=r"verbose must be one of 0, 1, 2\. Received verbose=3"):
        fit_model(model, *problem.datasets(numbers), optimizer="sgd", verbose=3)


def test_scaling_is_learned_once(problem, tmp_path):
    poster = problem.poster()
    store = FeatureStore(tmp_path / "store", dtype="float32")
    train, validation = problem.datasets(poster, store=store)
    model = fuse_encoders([poster], n_labels=3, seed=1)
    fit_model(model, train, validation, epochs=1, optimizer="sgd", verbose=0)
    scaling = model.get_layer("poster_head").get_layer("scaling")
    before = scaling.get_weights()
    other = MultimodalDataset(
        {"poster": problem.train["poster"][:10]}, [poster], problem.y_train[:10], store=store
    )
    fit_model(model, other, validation, epochs=1, optimizer="sgd", verbose=0)
    for old, new in zip(before, scaling.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_features_of_another_backbone_than_the_model_s_are_refused(problem, tmp_path):
    poster, other = problem.poster(), problem.poster()
    kernel = other.get_backbone().weights[0]
    kernel.assign(kernel.numpy() + 1)
    model = fuse_encoders([poster], n_labels=3, seed=1)
    datasets = problem.datasets(other, store=FeatureStore(tmp_path / "store", dtype="float32"))
    with pytest.raises(ModalityError, match="features of another backbone for 'poster'"):
        fit_model(model, *datasets, optimizer="sgd", verbose=0)


def test_a_loaded_model_takes_stored_features(problem, tmp_path):
    poster = problem.poster()
    model = fuse_encoders([poster], n_labels=3, seed=1)
    train, validation = problem.datasets(
        poster, store=FeatureStore(tmp_path / "store", dtype="float32")
    )
    fit_model(model, train, validation, epochs=1, optimizer="sgd", verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(
        predict_scores(loaded, validation), predict_scores(model, validation)
    )


def test_labels_in_another_order_are_refused(problem):
    numbers = problem.numbers()
    train, validation = problem.datasets(numbers)
    validation.labels = validation.labels[::-1]
    model = fuse_encoders([numbers], n_labels=3)
    with pytest.raises(ValueError, match="the same labels in the same order"):
        fit_model(model, train, validation, optimizer="sgd", verbose=0)


@pytest.mark.parametrize(
    "loss", ["categorical_crossentropy", keras.losses.CategoricalCrossentropy()]
)
def test_categorical_cross_entropy_is_for_rows_of_one_label(problem, loss):
    numbers = problem.numbers()
    train, validation = problem.datasets(numbers)
    model = fuse_encoders([numbers], n_labels=3)
    with pytest.raises(ValueError, match="Use loss='binary_crossentropy'"):
        fit_model(model, train, validation, loss=loss, optimizer="sgd", verbose=0)
    train.y = np.eye(3, dtype=bool)[np.arange(len(train.y)) % 3]
    fit_model(model, train, validation, loss=loss, epochs=1, optimizer="sgd", verbose=0)


def test_a_table_is_no_data_set(problem):
    numbers = problem.numbers()
    model = fuse_encoders([numbers], n_labels=3)
    table = pd.DataFrame({"numbers": problem.train["numbers"]})
    with pytest.raises(TypeError, match="Received a DataFrame; make MultimodalDataset"):
        fit_model(model, table, table)
    with pytest.raises(TypeError, match="Received a DataFrame; make MultimodalDataset"):
        predict_scores(model, table)


def test_scoring_is_once_a_pass_where_passes_are_short(problem):
    numbers = problem.numbers()
    train, validation = problem.datasets(numbers)
    model = fuse_encoders([numbers], n_labels=3)
    result = fit_model(model, train, validation, epochs=3, optimizer="sgd", verbose=0)
    assert result.history["step"].tolist() == [len(train), 2 * len(train), 3 * len(train)]


def test_unfreezing_an_encoder_does_not_reach_a_loaded_model_and_is_told(problem, tmp_path):
    poster = problem.poster()
    fuse_encoders([poster], n_labels=3).save(tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras")
    poster.unfreeze(1)
    with pytest.raises(ModalityError, match="a frozen one of its own, as a loaded model does"):
        fit_model(loaded, *problem.datasets(poster), optimizer="sgd", verbose=0)
    model = fuse_encoders([poster], n_labels=3)
    model.set_weights(loaded.get_weights())
    fit_model(model, *problem.datasets(poster), epochs=1, optimizer="sgd", verbose=0)


def test_one_callback_will_do_and_what_is_none_is_refused(problem):
    numbers = problem.numbers()
    train, validation = problem.datasets(numbers)
    model = fuse_encoders([numbers], 3, seed=1)
    epochs = []
    callback = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: epochs.append(epoch))
    fit_model(model, train, validation, epochs=2, callbacks=callback, optimizer="sgd", verbose=0)
    assert epochs == [0, 1]
    with pytest.raises(TypeError, match=r"Callback\. Received 'early'"):
        fit_model(model, train, validation, callbacks=["early"], optimizer="sgd", verbose=0)
