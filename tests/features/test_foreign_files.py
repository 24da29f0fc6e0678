"""A store removes only files that it has written, and none that a running pass needs."""

import os
import shutil
import subprocess
import time
from datetime import timedelta

import numpy as np
import pytest

from multimodal_ensemble import FeatureStore
from multimodal_ensemble.exceptions import FeatureStoreError
from multimodal_ensemble.features import _compute_features, _shards, _size_limit
from multimodal_ensemble.features._contents import backbone_path
from multimodal_ensemble.features._leases import Lease
from multimodal_ensemble.saving import make_token

DAY = 24 * 3600
# Times that a wrong clock gives, in seconds from now.
SKEWS = [-400 * DAY, -3 * DAY, 3 * DAY, 400 * DAY]


def shards(store):
    return sorted(store.folder.glob("*/*.shard"))


def shift(folder, seconds):
    """Change the times of all files in a folder."""
    for path in folder.rglob("*"):
        if not path.is_symlink():
            then = path.stat().st_mtime + seconds
            os.utime(path, (then, then))


def empty(store):
    """Remove all that a store can remove."""
    FeatureStore(store.folder).prune(
        max_bytes=0, unused_for=timedelta(0), keys=[entry.key for entry in store.entries()]
    )
    FeatureStore(store.folder).verify(remove=True)


def snapshot(folder):
    return {
        path.relative_to(folder): path.readlink()
        if path.is_symlink()
        else path.read_bytes()
        if path.is_file()
        else None
        for path in folder.rglob("*")
    }


def test_foreign_files_and_links_stay(store, make_encoder, posters, tmp_path):
    encoder = make_encoder()
    store.get_features(encoder, posters[:4], verbose=0)
    (shard,) = shards(store)
    folder, outside = shard.parent, tmp_path / "outside"
    # A copy of the store's folder: all names are right, and it lies outside.
    shutil.copytree(store.folder, outside)
    (outside / ".gitignore").write_text("*")
    before = snapshot(outside)
    foreign = [
        store.folder / ".gitignore",
        store.folder / ".DS_Store",
        store.folder / "notes.npz",
        store.folder / shard.name,
        store.folder / ".pass.notes.lease",
        folder / "features.npz",
        folder / "mine.shard",
        folder / f"{shard.stem.upper()}X.shard",
        folder / ".nfs0000001",
        folder / ".mine.tmp",
        folder / "model.keras",
        store.folder / "notes" / "backbone.json",
    ]
    (store.folder / "notes").mkdir()
    for path in foreign:
        path.write_bytes(b"mine")
    # The name of a shard, but not the content of one.
    foreign.append(folder / f"{'0' * 32}.shard")
    foreign[-1].write_bytes(b"PK\x03\x04 mine")
    links = [folder / f"{'1' * 32}.shard", store.folder / ("ab" * 32), store.folder / "cd"]
    links[0].symlink_to(next(outside.glob("*/*.shard")))
    links[1].symlink_to(next(path for path in outside.iterdir() if path.is_dir()))
    links[2].symlink_to(outside)
    shift(store.folder, -400 * DAY)
    limited = FeatureStore(store.folder, dtype="float32", max_bytes=2000)
    foreign[-1].rename(folder / "aside")
    limited.get_features(make_encoder(seed=2), posters, verbose=0)
    (folder / "aside").rename(foreign[-1])
    store.prune(max_bytes=0, unused_for=timedelta(0))
    assert not shard.exists()
    assert all(path.exists() for path in foreign)
    assert all(path.is_symlink() for path in links)
    assert snapshot(outside) == before


@pytest.mark.parametrize("seconds", SKEWS)
def test_what_a_running_pass_needs_stays_whatever_the_clocks_say(
    store, make_encoder, posters, compute, counter, monkeypatch, seconds
):
    monkeypatch.setattr(_compute_features, "ROWS_PER_SHARD", 2)
    encoder, other = make_encoder(), make_encoder(seed=2)
    store.get_features(encoder, posters[:4], verbose=0)
    store.get_features(other, posters, verbose=0)
    expected = compute(encoder, posters)
    counter.watch(encoder.get_backbone())
    predict = encoder.get_backbone().predict_on_batch

    def beside_a_process_that_empties_the_store(batch):
        shift(store.folder, seconds)
        empty(store)
        return predict(batch)

    monkeypatch.setattr(
        encoder.get_backbone(), "predict_on_batch", beside_a_process_that_empties_the_store
    )
    features = store.get_features(encoder, posters, verbose=0)
    np.testing.assert_allclose(features, expected, rtol=1e-5)
    assert counter.rows == 6
    assert len(store.entries()) == 1
    assert not list(store.folder.glob(".pass.*"))
    empty(store)
    assert [path.name for path in store.folder.iterdir()] == ["feature_store.json"]


def test_a_limited_pass_of_another_store_evicts_nothing_that_a_pass_needs(
    store, make_encoder, posters, compute, counter, monkeypatch
):
    encoder, other = make_encoder(), make_encoder(seed=2)
    store.get_features(encoder, posters[:5], verbose=0)
    size = store.n_bytes
    expected = compute(encoder, posters)
    counter.watch(encoder.get_backbone())
    predict = encoder.get_backbone().predict_on_batch
    limited = FeatureStore(store.folder, dtype="float32", max_bytes=size + 1000)

    def beside_another_pass(batch):
        shift(store.folder, -DAY)
        limited.get_features(other, posters[:5], verbose=0)
        return predict(batch)

    monkeypatch.setattr(encoder.get_backbone(), "predict_on_batch", beside_another_pass)
    features = store.get_features(encoder, posters, verbose=0)
    np.testing.assert_allclose(features, expected, rtol=1e-5)
    assert counter.rows == 5
    # Once no pass needs them, the limit holds again.
    limited.get_features(other, posters[5:6], verbose=0)
    assert limited.n_bytes <= limited.max_bytes


@pytest.mark.parametrize("seconds", SKEWS)
def test_a_backbone_file_stays_until_its_pass_ends(store, make_encoder, posters, seconds):
    store.get_features(make_encoder(), posters[:1], verbose=0)
    folder = shards(store)[0].parent
    with Lease(store.folder) as lease:
        lease.protect([f"{folder.name}/"])
        backbone = backbone_path(folder, lease.token)
        backbone.write_bytes(b"PK\x03\x04")
        n_bytes = store.n_bytes
        shift(store.folder, seconds)
        empty(store)
        assert backbone.exists()
        assert store.n_bytes < n_bytes
    # The process lives, so another of its threads could still need the file.
    empty(store)
    assert backbone.exists()


@pytest.fixture
def killed(store, make_encoder, posters, monkeypatch):
    """Return a store, and the files that a killed process of this machine leaves in it."""
    store.get_features(make_encoder(), posters[:4], verbose=0)
    (shard,) = shards(store)
    ended = subprocess.Popen(["true"])
    ended.wait()
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", lambda: ended.pid)
        token = make_token()
    left = [
        store.folder / f".feature_store.json.{token}.tmp",
        store.folder / f".pass.{token}.lease",
        shard.parent / f".{shard.name}.{token}.tmp",
        shard.parent / f".backbone.json.{token}.tmp",
        backbone_path(shard.parent, token),
    ]
    for path in left:
        path.write_bytes(b"12345")
    left[1].write_text(f"multimodal_ensemble features\n{shard.parent.name}/{shard.name}\n")
    return store, left


def test_leftovers_of_killed_processes_are_found_and_removed_at_once(killed):
    store, left = killed
    assert set(store.verify()) == set(left)
    assert all("does not run any more" in reason for reason in store.verify().values())
    assert store.verify(remove=True).keys() == set(left)
    assert store.verify() == {}
    assert len(shards(store)) == 1


def test_pruning_and_the_next_pass_remove_leftovers_of_killed_processes(
    killed, make_encoder, posters
):
    store, left = killed
    contents = {path: path.read_bytes() for path in left}
    assert store.prune() == sum(map(len, contents.values()))
    assert not any(path.exists() for path in left)
    for path, content in contents.items():
        path.write_bytes(content)
    store.get_features(make_encoder(), posters[4:5], verbose=0)
    assert not any(path.exists() for path in left)
    # The lease of a killed process protects nothing.
    left[1].write_bytes(contents[left[1]])
    empty(store)
    assert not shards(store)


def test_unfinished_files_of_unknown_owners_count_as_bytes_of_a_limited_store(
    store, make_encoder, posters
):
    store.get_features(make_encoder(), posters[:4], verbose=0)
    (shard,) = shards(store)
    left = shard.with_name(f".{shard.name}.{'0' * 32}.tmp")
    left.write_bytes(b"1" * 5000)
    assert store.n_bytes > 6000
    assert store.prune(max_bytes=6000) > 0
    assert not shard.exists()
    assert left.exists()


# -- other backbones' features -----------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1,), (6,), (4, 1), ()])
def test_features_of_another_shape_are_recomputed(store, make_encoder, posters, compute, shape):
    encoder = make_encoder()
    store.get_features(encoder, posters[:1], verbose=0)
    (shard,) = shards(store)
    folder = _shards.ShardFolder(shard.parent)
    digests = encoder.content_digests(encoder.prepare(posters))
    folder.write(digests, np.ones((10, *shape), "float32"))
    for _ in range(2):
        fresh = FeatureStore(store.folder, dtype="float32")
        features = fresh.get_features(encoder, posters, verbose=0)
        np.testing.assert_allclose(features, compute(encoder, posters), rtol=1e-5)


def test_a_shard_in_the_folder_of_another_backbone_is_found_and_not_used(
    store, make_encoder, posters, compute
):
    encoders = [make_encoder(seed=seed) for seed in (1, 2)]
    for encoder in encoders:
        store.get_features(encoder, posters, verbose=0)
    one, two = shards(store)
    content = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(content)
    assert set(store.verify()) == {one, two}
    for opened in (store, FeatureStore(store.folder, dtype="float32")):
        for encoder in encoders:
            features = opened.get_features(encoder, posters, verbose=0)
            np.testing.assert_allclose(features, compute(encoder, posters), rtol=1e-5)
    assert store.verify(remove=True).keys() == {one, two}
    assert store.verify() == {}


def test_shards_that_change_places_after_they_were_indexed_are_not_mixed_up(
    store, make_encoder, posters, compute
):
    encoder = make_encoder()
    for rows in (posters[:5], posters[5:]):
        store.get_features(encoder, rows, verbose=0)
    one, two = shards(store)
    content = one.read_bytes()
    one.write_bytes(two.read_bytes())
    two.write_bytes(content)
    features = store.get_features(encoder, posters, verbose=0)
    np.testing.assert_allclose(features, compute(encoder, posters), rtol=1e-5)


# -- the marker --------------------------------------------------------------------------------


def damaged_markers():
    whole = b'{\n  "format": 3\n}'
    flipped = [
        whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :]
        for place in range(len(whole))
        for bit in (0, 2, 7)
    ]
    return [*flipped, *(whole[:end] for end in range(len(whole))), b"\0" * 20, b"[" * 5000, None]


def test_a_damaged_marker_of_a_filled_store_is_written_again(
    store, make_encoder, posters, monkeypatch
):
    monkeypatch.setattr(os, "fsync", lambda _: None)
    encoder = make_encoder()
    store.get_features(encoder, posters, verbose=0)
    marker = store.folder / "feature_store.json"
    whole = marker.read_bytes()
    for damaged in damaged_markers():
        marker.unlink() if damaged is None else marker.write_bytes(damaged)
        with pytest.warns(UserWarning, match="was damaged or lost"):
            opened = FeatureStore(store.folder, dtype="float32")
        assert marker.read_bytes() == whole
    assert opened.count_uncomputed(encoder, posters) == 0
    assert opened.verify() == {}


def test_a_damaged_marker_without_readable_features_says_how_to_continue(tmp_path):
    FeatureStore(tmp_path)
    marker = tmp_path / "feature_store.json"
    for damaged in damaged_markers()[:-1]:
        marker.write_bytes(damaged)
        with pytest.raises(FeatureStoreError, match=r"is damaged, and .* delete the folder"):
            FeatureStore(tmp_path)
        assert marker.read_bytes() == damaged


def test_a_marker_is_not_written_for_files_that_are_no_shards(tmp_path):
    folder = tmp_path / ("ab" * 32)
    folder.mkdir()
    (folder / f"{'0' * 32}.shard").write_bytes(b"mine")
    with pytest.raises(FeatureStoreError, match="neither a feature store nor an empty folder"):
        FeatureStore(tmp_path)
    assert not (tmp_path / "feature_store.json").exists()


# -- large stores ------------------------------------------------------------------------------


@pytest.mark.parametrize("max_bytes", [None, 10**6])
def test_a_pass_lists_a_slow_folder_a_few_times(
    tmp_path, make_encoder, posters, monkeypatch, max_bytes
):
    monkeypatch.setattr(_compute_features, "ROWS_PER_SHARD", 1)
    listings = []

    def make_slow(module, name):
        function = getattr(module, name)

        def list_slowly(folder):
            listings.append(name)
            time.sleep(0.1)
            return function(folder)

        monkeypatch.setattr(module, name, list_slowly)

    make_slow(_shards, "list_shards")
    make_slow(_size_limit, "list_files")
    store = FeatureStore(tmp_path / "store", max_bytes=max_bytes)
    assert store.compute_features([make_encoder()], {"poster": posters}, verbose=0) == 10
    assert listings.count("list_shards") <= 4
    assert listings.count("list_files") <= 2


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes exist on POSIX systems only")
def test_a_description_that_is_no_regular_file_is_not_opened(store, make_encoder, posters):
    store.get_features(make_encoder(), posters[:1], verbose=0)
    description = next(store.folder.glob("*/backbone.json"))
    description.unlink()
    os.mkfifo(description)
    assert [entry.network for entry in store.entries()] == ["unknown"]
