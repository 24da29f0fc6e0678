"""A store lists its content, finds damage, and removes nothing that is needed."""

import os
import re
import shutil
import time
from datetime import UTC, datetime, timedelta

import keras
import numpy as np
import pandas as pd
import pytest

from multimodal_ensemble import FeatureStore
from multimodal_ensemble.encoders import Augmentation
from multimodal_ensemble.exceptions import FeatureStoreError
from multimodal_ensemble.saving import read_archive, write_archive
from tests.toys import make_poster, write_images

DAY = 24 * 3600


@pytest.fixture(scope="module")
def pair():
    """Return two encoders, whose graphs are traced once."""
    return [
        make_poster("poster", seed=1),
        make_poster("still", seed=2, size=9, resampling="nearest"),
    ]


@pytest.fixture(scope="module")
def filled_once(pair, tmp_path_factory):
    """Return a folder with ten rows of the first backbone, in two files, and four of the other."""
    folder = tmp_path_factory.mktemp("filled")
    posters = write_images(folder / "posters", 10)
    store = FeatureStore(folder / "store", batch_size=4, dtype="float32")
    store.get_features(pair[0], posters[:3], verbose=0)
    store.get_features(pair[0], posters[3:], verbose=0)
    store.get_features(pair[1], posters[:4], verbose=0)
    return store.folder


@pytest.fixture
def filled(filled_once, tmp_path):
    """Return a store with a copy of these files, which were all written now."""
    folder = tmp_path / "store"
    shutil.copytree(filled_once, folder, copy_function=shutil.copyfile)
    return FeatureStore(folder, batch_size=4, dtype="float32")


def shards(store, modality=None):
    keys = {
        entry.key for entry in store.entries() if modality is None or entry.modality == modality
    }
    return sorted(path for path in store.folder.glob("*/*.shard") if path.parent.name in keys)


def make_older(paths, seconds):
    then = time.time() - seconds
    for path in paths:
        os.utime(path, (then, then))


def size_of(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


# -- entries -----------------------------------------------------------------------------------


def test_entries_describe_the_content(filled):
    before = datetime.now(UTC)
    make_older(shards(filled, "still"), 60)
    poster, still = filled.entries()
    assert (poster.modality, poster.network, poster.dtype) == ("poster", "network", "float32")
    assert (poster.input_shape, poster.feature_shape) == ((8, 8, 3), (4,))
    assert (poster.n_rows, poster.n_files) == (10, 2)
    assert poster.n_bytes == sum(path.stat().st_size for path in shards(filled, "poster"))
    assert poster.encoding == {"reader_version": 1, "resampling": "bilinear"}
    assert (still.modality, still.input_shape, still.n_rows, still.n_files) == (
        "still",
        (9, 9, 3),
        4,
        1,
    )
    assert still.encoding["resampling"] == "nearest"
    assert abs(poster.last_used - before) < timedelta(seconds=30)
    assert abs(still.last_used - before + timedelta(seconds=60)) < timedelta(seconds=30)
    assert {entry.key for entry in (poster, still)} == {
        path.name for path in filled.folder.iterdir() if path.is_dir()
    }


def test_entries_are_ordered_by_last_use(filled, pair, posters):
    make_older(shards(filled, "poster"), 200)
    make_older(shards(filled, "still"), 100)
    assert [entry.modality for entry in filled.entries()] == ["still", "poster"]
    filled.get_features(pair[0], posters[:1], verbose=0)
    assert [entry.modality for entry in filled.entries()] == ["poster", "still"]


def test_counting_missing_features_does_not_count_as_use(filled, pair, posters):
    make_older(shards(filled), 100)
    before = [entry.last_used for entry in filled.entries()]
    filled.count_uncomputed(pair[0], posters)
    filled.verify()
    assert [entry.last_used for entry in filled.entries()] == before


def test_entries_convert_to_a_table(filled):
    table = pd.DataFrame(filled.entries())
    assert table["n_rows"].sum() == 14
    assert set(table["modality"]) == {"poster", "still"}
    assert str(table["last_used"].dt.tz) == "UTC"


def test_views_count_as_rows(store, make_encoder, posters):
    encoder = make_encoder(augmentation=Augmentation(keras.layers.RandomFlip(), views=2))
    store.compute_features([encoder], {"poster": posters}, augment=True, verbose=0)
    (entry,) = store.entries()
    assert entry.n_rows == 30


def test_an_empty_store_has_no_entries(store):
    assert store.entries() == []
    assert store.verify() == {}
    assert store.prune() == 0


def test_features_without_a_description_are_found_and_listed(filled, pair, posters):
    for path in filled.folder.glob("*/backbone.json"):
        path.write_text("not JSON")
    assert {entry.modality for entry in filled.entries()} == {"unknown"}
    assert filled.count_uncomputed(pair[0], posters) == 0


def test_n_bytes_is_the_size_of_all_files(filled):
    assert filled.n_bytes == size_of(filled.folder) > 0


# -- verify ------------------------------------------------------------------------------------


def with_other_arrays(**changes):
    def damage(path):
        name = "multimodal_ensemble features"
        document, shard = read_archive(path, format_name=name, max_version=1)
        with shard:
            arrays = {key: shard[key] for key in shard}
        write_archive(path, document, arrays | changes)

    return damage


DAMAGES = {
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-30]),
    "something else": lambda path: path.write_text("not a shard"),
    "a flipped bit": lambda path: path.write_bytes(
        path.read_bytes().replace(b"\x93NUMPY", b"\x92NUMPY")
    ),
    "fewer digests": with_other_arrays(digests=np.zeros((1, 32), "uint8")),
    "fewer rows": with_other_arrays(features=np.ones((1, 4), "float32")),
    "more rows": with_other_arrays(features=np.ones((9, 4), "float32")),
    "other features": with_other_arrays(features=np.ones((3, 1), "float32")),
    "another axis": with_other_arrays(features=np.ones((3, 4, 1), "float32")),
    "no axis": with_other_arrays(features=np.ones((), "float32")),
    "another type": with_other_arrays(features=np.ones((3, 4), "float64")),
    "digests of another type": with_other_arrays(digests=np.ones((3, 32), "int16")),
    "no digests": with_other_arrays(digests=np.ones((), "uint8")),
    "half without exponents": with_other_arrays(features=np.ones((3, 4), "float16")),
    "too few exponents": with_other_arrays(
        features=np.ones((3, 4), "float16"), exponents=np.ones(1, "int16")
    ),
    "not finite": with_other_arrays(features=np.full((3, 4), np.nan, "float32")),
}


@pytest.mark.parametrize("damage", list(DAMAGES))
def test_damage_is_found_removed_and_computed_again(
    filled, pair, posters, compute, counter, damage
):
    path = min(shards(filled, "poster"), key=lambda path: path.stat().st_size)
    DAMAGES[damage](path)
    found = filled.verify()
    assert list(found) == [path]
    assert len(found[path]) > 5
    assert path.exists()
    assert filled.verify(remove=True) == found
    assert not path.exists()
    assert filled.verify() == {}
    expected = compute(pair[0], posters)
    counter.watch(pair[0].get_backbone())
    features = filled.get_features(pair[0], posters, verbose=0)
    np.testing.assert_allclose(features, expected, rtol=1e-5)
    assert counter.rows == 3


def test_each_damaged_file_is_reported(filled):
    damaged = [shards(filled, "poster")[0], *shards(filled, "still")]
    for path in damaged:
        path.write_bytes(b"")
    assert list(filled.verify()) == sorted(damaged)


def test_entries_of_a_damaged_store_name_the_file_and_the_fix(filled):
    path = shards(filled)[0]
    path.write_bytes(b"")
    with pytest.raises(FeatureStoreError, match=rf"{path.name}.*verify\(remove=True\)"):
        filled.entries()
    filled.verify(remove=True)
    assert sum(entry.n_files for entry in filled.entries()) == 2


def test_every_truncated_file_is_found(tmp_path, make_encoder, posters):
    store = FeatureStore(tmp_path / "store")
    store.get_features(make_encoder(), posters[:2], verbose=0)
    (path,) = shards(store)
    whole = path.read_bytes()
    for end in range(0, len(whole), 7):
        path.write_bytes(whole[:end])
        assert list(store.verify()) == [path], end


# -- prune -------------------------------------------------------------------------------------


def leave_behind(store):
    """Create files that killed writers leave behind, and return them."""
    (folder,) = {path.parent for path in shards(store, "poster")}
    left = [
        store.folder / ".feature_store.json.0.tmp",
        folder / ".0.shard.1.tmp",
        folder / ".backbone.2.keras",
    ]
    for path in left:
        path.write_bytes(b"12345")
    return left


def test_leftovers_older_than_a_day_are_removed(filled):
    left = leave_behind(filled)
    kept = shards(filled)
    make_older([*left, *kept], DAY + 60)
    assert filled.prune() == 15
    assert not any(path.exists() for path in left)
    assert shards(filled) == kept


def test_unfinished_files_of_other_processes_stay(filled):
    left = leave_behind(filled)
    make_older(left, DAY - 60)
    assert filled.prune() == 0
    assert filled.prune(unused_for=timedelta(0), max_bytes=0) > 0
    assert all(path.exists() for path in left)


def test_features_unused_for_long_are_removed(filled, pair, posters):
    old, *rest = shards(filled, "poster")
    make_older([old], 3 * DAY)
    make_older(rest, DAY)
    size = old.stat().st_size
    assert filled.prune(unused_for=timedelta(days=4)) == 0
    assert filled.prune(unused_for=timedelta(days=2)) == size
    assert shards(filled, "poster") == rest
    assert filled.count_uncomputed(pair[0], posters) in (3, 7)
    assert filled.count_uncomputed(pair[1], posters[:4]) == 0


def test_a_store_is_pruned_to_the_given_size(filled):
    order = [*shards(filled, "still"), *shards(filled, "poster")]
    for number, path in enumerate(order):
        make_older([path], 1000 - number)
    before = size_of(filled.folder)
    removed = filled.prune(max_bytes=before - 1)
    assert size_of(filled.folder) == before - removed < before
    # The folder of a backbone without features is also removed.
    assert not order[0].parent.exists()
    assert shards(filled) == sorted(order[1:])
    assert filled.prune(max_bytes=before) == 0


def test_a_store_can_be_emptied(filled, pair, posters, compute):
    before = size_of(filled.folder)
    marker = filled.folder / "feature_store.json"
    assert filled.prune(max_bytes=0) == before - marker.stat().st_size
    assert list(filled.folder.iterdir()) == [marker]
    features = filled.get_features(pair[0], posters, verbose=0)
    np.testing.assert_allclose(features, compute(pair[0], posters), rtol=1e-5)


def test_entries_are_removed_by_key(filled, pair, posters):
    poster, still = sorted(filled.entries(), key=lambda entry: entry.modality)
    before = size_of(filled.folder)
    removed = filled.prune(keys=[poster.key])
    assert size_of(filled.folder) == before - removed
    assert [entry.key for entry in filled.entries()] == [still.key]
    assert filled.count_uncomputed(pair[0], posters) == 10
    assert filled.count_uncomputed(pair[1], posters[:4]) == 0
    assert [path.name for path in filled.folder.iterdir() if path.is_dir()] == [still.key]
    filled.prune(keys=still.key)
    assert filled.entries() == []


def test_an_unknown_key_is_refused_and_nothing_removed(filled):
    before = shards(filled)
    known = filled.entries()[0].key
    with pytest.raises(FeatureStoreError, match=rf"no entries \['unknown'\]. It has .*{known}"):
        filled.prune(keys=[known, "unknown"], max_bytes=0)
    assert shards(filled) == before


@pytest.mark.parametrize("max_bytes", [-1, 1.5, "1", True])
def test_an_invalid_size_is_refused(filled, max_bytes):
    before = shards(filled)
    with pytest.raises(ValueError, match="max_bytes must be a whole number of at least 0"):
        filled.prune(max_bytes=max_bytes)
    assert shards(filled) == before


@pytest.mark.parametrize("max_bytes", [0, -1, 1e9, "1", True])
def test_an_invalid_limit_is_refused(tmp_path, max_bytes):
    with pytest.raises(ValueError, match="max_bytes must be a whole number of at least 1"):
        FeatureStore(tmp_path / "store", max_bytes=max_bytes)
    assert not (tmp_path / "store").exists()


# -- max_bytes ---------------------------------------------------------------------------------


@pytest.fixture
def three(make_encoder):
    return [make_encoder(name, seed=seed) for seed, name in enumerate(("one", "two", "three"))]


@pytest.fixture
def limited(store, three, posters):
    """Return a store that holds two backbones' features and has no room for a third's."""
    for encoder in three[:2]:
        store.get_features(encoder, posters, verbose=0)
    return FeatureStore(
        store.folder, batch_size=4, dtype="float32", max_bytes=size_of(store.folder) + 500
    )


@pytest.mark.parametrize("oldest", ["one", "two"])
def test_the_least_recently_used_features_make_room(limited, three, posters, compute, oldest):
    for modality in ("one", "two"):
        make_older(shards(limited, modality), 200 if modality == oldest else 100)
    limited.get_features(three[2], posters, verbose=0)
    assert size_of(limited.folder) <= limited.max_bytes
    assert {entry.modality for entry in limited.entries()} == {"one", "two", "three"} - {oldest}
    for encoder in three:
        features = limited.get_features(encoder, posters, verbose=0)
        np.testing.assert_allclose(features, compute(encoder, posters), rtol=1e-5)
        assert size_of(limited.folder) <= limited.max_bytes


def test_reading_counts_as_use(limited, three, posters):
    make_older(shards(limited, "one"), 200)
    make_older(shards(limited, "two"), 100)
    limited.get_features(three[0], posters, verbose=0)
    limited.get_features(three[2], posters, verbose=0)
    assert {entry.modality for entry in limited.entries()} == {"one", "three"}


def test_features_that_a_call_needs_stay(store, three, posters, compute, counter):
    store.get_features(three[0], posters[:5], verbose=0)
    store.get_features(three[1], posters, verbose=0)
    needed = shards(store, "one")
    make_older(needed, 200)
    make_older(shards(store, "two"), 100)
    limited = FeatureStore(
        store.folder, batch_size=4, dtype="float32", max_bytes=size_of(store.folder) + 100
    )
    expected = compute(three[0], posters)
    counter.watch(three[0].get_backbone())
    features = limited.get_features(three[0], posters, verbose=0)
    np.testing.assert_allclose(features, expected, rtol=1e-5)
    assert counter.rows == 5
    assert needed[0].exists()
    assert [entry.modality for entry in limited.entries()] == ["one"]


def test_features_that_cannot_fit_are_refused_before_any_work(tmp_path, three, posters, counter):
    store = FeatureStore(tmp_path / "store", dtype="float32", max_bytes=150)
    for encoder in three:
        counter.watch(encoder.get_backbone())
    message = r"need [\d,]+ bytes, .* limited to max_bytes=150\. Raise the limit"
    with pytest.raises(FeatureStoreError, match=message):
        store.get_features(three[0], posters, verbose=0)
    data = {encoder.name: posters[:4] for encoder in three}
    for call in (store.compute_features, store.load_features):
        with pytest.raises(FeatureStoreError, match=message):
            call(three, data, verbose=0)
    assert counter.rows == 0
    assert not shards(store)


def test_a_store_stays_within_its_limit(tmp_path, three, posters, compute):
    store = FeatureStore(tmp_path / "store", batch_size=4, max_bytes=4000)
    expected = [compute(encoder, posters) for encoder in three]
    rng = np.random.default_rng(0)
    for _ in range(20):
        which = rng.integers(3)
        some = rng.choice(10, rng.integers(1, 8), replace=False)
        paths = [posters[number] for number in some]
        features = store.get_features(three[which], paths, verbose=0)
        np.testing.assert_allclose(features, expected[which][some], rtol=2**-10)
        assert size_of(store.folder) <= 4000
    assert len(shards(store)) > 1


def test_a_limit_also_counts_files_of_other_processes(filled, pair, posters):
    limited = FeatureStore(filled.folder, dtype="float32", max_bytes=2600)
    limited.get_features(pair[1], posters, verbose=0)
    assert re.search(r"max_bytes=2600\)$", repr(limited))
    assert size_of(filled.folder) <= 2600
    # The store without a limit notices the removal.
    assert filled.count_uncomputed(pair[0], posters) > 0
    assert filled.count_uncomputed(pair[1], posters) == 0
