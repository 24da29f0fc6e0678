"""Stored features equal computed ones, are computed once, and are shared by equal backbones."""

import json
import shutil

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from multimodal_ensemble import DenseEncoder, FeatureStore, ImageEncoder
from multimodal_ensemble.encoders import DenseHead
from multimodal_ensemble.exceptions import ModalityError


def test_cached_equals_uncached(store, make_encoder, posters, compute):
    encoder = make_encoder()
    expected = compute(encoder, posters)
    for _ in range(2):
        stored = store.get_features(encoder, posters, verbose=0)
        assert stored.shape == (10, 4)
        assert stored.dtype == np.float32
        np.testing.assert_allclose(stored, expected, rtol=1e-5)


@pytest.mark.slow
def test_cached_equals_uncached_for_a_keras_application(store, posters, compute):
    encoder = ImageEncoder("poster", backbone="MobileNet", weights=None, image_size=32, seed=1)
    expected = compute(encoder, posters[:5])
    stored = store.get_features(encoder, posters[:5], verbose=0)
    np.testing.assert_allclose(stored, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


def test_another_store_object_finds_the_features(store, make_encoder, posters, counter):
    first = store.get_features(make_encoder(), posters, verbose=0)
    encoder = make_encoder()
    counter.watch(encoder.get_backbone())
    again = FeatureStore(store.folder, dtype="float32").get_features(encoder, posters, verbose=0)
    np.testing.assert_array_equal(again, first)
    assert counter.rows == 0


def test_a_forgotten_index_is_read_again(store, make_encoder, posters, counter):
    encoder = make_encoder()
    first = store.get_features(encoder, posters, verbose=0)
    counter.watch(encoder.get_backbone())
    store.forget_index()
    np.testing.assert_array_equal(store.get_features(encoder, posters, verbose=0), first)
    assert counter.rows == 0


@pytest.fixture
def watched(make_encoder, posters, compute, counter):
    """Return an encoder, whose graph is traced once for all examples, and the expected features."""
    encoder = make_encoder()
    expected = compute(encoder, posters)
    counter.watch(encoder.get_backbone())
    return encoder, expected


@settings(
    deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.lists(st.integers(0, 9), max_size=12), min_size=1, max_size=4), st.integers(1, 5)
)
def test_each_distinct_image_is_computed_once(
    tmp_path, watched, posters, counter, calls, batch_size
):
    shutil.rmtree(tmp_path / "store", ignore_errors=True)
    store = FeatureStore(tmp_path / "store", batch_size=batch_size, dtype="float32")
    encoder, expected = watched
    counter.batches.clear()
    seen = set()
    for numbers in calls:
        paths = [posters[number] for number in numbers]
        assert store.count_uncomputed(encoder, paths) == len(set(numbers) - seen)
        features = store.get_features(encoder, paths, verbose=0)
        np.testing.assert_allclose(features, expected[numbers], rtol=1e-5)
        seen |= set(numbers)
        assert counter.rows == len(seen)
    assert all(size <= batch_size for size in counter.batches)


@pytest.mark.parametrize("values", [[], np.empty((0, 8, 8, 3), dtype="uint8")])
def test_no_values_have_no_features(store, make_encoder, counter, values):
    encoder = make_encoder()
    counter.watch(encoder.get_backbone())
    assert store.get_features(encoder, values).shape == (0, 4)
    assert store.count_uncomputed(encoder, values) == 0
    assert counter.batches == []


def test_encoders_with_the_same_network_share_features(store, make_network, posters, counter):
    network = make_network()
    one, other = (
        ImageEncoder(name, backbone=network, head=head, column="path")
        for name, head in (("poster", DenseHead(3, scaling="log")), ("still", DenseHead(9)))
    )
    counter.watch(one.get_backbone())
    counter.watch(other.get_backbone())
    features = store.get_features(one, posters, verbose=0)
    np.testing.assert_array_equal(store.get_features(other, posters, verbose=0), features)
    assert counter.rows == len(posters)


def test_equal_networks_share_features(store, make_encoder, posters, counter):
    features = store.get_features(make_encoder(), posters, verbose=0)
    keras.layers.Conv2D(1, 1)  # another layer changes the names that Keras chooses
    again = make_encoder("still")
    counter.watch(again.get_backbone())
    np.testing.assert_array_equal(store.get_features(again, posters, verbose=0), features)
    assert counter.rows == 0


def test_a_copy_of_an_encoder_finds_the_features(store, make_encoder, posters):
    encoder = make_encoder()
    encoder.get_backbone().set_weights(
        [value + 1 for value in encoder.get_backbone().get_weights()]
    )
    store.get_features(encoder, posters, verbose=0)
    copy = ImageEncoder.from_config(json.loads(json.dumps(encoder.get_config())))
    assert store.count_uncomputed(copy, posters) == len(posters)
    copy.set_state(encoder.get_state())
    assert store.count_uncomputed(copy, posters) == 0


def test_freezing_again_finds_the_same_features(store, make_encoder, posters):
    encoder = make_encoder()
    store.get_features(encoder, posters, verbose=0)
    encoder.unfreeze(1).unfreeze(0)
    assert store.count_uncomputed(encoder, posters) == 0


def test_rows_are_split_into_shards(store, make_encoder, compute, tmp_path):
    encoder = make_encoder()
    images = [np.full((8, 8, 3), level, dtype="uint8") for level in range(256)] * 2
    images += [np.full((8, 8, 3), (level, 0, 9), dtype="uint8") for level in range(64)]
    store = FeatureStore(
        tmp_path / "store", batch_size=50, dtype="float32", compute_dtype="float32"
    )
    features = store.get_features(encoder, images, verbose=0)
    np.testing.assert_allclose(features[::37], compute(encoder, images[::37]), rtol=1e-5)
    assert len(list((tmp_path / "store").glob("*/*.shard"))) == 2


def test_an_unfrozen_backbone_is_refused(store, make_encoder, posters):
    encoder = make_encoder().unfreeze()
    for call in (store.get_features, store.count_uncomputed):
        with pytest.raises(ModalityError, match="'poster' has a backbone whose first layers"):
            call(encoder, posters)


def test_an_encoder_without_backbone_is_refused(store):
    with pytest.raises(ModalityError, match="'year' has no backbone"):
        store.get_features(DenseEncoder("year").fit([1, 2]), [1])


def test_the_progress_bar_shows_images_per_second(store, make_encoder, posters, capsys):
    store.get_features(make_encoder(), posters[:6], verbose=1)
    shown = capsys.readouterr().out
    assert "features of 6 images of 'poster' with network" in shown
    assert "6/6" in shown
    assert "images/s: " in shown
    store.get_features(make_encoder(), posters[:6], verbose=1)
    assert capsys.readouterr().out == ""


def test_without_verbose_nothing_is_printed(store, make_encoder, posters, capfd):
    store.get_features(make_encoder(), posters, verbose=0)
    shown = capfd.readouterr()
    assert shown.out == ""


def test_the_folder_describes_its_features(store, make_encoder, posters):
    store.get_features(make_encoder(), posters, verbose=0)
    (path,) = store.folder.glob("*/backbone.json")
    assert json.loads(path.read_text()) == {
        "modality": "poster",
        "network": "network",
        "input_shape": [8, 8, 3],
        "feature_shape": [4],
        "compute_dtype": "float32",
        "dtype": "float32",
        "encoding": {"reader_version": 1, "resampling": "bilinear"},
    }


def test_repr_is_the_call_that_creates_the_store(store):
    assert eval(repr(store), {"FeatureStore": FeatureStore}).folder == store.folder
