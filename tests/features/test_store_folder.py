"""Folders that are no store and damaged stores give clear errors, never wrong features."""

import json
import re
import shutil

import numpy as np
import pytest

from multimodal_ensemble import FeatureStore
from multimodal_ensemble.exceptions import FeatureStoreError
from multimodal_ensemble.features._shards import ShardFolder


def contents(folder):
    return {path.relative_to(folder): path.stat().st_mtime_ns for path in folder.rglob("*")}


def test_a_new_and_an_empty_folder_become_stores(tmp_path, make_encoder, posters):
    (tmp_path / "empty").mkdir()
    for name in ("empty", "deep/er"):
        store = FeatureStore(str(tmp_path / name))
        assert json.loads((tmp_path / name / "feature_store.json").read_text()) == {"format": 3}
        store.get_features(make_encoder(), posters, verbose=0)
        assert FeatureStore(tmp_path / name).count_uncomputed(make_encoder(), posters) == 0


@pytest.mark.parametrize("what", ["notes.txt", "subfolder", ".hidden"])
def test_a_folder_of_something_else_is_unchanged(tmp_path, what):
    path = tmp_path / what
    path.mkdir() if what == "subfolder" else path.write_text("mine")
    before = contents(tmp_path)
    with pytest.raises(FeatureStoreError, match="neither a feature store nor an empty folder"):
        FeatureStore(tmp_path)
    assert contents(tmp_path) == before


def test_a_file_is_refused_as_a_folder(tmp_path):
    path = tmp_path / "file"
    path.write_text("mine")
    with pytest.raises(FeatureStoreError, match=re.escape(str(path))):
        FeatureStore(path)
    assert path.read_text() == "mine"


@pytest.mark.parametrize(
    ("marker", "found"),
    [('{"format": 2}', "2"), ("not JSON", "unknown"), ("[1]", "unknown"), ("{}", "unknown")],
)
def test_a_store_of_another_format_is_refused_and_unchanged(tmp_path, marker, found):
    (tmp_path / "feature_store.json").write_text(marker)
    before = contents(tmp_path)
    with pytest.raises(FeatureStoreError, match=f"of format {found}, and this version reads"):
        FeatureStore(tmp_path)
    assert contents(tmp_path) == before


def test_an_unfinished_marker_of_another_process_is_no_obstacle(tmp_path):
    # A process that is killed before it renames the marker leaves this file behind.
    (tmp_path / ".feature_store.json.0123.tmp").write_text("{")
    FeatureStore(tmp_path)
    assert (tmp_path / "feature_store.json").is_file()


@pytest.mark.parametrize("batch_size", [0, -1, "4", True])
def test_an_invalid_batch_size_is_refused(tmp_path, batch_size):
    with pytest.raises(ValueError, match="batch_size must be a whole number of at least 1"):
        FeatureStore(tmp_path / "store", batch_size=batch_size, dtype="float32")
    assert not (tmp_path / "store").exists()


@pytest.fixture
def shard(store, make_encoder, posters):
    store.get_features(make_encoder(), posters, verbose=0)
    (path,) = store.folder.glob("*/*.shard")
    return path


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: b"",
        lambda whole: whole[:-1],
        lambda whole: whole[: len(whole) // 2],
        lambda whole: b"not a zip file",
        lambda whole: whole.replace(b"digests.npy", b"othersx.npy"),
    ],
    ids=["empty", "a byte short", "cut in half", "something else", "without digests"],
)
def test_a_damaged_shard_is_named(store, make_encoder, posters, shard, damage):
    shard.write_bytes(damage(shard.read_bytes()))
    store = FeatureStore(store.folder, dtype="float32")
    with pytest.raises(FeatureStoreError, match=re.escape(repr(str(shard)))) as caught:
        store.get_features(make_encoder(), posters, verbose=0)
    assert "Delete it" in str(caught.value)


def test_a_deleted_shard_is_recomputed(store, make_encoder, posters, shard, compute):
    shard.write_bytes(b"")
    shard.unlink()
    features = store.get_features(make_encoder(), posters, verbose=0)
    np.testing.assert_allclose(features, compute(make_encoder(), posters), rtol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_no_flipped_bit_changes_features_silently(tmp_path, dtype):
    shards = ShardFolder(tmp_path, dtype)
    keys = [bytes([number]) * 32 for number in range(3)]
    expected = np.arange(6, dtype="float32").reshape(3, 2)
    shards.write(keys, expected)
    (shard,) = tmp_path.glob("*.shard")
    whole = shard.read_bytes()
    noticed = 0
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] ^= (1, 128)[position % 2]
        shard.write_bytes(damaged)
        try:
            shards = ShardFolder(tmp_path)
            shards.index()
            features = np.empty((3, 2), dtype="float32")
            shards.read(keys, features)
        except FeatureStoreError:
            noticed += 1
        else:
            np.testing.assert_array_equal(features, expected)
    assert noticed > len(whole) / 2


def test_a_store_whose_folder_was_deleted_begins_again(tmp_path, make_encoder, posters):
    store = FeatureStore(tmp_path / "store")
    before = store.get_features(make_encoder(), posters, verbose=0)
    shutil.rmtree(store.folder)
    assert (store.n_bytes, store.entries(), store.verify(), store.prune()) == (0, [], {}, 0)
    after = store.get_features(make_encoder(), posters, verbose=0)
    np.testing.assert_array_equal(after, before)
    # Another process opens it without a warning.
    assert FeatureStore(store.folder).count_uncomputed(make_encoder(), posters) == 0
