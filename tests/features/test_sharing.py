"""Several processes use one store at once; failed writes give clear errors."""

import os
import shutil
import time

import numpy as np
import pytest

from multimodal_ensemble import FeatureStore
from multimodal_ensemble.exceptions import FeatureStoreError
from multimodal_ensemble.features import _compute_features
from multimodal_ensemble.features._shards import ShardFolder
from tests.fresh_process import FreshProcess


def images(count):
    return [np.full((8, 8, 3), (5 * level, 90, 255 - level), "uint8") for level in range(count)]


# Fills a store slowly in chunks of one row, and prints how many rows it computed.
SCRIPT = """
import sys, time
import numpy as np
from multimodal_ensemble import FeatureStore
from multimodal_ensemble.features import _compute_features
from tests.toys import make_poster

_compute_features.ROWS_PER_SHARD = 1
encoder = make_poster()
predict, rows = encoder.get_backbone().predict_on_batch, []

def slowly(batch):
    rows.append(len(batch))
    time.sleep(0.05)
    return predict(batch)

encoder.get_backbone().predict_on_batch = slowly
images = [np.full((8, 8, 3), (5 * level, 90, 255 - level), "uint8") for level in range(40)]
encoder.get_backbone()(np.stack(images[:1]))
store = FeatureStore(sys.argv[1], batch_size=1, dtype="float32")
print("ready", flush=True)
sys.stdin.readline()
features = store.get_features(encoder, images, verbose=0)
print(sum(rows), float(features.sum()), flush=True)
"""


@pytest.mark.slow
def test_two_processes_share_the_work(tmp_path, make_encoder, compute, counter, monkeypatch):
    monkeypatch.setattr(_compute_features, "ROWS_PER_SHARD", 1)
    encoder = make_encoder()
    expected = compute(encoder, images(40))
    backbone = encoder.get_backbone()
    predict = backbone.predict_on_batch

    def slowly(batch):
        time.sleep(0.05)
        return predict(batch)

    monkeypatch.setattr(backbone, "predict_on_batch", slowly)
    counter.watch(backbone)
    store = FeatureStore(tmp_path / "store", batch_size=1, dtype="float32")
    with FreshProcess(SCRIPT, tmp_path / "store") as process:
        process.wait_for("ready")
        process.stdin.write("go\n")
        process.stdin.flush()
        here = store.get_features(encoder, images(40), verbose=0)
        rows_there, sum_there = process.stdout.readline().split()
    np.testing.assert_allclose(here, expected, rtol=1e-5)
    assert float(sum_there) == pytest.approx(expected.sum(), rel=1e-5)
    # Both processes take part. Chunks that both work on are computed twice: about 7 of the 40, and
    # 17 in the worst of 20,000 simulated runs.
    assert 0 < counter.rows < 40
    assert 40 <= counter.rows + int(rows_there) <= 60
    assert store.verify() == {}
    assert not list(store.folder.rglob(".*"))


def test_features_that_another_process_finishes_are_not_recomputed(
    store, make_encoder, compute, counter, monkeypatch
):
    monkeypatch.setattr(_compute_features, "ROWS_PER_SHARD", 2)
    encoder, other = make_encoder(), make_encoder()
    expected = compute(encoder, images(40))
    counter.watch(encoder.get_backbone())
    predict = encoder.get_backbone().predict_on_batch

    def after_another_process(batch):
        FeatureStore(store.folder, dtype="float32").get_features(other, images(40), verbose=0)
        return predict(batch)

    monkeypatch.setattr(encoder.get_backbone(), "predict_on_batch", after_another_process)
    features = store.get_features(encoder, images(40), verbose=0)
    np.testing.assert_allclose(features, expected, rtol=1e-5)
    # The current chunk and the one that was read ahead.
    assert counter.rows <= 4


def test_a_shard_removed_before_reading_is_recomputed(
    store, make_encoder, posters, compute, counter, monkeypatch
):
    encoder = make_encoder()
    expected = compute(encoder, posters)
    counter.watch(encoder.get_backbone())
    read = ShardFolder.read
    left = [1]

    def read_after_another_process_pruned(self, places, shape):
        if left:
            left.pop()
            for path in self.folder.glob("*.shard"):
                path.unlink()
        return read(self, places, shape)

    monkeypatch.setattr(ShardFolder, "read", read_after_another_process_pruned)
    features = store.get_features(encoder, posters, verbose=0)
    np.testing.assert_allclose(features, expected, rtol=1e-5)
    assert counter.rows == 20


def test_a_shard_removed_before_lookup_is_recomputed(
    store, make_encoder, posters, compute, monkeypatch
):
    encoders = [make_encoder(name, seed=seed) for seed, name in enumerate("ab")]
    compute_once = FeatureStore._compute
    passes = []

    def compute_and_prune_once(self, *args):
        count = compute_once(self, *args)
        passes.append(count)
        if len(passes) == 1:
            shutil.rmtree(self.folder / self.entries()[0].key)
        return count

    monkeypatch.setattr(FeatureStore, "_compute", compute_and_prune_once)
    data = dict.fromkeys("ab", posters)
    features = store.load_features(encoders, data, verbose=0)
    for encoder in encoders:
        np.testing.assert_allclose(features[encoder.name][0], compute(encoder, posters), rtol=1e-5)
    assert passes == [20, 10]


def test_features_that_vanish_repeatedly_cause_no_endless_loop(
    store, make_encoder, posters, monkeypatch
):
    read = ShardFolder.read

    def read_after_another_process_pruned(self, places, shape):
        for path in self.folder.glob("*.shard"):
            path.unlink()
        return read(self, places, shape)

    monkeypatch.setattr(ShardFolder, "read", read_after_another_process_pruned)
    with pytest.raises(FeatureStoreError, match=r"vanish from .* faster than they are read"):
        store.get_features(make_encoder(), posters, verbose=0)


@pytest.fixture
def full_disk(monkeypatch):
    def write_array(file, array, **options):
        file.write(b"some bytes, and then")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np.lib.format, "write_array", write_array)
    return monkeypatch


def test_a_full_disk_is_reported_and_stored_features_are_kept(
    store, make_encoder, posters, compute, request
):
    encoder = make_encoder()
    store.get_features(encoder, posters[:4], verbose=0)
    full_disk = request.getfixturevalue("full_disk")
    with pytest.raises(FeatureStoreError, match="No space left on device") as caught:
        store.get_features(encoder, posters, verbose=0)
    message = str(caught.value)
    assert str(store.folder) in message
    assert ".shard" in message
    assert "Make room, or use a store in another folder" in message
    features = store.get_features(encoder, posters[:4], verbose=0)
    np.testing.assert_allclose(features, compute(encoder, posters[:4]), rtol=1e-5)
    assert not list(store.folder.rglob("*.tmp"))
    full_disk.undo()
    features = store.get_features(encoder, posters, verbose=0)
    np.testing.assert_allclose(features, compute(encoder, posters), rtol=1e-5)


def test_a_read_only_store_returns_the_features_it_has(store, make_encoder, posters, compute):
    encoder = make_encoder()
    store.get_features(encoder, posters[:4], verbose=0)
    folders = [store.folder, *(path for path in store.folder.iterdir() if path.is_dir())]
    for folder in folders:
        folder.chmod(0o500)
    try:
        if os.access(store.folder, os.W_OK):
            pytest.skip("this user may write everywhere")
        reader = FeatureStore(store.folder, dtype="float32")
        features = reader.get_features(encoder, posters[:4], verbose=0)
        np.testing.assert_allclose(features, compute(encoder, posters[:4]), rtol=1e-5)
        with pytest.raises(FeatureStoreError, match=r"cannot write .*Permission denied"):
            reader.get_features(encoder, posters, verbose=0)
    finally:
        for folder in folders:
            folder.chmod(0o700)


def test_nothing_is_left_to_compute_if_another_process_was_faster(
    store, make_encoder, posters, compute, monkeypatch
):
    """Another process stores the features after this one has seen that they are not stored."""
    encoder = make_encoder("poster")
    describe = _compute_features._describe

    def compute_elsewhere(request):
        monkeypatch.setattr(_compute_features, "_describe", describe)
        other = FeatureStore(store.folder, dtype="float32")
        other.get_features(encoder, posters, verbose=0)
        describe(request)

    monkeypatch.setattr(_compute_features, "_describe", compute_elsewhere)
    features = store.get_features(encoder, posters, verbose=0)
    np.testing.assert_allclose(features, compute(encoder, posters), rtol=1e-4, atol=1e-6)
