"""After any change that affects features, stored features are not reused."""

import shutil

import keras
import numpy as np
import pytest
from PIL import Image

from multimodal_ensemble import FeatureStore, ImageEncoder
from multimodal_ensemble.exceptions import ImageReadError
from multimodal_ensemble.images import UnreadableImageWarning
from tests.toys import make_poster, write_images


@pytest.fixture(scope="module")
def filled_once(tmp_path_factory):
    """Return the folder of a store with the features of the posters."""
    folder = tmp_path_factory.mktemp("filled")
    store = FeatureStore(folder / "store", batch_size=4, dtype="float32")
    store.get_features(make_poster(), write_images(folder / "posters", 10), verbose=0)
    return store.folder


@pytest.fixture
def filled(filled_once, store):
    """Return a store with a copy of these features."""
    shutil.copytree(filled_once, store.folder, dirs_exist_ok=True)
    return store


def other_weights(make_network, tmp_path):
    return {"backbone": make_network(2)}


def one_weight_changed_by_little(make_network, tmp_path):
    network = make_network()
    kernel, bias = network.layers[-1].get_weights()
    kernel[0, 0, 0, 0] = np.nextafter(kernel[0, 0, 0, 0], np.float32(9))
    network.layers[-1].set_weights([kernel, bias])
    return {"backbone": network}


def a_weights_file(make_network, tmp_path):
    make_network(7).save_weights(tmp_path / "other.weights.h5")
    return {"backbone": make_network(), "weights": tmp_path / "other.weights.h5"}


CHANGES = {
    "other weights": other_weights,
    "one weight, in its last bit": one_weight_changed_by_little,
    "a weights file": a_weights_file,
    "another size": lambda make, _: {"backbone": make(size=9)},
    "another pooling": lambda make, _: {"backbone": make(), "pooling": "max"},
    "another preprocessing": lambda make, _: {"backbone": make(), "preprocessing": "unit"},
    "preprocessing in the network": lambda make, _: {"backbone": make(preprocessing=False)},
    "another activation": lambda make, _: {"backbone": make(activation="tanh")},
    "another resampling": lambda make, _: {"backbone": make(), "resampling": "nearest"},
}


@pytest.mark.parametrize("change", list(CHANGES))
def test_a_changed_backbone_has_its_own_features(
    filled, make_network, make_encoder, posters, tmp_path, compute, change
):
    encoder = ImageEncoder("poster", **CHANGES[change](make_network, tmp_path))
    assert filled.count_uncomputed(encoder, posters) == len(posters)
    features = filled.get_features(encoder, posters, verbose=0)
    np.testing.assert_allclose(features, compute(encoder, posters), rtol=1e-5)
    assert filled.count_uncomputed(make_encoder(), posters) == 0


@pytest.mark.slow
def test_an_option_of_a_keras_application_changes_the_key(store, posters):
    plain = {"backbone": "MobileNet", "weights": None, "image_size": 32, "seed": 1}
    store.get_features(ImageEncoder("poster", **plain), posters[:1], verbose=0)
    assert store.count_uncomputed(ImageEncoder("poster", **plain), posters[:1]) == 0
    for option in ({"pooling": "max"}, {"preprocessing": "unit"}, {"seed": 2}):
        assert (
            store.count_uncomputed(ImageEncoder("poster", **{**plain, **option}), posters[:1]) == 1
        )


def test_trained_weights_have_their_own_features(filled, make_encoder, posters, compute):
    encoder = make_encoder().unfreeze()
    backbone = encoder.get_backbone()
    backbone.compile("sgd", "mse", run_eagerly=True)
    backbone.train_on_batch(encoder.encode(posters), np.ones((10, 4)))
    encoder.unfreeze(0)
    features = filled.get_features(encoder, posters, verbose=0)
    np.testing.assert_allclose(features, compute(encoder, posters), rtol=1e-5)
    assert not np.allclose(features, compute(make_encoder(), posters))


def test_a_changed_file_is_computed_again(filled, make_encoder, posters, compute):
    encoder = make_encoder()
    Image.new("RGB", (12, 10), (250, 10, 40)).save(posters[3])
    assert filled.count_uncomputed(encoder, posters) == 1
    features = filled.get_features(encoder, posters, verbose=0)
    np.testing.assert_allclose(features, compute(encoder, posters), rtol=1e-5)


def test_files_that_swap_names_keep_their_features(filled, make_encoder, posters, compute):
    one, other = posters[0].read_bytes(), posters[1].read_bytes()
    posters[0].write_bytes(other)
    posters[1].write_bytes(one)
    encoder = make_encoder()
    assert filled.count_uncomputed(encoder, posters) == 0
    features = filled.get_features(encoder, posters, verbose=0)
    np.testing.assert_allclose(features, compute(encoder, posters), rtol=1e-5)


def test_a_renamed_file_keeps_its_features(filled, make_encoder, posters, tmp_path):
    elsewhere = tmp_path / "elsewhere.image"
    expected = filled.get_features(make_encoder(), posters[:1], verbose=0)
    posters[0].rename(elsewhere)
    assert filled.count_uncomputed(make_encoder(), [elsewhere]) == 0
    found = filled.get_features(make_encoder(root=tmp_path), ["elsewhere.image"], verbose=0)
    np.testing.assert_array_equal(found, expected)


def test_a_global_dtype_policy_changes_the_key(filled, make_encoder, posters):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_float16")
    try:
        assert filled.count_uncomputed(make_encoder(), posters) == len(posters)
    finally:
        keras.config.set_dtype_policy(before)


def test_features_of_a_blank_image_are_not_stored_for_the_file(
    store, make_encoder, posters, compute
):
    posters[2].write_bytes(b"not an image")
    blank = make_encoder(on_error="blank")
    with pytest.warns(UnreadableImageWarning, match=r"1 image cannot be read.*2\.png"):
        features = store.get_features(blank, posters, verbose=0)
    black = np.zeros((8, 8, 3), dtype="uint8")
    np.testing.assert_allclose(features[2], compute(blank, [black])[0], rtol=1e-5)
    assert list(blank.unreadable) == [str(posters[2])]
    strict = make_encoder()
    assert store.count_uncomputed(strict, posters) == 1
    with pytest.raises(ImageReadError, match=r"2\.png"):
        store.get_features(strict, posters, verbose=0)


def test_a_repaired_file_is_read_again(store, make_encoder, posters, compute):
    good = posters[2].read_bytes()
    posters[2].write_bytes(good[: len(good) // 2])
    with pytest.warns(UnreadableImageWarning, match=r"2\.png"):
        store.get_features(make_encoder(on_error="blank"), posters, verbose=0)
    posters[2].write_bytes(good)
    encoder = make_encoder(on_error="blank")
    features = store.get_features(encoder, posters, verbose=0)
    np.testing.assert_allclose(features, compute(encoder, posters), rtol=1e-5)
    assert encoder.unreadable == {}


def test_an_absent_file_is_blank_and_is_read_once_it_exists(store, make_encoder, posters, compute):
    good = posters[2].read_bytes()
    posters[2].unlink()
    with pytest.warns(UnreadableImageWarning, match="No such file"):
        store.get_features(make_encoder(on_error="blank"), posters, verbose=0)
    with pytest.raises(ImageReadError, match=r"2\.png"):
        store.get_features(make_encoder(), posters, verbose=0)
    posters[2].write_bytes(good)
    encoder = make_encoder()
    features = store.get_features(encoder, posters, verbose=0)
    np.testing.assert_allclose(features, compute(encoder, posters), rtol=1e-5)
