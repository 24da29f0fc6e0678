"""Fine-tuning the last layers from stored features equals fine-tuning them from pixels."""

from dataclasses import dataclass

import keras
import numpy as np
import pandas as pd
import pytest
from keras import layers

from multimodal_ensemble import (
    FeatureStore,
    ImageEncoder,
    MultimodalDataset,
    fit_model,
    fuse_encoders,
    fuse_models,
    load_model,
    predict_scores,
)
from multimodal_ensemble.encoders import Augmentation, DenseHead
from multimodal_ensemble.exceptions import ModalityError
from tests.toys import draw_pixels
from tests.training.conftest import Problem

# Shape of the input of the first trained layer, or of its block, by number of trained layers.
SHAPES = {1: (4, 4, 6), 2: (8, 8, 6), 3: (8, 8, 6), 4: (8, 8, 5)}
TRAINED = {
    1: ["last"],
    2: ["branch_2", "last"],
    3: ["branch_1", "branch_2", "last"],
    4: ["branch_1", "branch_2", "last", "second"],
}


def build_network():
    """Return a network of five convolutions, two of them in a residual block with dropout."""

    def convolve(units, name):
        kernel = keras.initializers.GlorotUniform(len(name))
        return layers.Conv2D(units, 3, padding="same", kernel_initializer=kernel, name=name)

    inputs = keras.Input((8, 8, 3))
    tensor = layers.ReLU()(convolve(5, "first")(layers.Rescaling(1 / 255)(inputs)))
    tensor = before = layers.ReLU()(convolve(6, "second")(tensor))
    tensor = layers.BatchNormalization(name="norm")(convolve(6, "branch_1")(tensor))
    tensor = layers.Dropout(0.5)(layers.ReLU()(tensor))
    tensor = layers.Add()([before, convolve(6, "branch_2")(tensor)])
    tensor = layers.MaxPooling2D()(layers.ReLU()(tensor))
    return keras.Model(inputs, convolve(7, "last")(tensor), name="network")


def make_poster(n_layers=0, *, scaling="log", dropout=0, **options):
    return ImageEncoder(
        "poster",
        backbone=build_network(),
        head=DenseHead(5, scaling=scaling, dropout=dropout),
        trainable_layers=n_layers,
        **options,
    )


def build(*encoders, **options):
    return fuse_encoders(encoders, n_labels=3, seed=1, **options)


def train(model, datasets, **options):
    options = {"epochs": 2, "optimizer": keras.optimizers.SGD(0.05), "verbose": 0, **options}
    return fit_model(model, *datasets, **options)


def weights_by_layer(model):
    """Return copies of a backbone's weights by layer name."""
    found = {}
    for weight in model.weights:
        found.setdefault(weight.path.split("/")[-2], []).append(np.array(weight.numpy()))
    return found


def changed_layers(before, after):
    return sorted(
        name
        for name, weights in after.items()
        if any(not np.array_equal(a, b) for a, b in zip(before[name], weights, strict=True))
    )


class Counter:
    """Counts the rows that go through a model."""

    def __init__(self, model):
        self.rows, self._predict = 0, model.predict_on_batch
        model.predict_on_batch = self

    def __call__(self, batch):
        self.rows += len(batch)
        return self._predict(batch)


@pytest.mark.parametrize("n_layers", list(SHAPES))
def test_features_are_the_input_of_the_trained_layers(problem, store, n_layers):
    poster = make_poster(n_layers)
    train_rows, validation = problem.datasets(poster, store=store)
    for dataset, n_rows in ((train_rows, 64), (validation, 40)):
        assert dataset.features["poster"].shape == (n_rows, *SHAPES[n_layers])
    assert poster.frozen_part().output_shape[1:] == SHAPES[n_layers]
    (inputs, _) = validation[0]
    pixels = poster.encode(problem.validation["poster"][:20])
    np.testing.assert_allclose(inputs["poster"], poster.frozen_part()(pixels), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("n_layers", [1, 3, 4])
def test_scores_from_stored_features_equal_those_of_the_whole_model(problem, store, n_layers):
    poster, numbers = make_poster(n_layers), problem.numbers()
    model = build(poster, numbers, dropout=0.3)
    _, cached = problem.datasets(poster, numbers, store=store)
    pixels = {
        encoder.name: encoder.encode(problem.validation[encoder.name])
        for encoder in (poster, numbers)
    }
    expected = np.asarray(model(pixels))
    np.testing.assert_allclose(predict_scores(model, cached), expected, rtol=1e-5)


@dataclass
class Run:
    poster: ImageEncoder
    model: keras.Model
    before: dict
    result: object
    datasets: tuple


def run(problem, n_layers, store, **options):
    poster, numbers = (
        make_poster(n_layers, scaling="standard", dropout=0.2),
        problem.numbers(),
    )
    datasets = problem.datasets(poster, numbers, store=store)
    model = build(poster, numbers, dropout=0.2)
    before = weights_by_layer(poster.get_backbone())
    result = train(model, datasets, evaluate_every=5, **options)
    return Run(poster, model, before, result, datasets)


@pytest.mark.slow
def test_training_from_stored_features_equals_training_from_pixels(problem, store):
    cached, plain = (run(problem, 4, given) for given in (store, None))
    assert list(cached.datasets[0].features) == ["poster"]
    assert plain.datasets[0].features == {}
    pd.testing.assert_frame_equal(
        cached.result.history.drop(columns="seconds"),
        plain.result.history.drop(columns="seconds"),
        rtol=1e-3,
    )
    assert cached.result.n_trainable == plain.result.n_trainable
    for one, other in zip(cached.model.weights, plain.model.weights, strict=True):
        assert one.path == other.path
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-3, atol=1e-5)
    scores = predict_scores(plain.model, plain.datasets[1])
    np.testing.assert_allclose(
        predict_scores(cached.model, cached.datasets[1]), scores, rtol=1e-3, atol=1e-5
    )
    # The frozen parts are equal, so one model takes the features of the other.
    np.testing.assert_allclose(
        predict_scores(plain.model, cached.datasets[1]), scores, rtol=1e-5, atol=1e-6
    )


def test_training_changes_only_the_unfrozen_layers(problem, store):
    done = run(problem, 3, store, epochs=1)
    after = weights_by_layer(done.poster.get_backbone())
    assert changed_layers(done.before, after) == TRAINED[3]
    trained = sum(weight.size for name in TRAINED[3] for weight in after[name])
    others = build(make_poster(scaling="standard"), problem.numbers()).trainable_weights
    assert done.result.n_trainable == trained + sum(int(np.prod(w.shape)) for w in others)


@pytest.mark.slow
def test_the_frozen_part_runs_once_per_image(problem, store):
    poster = make_poster(2)
    frozen, whole = Counter(poster.frozen_part()), Counter(poster.get_backbone())
    datasets = problem.datasets(poster, store=store)
    n_images = len(problem.y_train) + len(problem.y_validation)
    assert frozen.rows == n_images
    model = build(poster)
    read = []
    poster.encode = read.append
    train(model, datasets)
    predict_scores(model, datasets[1])
    problem.datasets(poster, store=store)
    assert (frozen.rows, whole.rows, read) == (n_images, 0, [])


def test_features_stay_valid_while_the_layers_behind_them_are_trained(problem, store):
    poster = make_poster(2)
    datasets = problem.datasets(poster, store=store)
    model = build(poster)
    scores = predict_scores(model, datasets[1])
    train(model, datasets, epochs=1)
    assert store.count_uncomputed(poster, problem.train["poster"]) == 0
    assert store.count_uncomputed(poster, problem.validation["poster"]) == 0
    tuned = predict_scores(model, datasets[1])
    assert not np.allclose(tuned, scores, rtol=1e-3)
    np.testing.assert_array_equal(
        predict_scores(model, problem.datasets(poster, store=store)[1]), tuned
    )
    np.testing.assert_allclose(
        predict_scores(model, problem.datasets(poster)[1]), tuned, rtol=1e-5, atol=1e-6
    )


@pytest.mark.slow
def test_an_encoder_can_be_unfrozen_after_training(problem, store):
    poster, numbers = make_poster(), problem.numbers()
    model = build(poster, numbers)
    datasets = problem.datasets(poster, numbers, store=store)
    first = train(model, datasets)
    before, head = weights_by_layer(poster.get_backbone()), model.get_layer("scores").get_weights()
    scores = predict_scores(model, datasets[1])
    scaling = model.get_layer("poster_head").get_layer("scaling").get_weights()
    poster.unfreeze(1)
    datasets = problem.datasets(poster, numbers, store=store)
    np.testing.assert_allclose(predict_scores(model, datasets[1]), scores, rtol=1e-5, atol=1e-6)
    tuned = train(model, datasets)
    assert tuned.n_trainable == first.n_trainable + 9 * 6 * 7 + 7
    assert changed_layers(before, weights_by_layer(poster.get_backbone())) == ["last"]
    assert not np.array_equal(head[0], model.get_layer("scores").get_weights()[0])
    for old, new in zip(
        scaling, model.get_layer("poster_head").get_layer("scaling").get_weights(), strict=True
    ):
        np.testing.assert_array_equal(old, new)
    # After freezing again, the features are those of the whole tuned backbone.
    scores = predict_scores(model, datasets[1])
    poster.unfreeze(0)
    datasets = problem.datasets(poster, numbers, store=store)
    assert datasets[1].features["poster"].shape == (40, 7)
    np.testing.assert_allclose(predict_scores(model, datasets[1]), scores, rtol=1e-5, atol=1e-6)


@pytest.fixture(scope="module")
def any_problem():
    """Return a problem that no test changes."""
    return Problem()


@pytest.fixture(scope="module")
def unfrozen():
    """Return an encoder, of which tests unfreeze any layers, and a model of it."""
    poster = make_poster()
    return poster, build(poster)


@pytest.mark.parametrize(("n_layers", "later"), [(0, 1), (1, 2), (2, 1), (1, None), (1, 0)])
def test_features_from_before_other_layers_were_unfrozen_are_refused(
    any_problem, unfrozen, store, n_layers, later
):
    (poster, model), problem = unfrozen, any_problem
    poster.unfreeze(n_layers)
    datasets = problem.datasets(poster, store=store)
    before = model.get_weights()
    poster.unfreeze(later)
    match = "backbone of 'poster' was unfrozen after .* Make the data set again"
    with pytest.raises(ModalityError, match=match):
        fit_model(model, *datasets, verbose=0)
    with pytest.raises(ModalityError, match=match):
        predict_scores(model, datasets[1])
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    predict_scores(model, problem.datasets(poster, store=store)[1])


@pytest.mark.slow
def test_features_stay_valid_if_the_cut_is_the_same(problem, store):
    poster = make_poster(2)
    model = build(poster)
    datasets = problem.datasets(poster, store=store)
    poster.unfreeze(3)
    before = weights_by_layer(poster.get_backbone())
    train(model, datasets, epochs=1)
    assert changed_layers(before, weights_by_layer(poster.get_backbone())) == TRAINED[3]


@pytest.mark.slow
def test_a_loaded_model_predicts_equally_from_stored_features(problem, store, tmp_path):
    poster = make_poster(2)
    model = build(poster)
    datasets = problem.datasets(poster, store=store)
    train(model, datasets, epochs=1)
    model.save(tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras")
    scores = predict_scores(model, datasets[1])
    np.testing.assert_array_equal(predict_scores(loaded, datasets[1]), scores)
    # A new encoder with the same layers unfrozen shares the features of the frozen part.
    fresh = make_poster(2)
    assert store.count_uncomputed(fresh, problem.validation["poster"]) == 0
    np.testing.assert_array_equal(
        predict_scores(loaded, problem.datasets(fresh, store=store)[1]), scores
    )
    before = weights_by_layer(loaded.get_layer("poster_backbone"))
    train(loaded, datasets, epochs=1)
    after = weights_by_layer(loaded.get_layer("poster_backbone"))
    assert changed_layers(before, after) == TRAINED[2]
    np.testing.assert_array_equal(predict_scores(model, datasets[1]), scores)


def test_a_loaded_model_with_other_layers_unfrozen_is_refused(problem, store, tmp_path):
    build(make_poster(1)).save(tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras")
    for n_layers in (0, 2):
        datasets = problem.datasets(make_poster(n_layers), store=store)
        with pytest.raises(ModalityError, match="features of another backbone for 'poster'"):
            predict_scores(loaded, datasets[1])


@pytest.mark.slow
def test_features_of_another_frozen_part_are_refused(problem, store):
    other = make_poster(1)
    kernel = next(weight for weight in other.get_backbone().weights if "first" in weight.path)
    kernel.assign(kernel.numpy() * 2)
    datasets = problem.datasets(other, store=store)
    with pytest.raises(ModalityError, match="features of another backbone for 'poster'"):
        fit_model(build(make_poster(1)), *datasets, verbose=0)


@pytest.mark.slow
@pytest.mark.parametrize(("scaling", "with_store"), [("standard", False), ("log", True)])
def test_heads_adapt_to_the_output_of_the_trained_layers(problem, store, scaling, with_store):
    poster = make_poster(2, scaling=scaling)
    features = np.asarray(poster.get_backbone()(poster.encode(problem.train["poster"])))
    if scaling == "log":
        features = np.sign(features) * np.log1p(np.abs(features))
    datasets = problem.datasets(poster, store=store if with_store else None)
    model = build(poster)
    train(model, datasets, epochs=1)
    layer = model.get_layer("poster_head").get_layer("scaling")
    np.testing.assert_allclose(layer.mean.numpy(), features.mean(axis=0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(layer.scale.numpy(), features.std(axis=0), rtol=1e-3)


@pytest.mark.slow
def test_a_fusion_of_tuned_models_is_trained_from_stored_features(problem, store):
    poster, numbers = make_poster(2), problem.numbers()
    parts = []
    for encoder in (poster, numbers):
        parts.append(build(encoder))
    train(parts[0], problem.datasets(poster, store=store), epochs=1)
    kept = weights_by_layer(poster.get_backbone())
    fused = fuse_models(parts, n_labels=3, seed=1)
    datasets = problem.datasets(poster, numbers, store=store)
    pixels = problem.datasets(poster, numbers)
    np.testing.assert_allclose(
        predict_scores(fused, datasets[1]), predict_scores(fused, pixels[1]), rtol=1e-5
    )
    before = weights_by_layer(fused.get_layer("poster_backbone"))
    train(fused, datasets, epochs=1)
    after = weights_by_layer(fused.get_layer("poster_backbone"))
    assert changed_layers(before, after) == TRAINED[2]
    assert changed_layers(kept, weights_by_layer(poster.get_backbone())) == []
    np.testing.assert_allclose(
        predict_scores(fused, datasets[1]), predict_scores(fused, pixels[1]), rtol=1e-5
    )


@pytest.mark.slow
def test_augmented_views_go_through_the_trained_layers(problem, store):
    augmentation = Augmentation([layers.RandomBrightness(0.2)], views=2)
    models, histories = [], []
    for given in (store, None):
        poster = make_poster(2, scaling="standard", augmentation=augmentation)
        datasets = problem.datasets(poster, store=given)
        assert datasets[0].augment
        models.append(build(poster))
        result = train(models[-1], datasets, evaluate_every=5)
        histories.append(result.history.drop(columns="seconds"))
    assert store.count_uncomputed(poster, problem.train["poster"], view=1) == 0
    pd.testing.assert_frame_equal(*histories, rtol=1e-3)
    for one, other in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


@pytest.mark.slow
def test_a_backbone_that_is_trained_from_its_first_layer_takes_pixels(problem, store):
    poster = make_poster(5)
    datasets = problem.datasets(poster, store=store)
    assert datasets[0].features == datasets[1].features == {}
    assert datasets[0][0][0]["poster"].shape == (8, 8, 8, 3)
    model = build(poster)
    before = weights_by_layer(poster.get_backbone())
    train(model, datasets, epochs=1)
    assert changed_layers(before, weights_by_layer(poster.get_backbone())) == sorted(
        ["first", *TRAINED[4]]
    )
    with pytest.raises(ModalityError, match="poster"):
        store.get_features(poster, problem.train["poster"])


@pytest.mark.slow
def test_a_frozen_and_a_partly_frozen_backbone_in_one_model(problem, store):
    whole, part = make_poster(), make_poster(2).set_params(name="still", column="poster")
    datasets = problem.datasets(whole, part, store=store)
    assert {name: array.shape[1:] for name, array in datasets[1].features.items()} == {
        "poster": (7,),
        "still": SHAPES[2],
    }
    model = build(whole, part)
    pixels = problem.datasets(whole, part)
    train(model, datasets, epochs=1)
    np.testing.assert_allclose(
        predict_scores(model, datasets[1]), predict_scores(model, pixels[1]), rtol=1e-5
    )


@pytest.mark.parametrize("with_store", [pytest.param(False, marks=pytest.mark.slow), True])
def test_batch_statistics_and_dropout_stay_inactive_in_a_backbone(problem, store, with_store):
    poster = make_poster(3)
    model = build(poster)
    seen = []
    datasets = problem.datasets(poster, store=store if with_store else None)
    train(
        model,
        datasets,
        epochs=1,
        optimizer=keras.optimizers.SGD(0.0),
        callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=lambda _, logs: seen.append(logs))],
    )
    scores = predict_scores(model, datasets[0])
    expected = keras.losses.BinaryCrossentropy()(problem.y_train.astype("float32"), scores)
    # With active dropout the training loss would differ.
    assert seen[0]["loss"] == pytest.approx(float(expected), rel=1e-4)
    assert not weights_by_layer(poster.get_backbone())["norm"][2].any()


def test_a_fusion_that_froze_a_tuned_model_names_the_fix(tmp_path):
    network = keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3), keras.layers.Conv2D(4, 3)]
    )
    encoder = ImageEncoder("poster", backbone=network, trainable_layers=1)
    model = fuse_encoders([encoder], n_labels=2, seed=1)
    fused = fuse_models([model], n_labels=2, freeze=True, seed=1)
    pixels = draw_pixels(6, 8, 8, 3)
    data, y = {"poster": list(pixels)}, np.arange(12).reshape(6, 2) % 2

    def rows():
        store = FeatureStore(tmp_path / "store", dtype="float32")
        return MultimodalDataset(data, [encoder], y, store=store, verbose=0)

    with pytest.raises(ModalityError, match=r"or freeze the encoder's backbone with unfreez"):
        predict_scores(fused, rows())
    encoder.unfreeze(0)
    expected = fused.predict({"poster": pixels}, verbose=0)
    np.testing.assert_allclose(predict_scores(fused, rows()), expected, atol=1e-5)
