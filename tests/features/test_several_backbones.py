"""Several backbones share the decoding of images."""

import keras
import numpy as np
import pandas as pd
import pytest

from multimodal_ensemble import Augmentation, BagOfWordsEncoder, FeatureStore, ImageEncoder
from multimodal_ensemble.exceptions import ImageReadError, ModalityError
from multimodal_ensemble.features import _frozen_pass
from multimodal_ensemble.images import _batch


@pytest.fixture
def decoded(monkeypatch):
    """Return a list to which each decoded image is appended."""
    sources = []
    read_image = _batch.read_image

    def count(source, *args, **options):
        sources.append(source)
        return read_image(source, *args, **options)

    monkeypatch.setattr(_batch, "read_image", count)
    return sources


@pytest.fixture
def pair(make_encoder):
    """Return two encoders of one column with different networks."""
    return [make_encoder(name, seed=seed, column="path") for seed, name in enumerate(("a", "b"))]


def test_two_backbones_decode_each_image_once(store, pair, posters, decoded, tmp_path):
    assert store.compute_features(pair, {"path": posters}, verbose=0) == 20
    assert sorted(decoded) == [*map(str, posters)]
    alone = FeatureStore(tmp_path / "alone", dtype="float32")
    for encoder in pair:
        assert store.count_uncomputed(encoder, posters) == 0
        np.testing.assert_allclose(
            store.get_features(encoder, posters, verbose=0),
            alone.get_features(encoder, posters, verbose=0),
            rtol=1e-5,
        )


def test_repeated_rows_are_computed_once(store, pair, posters, decoded, compute):
    data = pd.DataFrame({"path": [*posters[:3], *posters[:3]]}, index=list("uvwxyz"))
    assert store.compute_features(pair, data, verbose=0) == 6
    assert len(decoded) == 3
    features = store.load_features(pair, data, verbose=0)
    for encoder in pair:
        (plain,) = features[encoder.name]
        np.testing.assert_allclose(plain, compute(encoder, data["path"]), rtol=1e-5)


@pytest.mark.parametrize("option", [{"resampling": "nearest"}, {"size": 9}, {"column": "other"}])
def test_encoders_that_read_images_differently_do_not_share_the_decoding(
    store, make_encoder, posters, decoded, compute, option
):
    encoders = [
        make_encoder("a", column="path"),
        make_encoder("b", **{"seed": 2, "column": "path", **option}),
    ]
    data = {"path": posters[:4], "other": posters[5:9]}
    assert store.compute_features(encoders, data, verbose=0) == 8
    assert len(decoded) == 8
    for encoder in encoders:
        values = encoder.select(data)
        np.testing.assert_allclose(
            store.get_features(encoder, values, verbose=0),
            compute(encoder, values),
            rtol=1e-5,
            atol=1e-7,
        )


def test_only_features_not_in_the_store_are_computed(
    store, pair, posters, decoded, counter, compute
):
    one, other = pair
    store.get_features(one, posters[:6], verbose=0)
    store.get_features(other, posters[4:7], verbose=0)
    decoded.clear()
    counters = [counter, type(counter)()]
    for encoder, watching in zip(pair, counters, strict=True):
        watching.watch(encoder.get_backbone())
    assert store.compute_features(pair, {"path": posters}, verbose=0) == 4 + 7
    assert [watching.rows for watching in counters] == [4, 7]
    # Both backbones have the features of images 4 and 5.
    assert sorted(decoded) == [*map(str, [*posters[:4], *posters[6:]])]
    assert store.compute_features(pair, {"path": posters}, verbose=0) == 0
    for encoder in pair:
        np.testing.assert_allclose(
            store.get_features(encoder, posters, verbose=0), compute(encoder, posters), rtol=1e-5
        )


def test_two_encoders_with_the_same_network_share_a_pass(store, make_network, posters, counter):
    network = make_network()
    encoders = [ImageEncoder(name, backbone=network, column="path") for name in ("a", "b")]
    for encoder in encoders:
        counter.watch(encoder.get_backbone())
    assert store.compute_features(encoders, {"path": posters}, verbose=0) == 10
    assert counter.rows == 10
    features = store.load_features(encoders, {"path": posters}, verbose=0)
    np.testing.assert_array_equal(features["a"][0], features["b"][0])


@pytest.fixture
def passes(monkeypatch):
    """Return a list to which the number of rows of each forward pass is appended."""
    n_rows = []
    predict_batch = _frozen_pass.predict_batch

    def count(model, batch):
        n_rows.append(len(batch))
        return predict_batch(model, batch)

    monkeypatch.setattr(_frozen_pass, "predict_batch", count)
    return n_rows


@pytest.fixture
def variants(make_network):
    """Return encoders of one column with several poolings and layers of one network."""
    options = {
        "avg": {},
        "both": {"pooling": ("avg", "max")},
        "early": {"layers": ["first"]},
        "all": {"layers": ["first", "last"], "pooling": ["max", "avg"]},
    }
    encoders = []
    for name, option in options.items():
        network = make_network()
        network.layers[-1].name = "first"
        kernel = keras.initializers.GlorotUniform(2)
        network.add(keras.layers.Conv2D(5, 3, kernel_initializer=kernel, name="last"))
        encoders.append(ImageEncoder(name, column="path", backbone=network, **option))
    return encoders


def test_poolings_and_layers_of_one_network_come_from_one_pass(
    store, variants, posters, decoded, passes, compute
):
    assert store.compute_features(variants, {"path": posters}, verbose=0) == 10
    assert sum(passes) == len(decoded) == 10
    features = store.load_features(variants, {"path": posters}, verbose=0)
    assert sum(passes) == 10
    for encoder in variants:
        (plain,) = features[encoder.name]
        np.testing.assert_allclose(plain, compute(encoder, posters), rtol=1e-4, atol=1e-6)
    assert [features[encoder.name].shape[2] for encoder in variants] == [5, 10, 4, 18]


def test_one_pass_computes_only_the_rows_that_a_folder_lacks(
    store, variants, posters, passes, compute, capsys
):
    one, other, early, _ = variants
    store.get_features(one, posters, verbose=0)
    store.get_features(other, posters[:6], verbose=0)
    store.get_features(early, posters[3:5], verbose=0)
    passes.clear()
    # Rows 0 to 2 and 5 to 9 lack those of the early layer, and rows 6 to 9 both.
    assert store.compute_features(variants[:3], {"path": posters}) == sum(passes) == 8
    assert "features of 8 images of 'avg' with network" in (shown := capsys.readouterr().out)
    assert "8/8" in shown
    features = store.load_features(variants[:3], {"path": posters}, verbose=0)
    for encoder in variants[:3]:
        (plain,) = features[encoder.name]
        np.testing.assert_allclose(plain, compute(encoder, posters), rtol=1e-4, atol=1e-6)
    assert sum(passes) == 8


def test_augmented_views_of_several_layers_come_from_one_pass(store, variants, posters, passes):
    flips = Augmentation([keras.layers.RandomFlip("horizontal")], views=2)
    for encoder in variants:
        encoder.set_params(augmentation=flips)
    data = {"path": posters[:5]}
    assert store.compute_features(variants, data, augment=True, verbose=0) == sum(passes) == 15


def test_no_model_is_joined_for_a_single_batch(store, variants, posters, passes):
    assert store.compute_features(variants, {"path": posters[:4]}, verbose=0) == 16
    assert passes == [4] * 4


def test_an_encoder_given_twice_is_computed_once(store, make_encoder, posters):
    encoder = make_encoder()
    assert store.compute_features([encoder, encoder], {"poster": posters}, verbose=0) == 10


def test_encoders_without_frozen_layers_are_skipped(store, pair, make_encoder, posters):
    words = BagOfWordsEncoder("cast").fit([["Ann"], ["Bob"]])
    trained = make_encoder("trained", seed=3, column="path", trainable_layers="all")
    data = {"path": posters[:2], "cast": [["Ann"], ["Bob"]]}
    encoders = [words, pair[1], trained, pair[0]]
    assert store.compute_features(encoders, data, verbose=0) == 4
    features = store.load_features(encoders, data, verbose=0)
    assert list(features) == ["b", "a"]
    assert [array.shape for array in features.values()] == [(1, 2, 4)] * 2
    assert store.compute_features([words], data, verbose=0) == 0
    assert store.load_features([words], data, verbose=0) == {}


def test_no_rows_have_no_features(store, pair):
    assert store.compute_features(pair, {"path": []}, verbose=0) == 0
    features = store.load_features(pair, {"path": []}, verbose=0)
    assert [array.shape for array in features.values()] == [(1, 0, 4)] * 2


def test_an_interrupted_pass_keeps_the_features_of_both_backbones(store, pair, posters, counter):
    counter.watch(pair[1].get_backbone())
    counter.stop_after = 2
    with pytest.raises(KeyboardInterrupt):
        store.compute_features(pair, {"path": posters}, verbose=0)
    assert store.count_uncomputed(pair[0], posters) == 0
    assert store.count_uncomputed(pair[1], posters) == 2


def test_the_error_names_the_unreadable_image(store, pair, posters):
    posters[3].write_bytes(b"not an image")
    with pytest.raises(
        ImageReadError, match=r"Modality 'a': the image '.*3\.png' in row 3 cannot be read"
    ):
        store.compute_features(pair, {"path": posters}, verbose=0)


def test_an_absent_column_is_refused_before_anything_is_computed(store, pair, posters, counter):
    counter.watch(pair[0].get_backbone())
    strange = ImageEncoder("c", backbone=pair[0].get_backbone(), column="nowhere")
    with pytest.raises(ModalityError, match="'c' reads the column"):
        store.compute_features([pair[0], strange], {"path": posters}, verbose=0)
    assert counter.rows == 0


def test_load_features_needs_distinct_names(store, make_encoder, posters):
    encoders = [make_encoder(seed=seed) for seed in (1, 2)]
    assert store.compute_features(encoders, {"poster": posters}, verbose=0) == 20
    with pytest.raises(ModalityError, match="distinct names"):
        store.load_features(encoders, {"poster": posters}, verbose=0)


def test_the_progress_bar_counts_all_backbones(store, make_network, posters, capsys):
    encoders = [
        ImageEncoder(name, backbone=make_network(seed, name=name), column="path")
        for seed, name in enumerate(("first", "second"))
    ]
    store.compute_features(encoders, {"path": posters[:4]})
    shown = capsys.readouterr().out
    assert "features of 4 images of 'first' with first and second, 8 in all" in shown
    assert "8/8" in shown
