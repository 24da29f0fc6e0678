"""Augmented batches, with and without a store, and vectors that are encoded once."""

from functools import partial

import keras
import numpy as np
import pandas as pd
import pytest
from keras import layers

from multimodal_ensemble import (
    BagOfWordsEncoder,
    DenseEncoder,
    FeatureStore,
    MultimodalDataset,
    fit_model,
    fuse_encoders,
    predict_scores,
)
from multimodal_ensemble.encoders import Augmentation, DenseHead
from multimodal_ensemble.generators import _row_sources
from tests.toys import draw_pixels

PIXELS = draw_pixels(10, 8, 8, 3)
Y = np.arange(30).reshape(10, 3) // 2 % 2
N_VIEWS = 3
# Of all encoders, so that its layers are traced once. All views differ.
AUGMENTATION = Augmentation(
    [layers.RandomFlip("horizontal"), layers.RandomBrightness(0.3)], views=N_VIEWS
)


@pytest.fixture
def make_poster(make_poster):
    """Return a function that makes an encoder with cheap augmentation."""
    return partial(make_poster, augmentation=AUGMENTATION)


@pytest.fixture
def poster(make_poster):
    return make_poster()


@pytest.fixture
def store(tmp_path):
    return FeatureStore(tmp_path / "store", dtype="float32")


def make_dataset(encoder, **options):
    options = {"batch_size": 4, "verbose": 0, **options}
    return MultimodalDataset({"poster": list(PIXELS)}, [encoder], Y, **options)


def all_views(encoder):
    """Return each view of each image, of shape (n_views, n, height, width, 3)."""
    digests = encoder.content_digests(list(PIXELS))
    return np.stack(
        [encoder.augmentation.apply(PIXELS, digests, np.full(10, view)) for view in range(N_VIEWS)]
    )


def all_features(encoder):
    return np.stack([np.asarray(encoder.get_backbone()(images)) for images in all_views(encoder)])


def find_views(batch, rows, views):
    """Return the number of the view of each row in a batch."""
    found = []
    for element, row in zip(batch, rows, strict=True):
        equal = [np.allclose(element, view[row], rtol=1e-5, atol=1e-5) for view in views]
        assert sum(equal) == 1
        found.append(equal.index(True))
    return found


def one_pass(dataset, views):
    """Return the rows of a pass and the view of each."""
    rows, drawn = [], []
    for index in range(len(dataset)):
        batch = dataset.peek(index)
        rows += batch.raw.index.tolist()
        drawn += find_views(batch.inputs["poster"], batch.raw.index, views)
    return rows, drawn


@pytest.mark.parametrize(
    ("options", "augments"),
    [
        ({}, False),
        ({"shuffle": True}, True),
        ({"augment": True}, True),
        ({"augment": False, "shuffle": True}, False),
        ({"augment": True, "shuffle": True}, True),
    ],
)
@pytest.mark.parametrize("with_store", [False, True])
def test_training_rows_are_augmented_by_default(poster, store, options, augments, with_store):
    dataset = make_dataset(poster, store=store if with_store else None, **options)
    assert dataset.augment is augments
    plain = np.asarray(poster.get_backbone()(PIXELS)) if with_store else PIXELS
    batch = dataset.peek(0)
    inputs = batch.inputs["poster"]
    if augments:
        find_views(
            inputs, batch.raw.index, all_features(poster) if with_store else all_views(poster)
        )
    else:
        np.testing.assert_allclose(inputs, plain[batch.raw.index], rtol=1e-5, atol=1e-5)


def test_batches_without_augmentation_hold_plain_rows(make_poster, store):
    encoder = make_poster(augmentation=None)
    dataset = make_dataset(encoder, augment=True, shuffle=True, store=store)
    assert dataset.augment is False
    features = np.asarray(encoder.get_backbone()(PIXELS))
    batch = dataset.peek(0)
    np.testing.assert_allclose(batch.inputs["poster"], features[batch.raw.index], rtol=1e-5)


def test_stored_batches_equal_the_features_of_encoded_batches(make_poster, store):
    options = {"shuffle": True, "seed": 5}
    encoder = make_poster()
    cached, computed = (make_dataset(encoder, store=given, **options) for given in (store, None))
    for _ in range(2):
        for index in range(len(cached)):
            features, y = cached[index]
            pixels, same_y = computed[index]
            np.testing.assert_array_equal(y, same_y)
            np.testing.assert_allclose(
                features["poster"], encoder.get_backbone()(pixels["poster"]), rtol=1e-5, atol=1e-5
            )
        cached.on_epoch_end()
        computed.on_epoch_end()


def test_the_store_holds_each_view_once(poster, store):
    make_dataset(poster, shuffle=True, store=store)
    for view in [None, *range(N_VIEWS)]:
        assert store.count_uncomputed(poster, list(PIXELS), view=view) == 0
    assert sum(entry.n_rows for entry in store.entries()) == 10 * (1 + N_VIEWS)


def test_data_sets_without_augmentation_compute_no_views(poster, store):
    make_dataset(poster, store=store)
    make_dataset(poster, store=store, shuffle=True, augment=False)
    assert store.count_uncomputed(poster, list(PIXELS)) == 0
    assert store.count_uncomputed(poster, list(PIXELS), view=0) == 10


@pytest.mark.parametrize("with_store", [False, True])
def test_the_seed_determines_the_views_of_each_pass(poster, store, with_store):
    views = all_features(poster) if with_store else all_views(poster)

    def passes(seed):
        dataset = make_dataset(poster, augment=True, seed=seed, store=store if with_store else None)
        drawn = []
        for _ in range(3):
            rows, of_a_pass = one_pass(dataset, views)
            assert rows == list(range(10))
            drawn.append(of_a_pass)
            dataset.on_epoch_end()
        return drawn

    first = passes(1)
    assert first == passes(1)
    assert first[0] != first[1] != first[2] != first[0]
    assert not any(of_a_pass in first for of_a_pass in passes(2))


def test_each_view_of_each_row_is_drawn_in_some_pass(poster, store):
    views = all_features(poster)
    dataset = make_dataset(poster, shuffle=True, store=store)
    seen = {row: set() for row in range(10)}
    counts = np.zeros(N_VIEWS, dtype=int)
    for _ in range(20):
        rows, drawn = one_pass(dataset, views)
        assert sorted(rows) == list(range(10))
        for row, view in zip(rows, drawn, strict=True):
            seen[row].add(view)
            counts[view] += 1
        dataset.on_epoch_end()
    assert all(found == {0, 1, 2} for found in seen.values())
    assert counts.min() > 40


def test_a_batch_is_the_same_when_requested_again(poster):
    dataset = make_dataset(poster, shuffle=True)
    np.testing.assert_array_equal(dataset[1][0]["poster"], dataset[1][0]["poster"])
    np.testing.assert_array_equal(dataset[1][0]["poster"], dataset.peek(1).inputs["poster"])
    assert len(dataset.peek(2).inputs["poster"]) == 2


@pytest.mark.parametrize("with_store", [False, True])
def test_rows_requested_by_number_are_not_augmented(poster, store, with_store):
    dataset = make_dataset(poster, shuffle=True, store=store if with_store else None)
    rows = np.array([7, 1, 1])
    plain = np.asarray(poster.get_backbone()(PIXELS)) if with_store else PIXELS
    np.testing.assert_allclose(
        dataset.encode_rows(rows)["poster"], plain[rows], rtol=1e-5, atol=1e-5
    )
    if with_store:
        np.testing.assert_allclose(dataset.features["poster"], plain, rtol=1e-5, atol=1e-5)


def test_views_of_several_modalities_are_drawn_independently(make_poster):
    encoders = [make_poster(column="poster").set_params(name=name) for name in ("one", "other")]
    plain = make_poster(augmentation=None).set_params(name="plain", column="poster")
    dataset = MultimodalDataset(
        {"poster": list(PIXELS)}, [*encoders, plain], Y, augment=True, batch_size=10
    )
    inputs, _ = dataset[0]
    views = all_views(encoders[0])
    one, other = (find_views(inputs[encoder.name], range(10), views) for encoder in encoders)
    assert one != other
    np.testing.assert_array_equal(inputs["plain"], PIXELS)


def test_views_follow_their_rows_when_rows_are_dropped(make_poster):
    encoder = make_poster(on_error="drop")
    images = [PIXELS[0], b"no image", *PIXELS[1:]]
    with pytest.warns(UserWarning, match="1 image cannot be read"):
        dataset = MultimodalDataset({"poster": images}, [encoder], augment=True, batch_size=20)
    (inputs,) = dataset[0]
    find_views(inputs["poster"], range(10), all_views(encoder))


# -- training and predicting -----------------------------------------------------------------------


@pytest.mark.parametrize("with_store", [False, True])
def test_predictions_use_rows_without_augmentation(poster, store, with_store):
    model = fuse_encoders([poster], n_labels=3, seed=1)
    dataset = make_dataset(poster, shuffle=True, store=store if with_store else None)
    expected = np.asarray(model({"poster": PIXELS}, training=False))
    np.testing.assert_allclose(predict_scores(model, dataset), expected, rtol=1e-5)
    dataset.on_epoch_end()
    np.testing.assert_allclose(predict_scores(model, dataset), expected, rtol=1e-5)


@pytest.mark.parametrize("options", [{"shuffle": True}, {"augment": True}])
def test_augmented_validation_rows_are_refused(poster, store, options):
    model = fuse_encoders([poster], n_labels=3, seed=1)
    before = model.get_weights()
    rows = make_dataset(poster, store=store, **options)
    with pytest.raises(ValueError, match="make their data set with augment=False"):
        fit_model(model, rows, rows, optimizer="sgd", verbose=0)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    validation = make_dataset(poster, store=store, shuffle=True, augment=False)
    fit_model(model, rows, validation, epochs=1, optimizer="sgd", verbose=0)


@pytest.mark.slow
def test_training_on_stored_views_equals_training_on_encoded_views(make_poster, store):
    models, histories = [], []
    for given in (store, None):
        encoder = make_poster()
        model = fuse_encoders([encoder], n_labels=3, seed=1)
        result = fit_model(
            model,
            make_dataset(encoder, shuffle=True, store=given),
            make_dataset(encoder, store=given),
            epochs=3,
            optimizer=keras.optimizers.SGD(0.1),
            verbose=0,
        )
        histories.append(result.history.drop(columns="seconds"))
        models.append(model)
    pd.testing.assert_frame_equal(*histories, rtol=1e-4)
    for one, other in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4)


def test_training_uses_augmented_rows_and_scaling_plain_rows(make_poster, store):
    encoder = make_poster(head=DenseHead(3, scaling="standard"))
    model = fuse_encoders([encoder], n_labels=3, seed=1)
    train = make_dataset(encoder, shuffle=True, store=store)
    fit_model(
        model, train, make_dataset(encoder, store=store), epochs=1, optimizer="sgd", verbose=0
    )
    features = np.asarray(encoder.get_backbone()(PIXELS))
    scaling = model.get_layer("poster_head").get_layer("scaling")
    np.testing.assert_allclose(scaling.mean.numpy(), features.mean(axis=0), rtol=1e-4, atol=1e-5)
    augmented = all_features(encoder)
    rows, drawn = one_pass(train, augmented)
    assert sorted(rows) == list(range(10))
    assert len(set(drawn)) > 1


# -- vectors that are encoded once -----------------------------------------------------------------

TAGS = [["space", "war"], ["love"], [], ["war"], ["love", "space"], ["war", "war"], ["unknown"]]
PAIRS = [[1.0, 10.0], [3.0, 50.0], [5.0, 30.0], [0.0, 0.0], [2.0, -1.0], [9.0, 9.0], [4.0, 5.0]]


@pytest.fixture
def vectors():
    """Return two encoders of vectors and their data."""
    tags, pairs = BagOfWordsEncoder("tags").fit(TAGS[:5]), DenseEncoder("pairs").fit(PAIRS)
    return [tags, pairs], {"tags": TAGS, "pairs": PAIRS}


class Counted:
    """Counts the rows that an encoder encodes."""

    def __init__(self, encoder):
        self.rows = 0
        self.encode = encoder.encode
        encoder.encode = self

    def __call__(self, values):
        encoded = self.encode(values)
        self.rows += len(encoded)
        return encoded


@pytest.mark.parametrize("kept_bytes", [0, 7 * 3 * 4 - 1, 7 * 3 * 4, 2**28])
@pytest.mark.parametrize("shuffle", [False, True])
def test_batches_of_vectors_equal_the_encoded_rows(vectors, monkeypatch, kept_bytes, shuffle):
    monkeypatch.setattr(_row_sources, "_KEPT_BYTES", kept_bytes)
    encoders, data = vectors
    encoded = {encoder.name: encoder.encode(data[encoder.name]) for encoder in encoders}
    dataset = MultimodalDataset(data, encoders, batch_size=3, shuffle=shuffle)
    for _ in range(2):
        for index in range(len(dataset)):
            batch = dataset.peek(index)
            for name, array in batch.inputs.items():
                np.testing.assert_array_equal(array, encoded[name][batch.raw.index])
                assert array.dtype == encoded[name].dtype
        dataset.on_epoch_end()
    rows = np.array([6, 0, 6])
    for name, array in dataset.encode_rows(rows).items():
        np.testing.assert_array_equal(array, encoded[name][rows])


@pytest.mark.parametrize("kept_bytes", [0, 2**28])
def test_small_vectors_are_encoded_once(vectors, monkeypatch, kept_bytes):
    monkeypatch.setattr(_row_sources, "_KEPT_BYTES", kept_bytes)
    encoders, data = vectors
    counts = [Counted(encoder) for encoder in encoders]
    dataset = MultimodalDataset(data, encoders, batch_size=3)
    assert [count.rows for count in counts] == ([7, 7] if kept_bytes else [0, 0])
    for _ in range(3):
        for index in range(len(dataset)):
            dataset[index]
        dataset.on_epoch_end()
    assert [count.rows for count in counts] == ([7, 7] if kept_bytes else [21, 21])


def test_encoded_images_are_not_kept_in_memory(poster):
    count = Counted(poster)
    dataset = make_dataset(poster)
    assert count.rows == 0
    dataset[0]
    dataset[0]
    assert count.rows == 8


@pytest.mark.parametrize("kept_bytes", [0, 2**28])
def test_writing_to_a_batch_does_not_change_the_next(vectors, monkeypatch, kept_bytes):
    monkeypatch.setattr(_row_sources, "_KEPT_BYTES", kept_bytes)
    encoders, data = vectors
    y = np.arange(14).reshape(7, 2) % 2
    dataset = MultimodalDataset(data, encoders, y, batch_size=3, sample_weight=np.ones(7))
    before = [array.copy() for array in keras.tree.flatten(dataset[0])]
    for array in [
        *keras.tree.flatten(dataset[0]),
        *dataset.encode_rows(np.arange(7)).values(),
        *dataset.peek(0).inputs.values(),
    ]:
        array += 1
    for old, new in zip(before, keras.tree.flatten(dataset[0]), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("augment", [False, True])
def test_writing_to_a_batch_does_not_change_stored_features(poster, store, augment):
    dataset = make_dataset(poster, augment=augment, store=store)
    before = dataset[0][0]["poster"].copy()
    dataset[0][0]["poster"][:] = 7
    dataset.encode_rows(np.arange(10))["poster"][:] = 7
    np.testing.assert_array_equal(dataset[0][0]["poster"], before)
