"""A store stays correct when a pass stops, a process is killed or two processes write."""

import numpy as np
import pytest

from multimodal_ensemble import FeatureStore
from multimodal_ensemble.exceptions import ImageReadError
from multimodal_ensemble.features import _compute_features
from tests.fresh_process import FreshProcess


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, SystemExit])
def test_an_interrupted_pass_resumes_where_it_stopped(
    store, make_encoder, posters, compute, counter, error
):
    encoder = make_encoder()
    expected = compute(encoder, posters)
    counter.watch(encoder.get_backbone())
    counter.stop_after, counter.error = 2, error
    with pytest.raises(error):
        store.get_features(encoder, posters, verbose=0)
    assert counter.batches == [4, 4]
    assert store.count_uncomputed(encoder, posters) == 2
    counter.stop_after = None
    features = store.get_features(encoder, posters, verbose=0)
    assert counter.batches == [4, 4, 2]
    np.testing.assert_allclose(features, expected, rtol=1e-5)


def test_a_pass_stopped_before_its_first_batch_stores_nothing(
    store, make_encoder, posters, counter
):
    encoder = make_encoder()
    counter.watch(encoder.get_backbone())
    counter.stop_after = 0
    with pytest.raises(KeyboardInterrupt):
        store.get_features(encoder, posters, verbose=0)
    assert store.count_uncomputed(encoder, posters) == len(posters)


def test_an_unreadable_image_stops_the_pass_and_keeps_finished_features(
    store, make_encoder, posters, counter
):
    posters[9].write_bytes(b"not an image")
    encoder = make_encoder()
    counter.watch(encoder.get_backbone())
    with pytest.raises(ImageReadError, match=r"9\.png"):
        store.get_features(encoder, posters, verbose=0)
    assert counter.rows >= 4
    assert store.count_uncomputed(encoder, posters) == len(posters) - counter.rows


def test_a_stopped_pass_prints_how_much_is_kept(store, make_encoder, posters, counter, capsys):
    encoder = make_encoder()
    counter.watch(encoder.get_backbone())
    counter.stop_after = 1
    with pytest.raises(KeyboardInterrupt):
        store.get_features(encoder, posters)
    assert "Stopped: 4 of 10 are kept in the store." in capsys.readouterr().out


def test_an_unfinished_shard_is_ignored(store, make_encoder, posters):
    encoder = make_encoder()
    store.get_features(encoder, posters, verbose=0)
    (shard,) = store.folder.glob("*/*.shard")
    shard.with_name(f".{shard.name}.0.tmp").write_bytes(shard.read_bytes()[:50])
    assert store.count_uncomputed(encoder, posters) == 0
    assert len(store.get_features(encoder, posters, verbose=0)) == 10


def test_two_shards_may_hold_the_same_image(store, make_encoder, posters, compute):
    encoder = make_encoder()
    store.get_features(encoder, posters, verbose=0)
    (shard,) = store.folder.glob("*/*.shard")
    shard.with_name(f"{'0' * 32}.shard").write_bytes(shard.read_bytes())
    features = store.get_features(encoder, posters, verbose=0)
    np.testing.assert_allclose(features, compute(encoder, posters), rtol=1e-5)


# Writes shards of four rows. With "forever" it waits in the third batch until it is killed.
SCRIPT = """
import sys, time
import numpy as np
from multimodal_ensemble import FeatureStore
from multimodal_ensemble.features import _compute_features
from tests.toys import make_poster

_compute_features.ROWS_PER_SHARD = 4
folder, mode, *paths = sys.argv[1:]
encoder = make_poster()
predict, calls = encoder.get_backbone().predict_on_batch, []

def slowly(batch):
    calls.append(len(batch))
    if mode == "forever" and len(calls) == 3:
        print("third batch", flush=True)
        time.sleep(600)
    time.sleep(0.05)
    return predict(batch)

encoder.get_backbone().predict_on_batch = slowly
print("ready", flush=True)
if mode == "together":
    sys.stdin.readline()
store = FeatureStore(folder, batch_size=4, dtype="float32")
features = store.get_features(encoder, paths, verbose=0)
print(features.shape, np.round(features.sum(), 3), flush=True)
"""


@pytest.mark.slow
def test_a_process_that_is_killed_in_a_pass_leaves_a_readable_store(
    tmp_path, make_encoder, posters, compute, counter
):
    with FreshProcess(SCRIPT, tmp_path / "store", "forever", *posters) as process:
        process.wait_for("third batch")
        process.kill()
    store = FeatureStore(tmp_path / "store", batch_size=4, dtype="float32")
    encoder = make_encoder()
    expected = compute(encoder, posters)
    # Two of the chunks of 4, 4 and 2 rows, whose order is random, were finished.
    missing = store.count_uncomputed(encoder, posters)
    assert missing in (2, 4)
    counter.watch(encoder.get_backbone())
    features = store.get_features(encoder, posters, verbose=0)
    assert counter.batches == [missing]
    np.testing.assert_allclose(features, expected, rtol=1e-5)


@pytest.mark.slow
def test_two_processes_that_fill_one_store_agree(
    tmp_path, make_encoder, posters, compute, monkeypatch
):
    monkeypatch.setattr(_compute_features, "ROWS_PER_SHARD", 1)
    encoder = make_encoder()
    expected = compute(encoder, posters)
    with FreshProcess(SCRIPT, tmp_path / "store", "together", *posters) as process:
        process.wait_for("ready")
        process.stdin.write("go\n")
        process.stdin.flush()
        store = FeatureStore(tmp_path / "store", batch_size=1, dtype="float32")
        here = store.get_features(encoder, posters[::-1], verbose=0)[::-1]
        there = process.stdout.readline().split(maxsplit=2)
    np.testing.assert_allclose(here, expected, rtol=1e-5)
    assert there[:2] == ["(10,", "4)"]
    assert float(there[2]) == pytest.approx(expected.sum(), abs=0.01)
    assert store.count_uncomputed(encoder, posters) == 0
    again = store.get_features(encoder, posters, verbose=0)
    np.testing.assert_allclose(again, expected, rtol=1e-5)
    assert not list((tmp_path / "store").rglob("*.tmp"))
