"""Augmented views depend only on the image, the number of the view and the augmentation."""

import keras
import numpy as np
import pytest

from multimodal_ensemble import FeatureStore
from multimodal_ensemble.encoders import Augmentation, DenseHead
from multimodal_ensemble.exceptions import ModalityError
from multimodal_ensemble.images import _batch


def layers(change=0.2, **options):
    return [
        keras.layers.RandomFlip("horizontal", **options),
        keras.layers.RandomBrightness(change),
    ]


# Of all encoders without other settings, so that its layers are traced once.
AUGMENTATION = Augmentation(layers(), views=3, seed=1)


@pytest.fixture
def make_augmented(make_encoder):
    """Return a function that makes an encoder with three views."""

    def make(name="poster", *, augmentation=None, **options):
        made = AUGMENTATION
        if augmentation is not None:
            made = Augmentation(**{"layers": layers(), "views": 3, "seed": 1, **augmentation})
        return make_encoder(name, augmentation=made, **options)

    return make


def compute_view(encoder, values, view):
    """Return the features of augmented images, computed without a store."""
    prepared = encoder.prepare(values)
    images = encoder.augmentation.apply(
        encoder.encode(values), encoder.content_digests(prepared), np.full(len(values), view)
    )
    return np.asarray(encoder.get_backbone()(images, training=False))


def test_features_of_a_view_equal_those_of_augmented_images(store, make_augmented, posters):
    encoder = make_augmented()
    for view in (2, 0, 1):
        features = store.get_features(encoder, posters, view=view, verbose=0)
        assert features.dtype == np.float32
        np.testing.assert_allclose(features, compute_view(encoder, posters, view), rtol=1e-4)


def test_views_differ_from_each_other_and_from_the_plain_image(store, make_augmented, posters):
    encoder = make_augmented()
    features = store.load_features([encoder], {"poster": posters}, augment=True, verbose=0)
    assert features["poster"].shape == (4, 10, 4)
    plain, *views = features["poster"]
    np.testing.assert_array_equal(plain, store.get_features(encoder, posters, verbose=0))
    every = [plain, *views]
    for number, one in enumerate(every):
        assert not any(np.allclose(one, other) for other in every[number + 1 :])


def test_views_do_not_depend_on_order_batch_size_or_earlier_features(
    tmp_path, make_augmented, posters, counter
):
    one = FeatureStore(tmp_path / "one", batch_size=32, dtype="float32")
    expected = one.load_features([make_augmented()], {"poster": posters}, augment=True, verbose=0)
    other = FeatureStore(tmp_path / "other", batch_size=3, dtype="float32")
    encoder = make_augmented()
    other.get_features(encoder, posters[::-2], view=1, verbose=0)
    other.get_features(encoder, posters[3:5], verbose=0)
    counter.watch(encoder.get_backbone())
    data = {"poster": posters[::-1]}
    found = other.load_features([encoder], data, augment=True, verbose=0)
    assert counter.rows == 40 - 5 - 2
    for array, wanted in zip(found["poster"], expected["poster"], strict=True):
        np.testing.assert_allclose(array[::-1], wanted, rtol=1e-4)


CHANGES = {
    "another seed": {"augmentation": {"seed": 2}},
    "other layers": {"augmentation": {"layers": [keras.layers.RandomFlip("horizontal")]}},
    "layers in another order": {"augmentation": {"layers": layers()[::-1]}},
    "another factor": {"augmentation": {"layers": layers(0.3)}},
    "another resampling": {"resampling": "nearest"},
}


@pytest.mark.parametrize("change", list(CHANGES))
def test_another_augmentation_has_its_own_views(store, make_augmented, posters, change):
    store.get_features(make_augmented(), posters, view=0, verbose=0)
    assert store.count_uncomputed(make_augmented(**CHANGES[change]), posters, view=0) == 10


SAME = {
    "names of layers": {"augmentation": {"layers": layers(name="mine")}},
    "seeds of layers": {"augmentation": {"layers": layers(seed=7)}},
    "layers in a model": {"augmentation": {"layers": keras.Sequential(layers())}},
    "more views": {"augmentation": {"views": 9}},
    "the encoder's name": {"name": "still"},
    "the head": {"head": DenseHead(3)},
}


@pytest.mark.parametrize("same", list(SAME))
def test_settings_that_change_no_view_keep_the_key(store, make_augmented, posters, same):
    expected = store.get_features(make_augmented(), posters, view=2, verbose=0)
    encoder = make_augmented(**SAME[same])
    assert store.count_uncomputed(encoder, posters, view=2) == 0
    np.testing.assert_array_equal(store.get_features(encoder, posters, view=2, verbose=0), expected)
    np.testing.assert_allclose(compute_view(encoder, posters, 2), expected, rtol=1e-4)


def test_plain_features_are_shared_with_an_encoder_without_augmentation(
    store, make_encoder, make_augmented, posters
):
    store.get_features(make_encoder(), posters, verbose=0)
    encoder = make_augmented()
    assert store.count_uncomputed(encoder, posters) == 0
    assert store.count_uncomputed(encoder, posters, view=0) == 10
    data = {"poster": posters}
    assert store.compute_features([encoder], data, augment=True, verbose=0) == 30
    assert store.compute_features([encoder], data, augment=True, verbose=0) == 0


def test_views_are_computed_only_when_requested(store, make_augmented, posters):
    encoder = make_augmented()
    assert store.compute_features([encoder], {"poster": posters}, verbose=0) == 10
    assert [store.count_uncomputed(encoder, posters, view=view) for view in range(3)] == [10] * 3
    features = store.load_features([encoder], {"poster": posters}, verbose=0)
    assert len(features["poster"]) == 1


def test_an_encoder_without_augmentation_has_only_plain_features(
    store, make_encoder, make_augmented, posters
):
    encoders = [make_encoder("plain", seed=2, column="poster"), make_augmented()]
    features = store.load_features(encoders, {"poster": posters}, augment=True, verbose=0)
    assert {name: len(arrays) for name, arrays in features.items()} == {"plain": 1, "poster": 4}


@pytest.mark.parametrize("view", [-1, 3, 100])
def test_a_view_number_out_of_range_is_refused(store, make_augmented, posters, view):
    encoder = make_augmented()
    for call in (store.get_features, store.count_uncomputed):
        with pytest.raises(ModalityError, match=rf"'poster' has 3 augmented.*view={view}\."):
            call(encoder, posters, view=view)


def test_a_view_without_augmentation_is_refused(store, make_encoder, posters):
    with pytest.raises(ModalityError, match="'poster' has 0 augmented views"):
        store.get_features(make_encoder(), posters, view=0)


def test_each_image_is_decoded_once_for_all_views_and_backbones(
    store, make_augmented, make_network, posters, monkeypatch
):
    decoded = []
    read_image = _batch.read_image

    def count(source, *args, **options):
        decoded.append(source)
        return read_image(source, *args, **options)

    monkeypatch.setattr(_batch, "read_image", count)
    encoders = [
        make_augmented(name, network=make_network(number), column="poster")
        for number, name in enumerate(("a", "b"))
    ]
    assert store.compute_features(encoders, {"poster": posters}, augment=True, verbose=0) == 80
    assert sorted(decoded) == [*map(str, posters)]


def test_equal_images_share_their_views(store, make_augmented, posters):
    encoder = make_augmented()
    features = store.get_features(encoder, [posters[0], posters[1], posters[0]], view=1, verbose=0)
    np.testing.assert_array_equal(features[0], features[2])
    assert not np.allclose(features[0], features[1])
