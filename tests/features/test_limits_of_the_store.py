"""Regressions: limits, leftovers and arguments of a store."""

import re
from datetime import timedelta

import keras
import numpy as np
import pytest

from multimodal_ensemble import FeatureStore
from multimodal_ensemble._half_precision import from_half, to_half
from multimodal_ensemble.encoders import Augmentation
from multimodal_ensemble.exceptions import FeatureStoreError, ModalityError


def test_encoders_that_share_a_network_count_once(tmp_path, make_encoder, posters):
    wide = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(512, 3)])
    encoders = [make_encoder(name, network=wide, column="path") for name in "ab"]
    plain = FeatureStore(tmp_path / "plain")
    plain.compute_features(encoders, {"path": posters}, verbose=0)
    limited = FeatureStore(tmp_path / "limited", max_bytes=int(1.5 * plain.n_bytes))
    assert limited.compute_features(encoders, {"path": posters}, verbose=0) == len(posters)


def test_a_limit_that_digests_alone_exceed_is_reported_before_any_work(
    tmp_path, make_encoder, posters, counter
):
    encoder = make_encoder()
    counter.watch(encoder.get_backbone())
    store = FeatureStore(tmp_path / "store", max_bytes=10 * 4 * 2 + 100)
    with pytest.raises(FeatureStoreError, match=r"need [\d,]+ bytes, .* Raise the limit"):
        store.get_features(encoder, posters, verbose=0)
    assert counter.rows == 0


def test_the_largest_float32_stays_finite():
    largest = np.finfo(np.float32).max
    features = np.array([[largest, -1.0], [-largest, 1.0]], dtype=np.float32)
    np.testing.assert_allclose(from_half(*to_half(features)), features, rtol=2**-11, atol=1e31)


@pytest.mark.slow
def test_verify_and_reading_report_the_same_damage(store, make_encoder, posters):
    store.get_features(make_encoder(), posters, verbose=0)
    (shard,) = store.folder.glob("*/*.shard")
    whole = shard.read_bytes()
    for position in range(0, 200, 3):
        damaged = bytearray(whole)
        damaged[position] ^= 128
        shard.write_bytes(damaged)
        message = ""
        try:
            FeatureStore(store.folder, dtype="float32").get_features(
                make_encoder(), posters, verbose=0
            )
        except FeatureStoreError as error:
            message = str(error)
        if message:
            assert FeatureStore(store.folder).verify()[shard] == message


def test_pruning_removes_an_empty_folder_of_a_backbone(store):
    for name in ("ab" * 32, "abc"):
        (store.folder / name).mkdir()
    store.prune()
    assert not (store.folder / ("ab" * 32)).exists()
    assert (store.folder / "abc").exists()


@pytest.mark.parametrize("unused_for", [5, timedelta(days=-1)])
def test_an_invalid_duration_is_refused(store, make_encoder, posters, unused_for):
    store.get_features(make_encoder(), posters, verbose=0)
    message = f"unused_for must be .* Received unused_for={re.escape(repr(unused_for))}; try"
    with pytest.raises(ValueError, match=message):
        store.prune(unused_for=unused_for)
    assert store.count_uncomputed(make_encoder(), posters) == 0


def test_a_view_must_be_a_whole_number(store, make_encoder, posters):
    encoder = make_encoder(augmentation=Augmentation(keras.layers.RandomFlip(), views=2))
    with pytest.raises(ModalityError, match=r"numbered from 0\. Received view=1\.5"):
        store.get_features(encoder, posters, view=1.5, verbose=0)
