"""Worker processes of a joblib backend return the features that this process would return."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import joblib
import keras
import numpy as np
import pytest
from joblib.externals.loky import get_reusable_executor

from multimodal_ensemble import FeatureStore
from multimodal_ensemble.encoders import Augmentation
from multimodal_ensemble.exceptions import FeatureStoreError, ImageReadError
from multimodal_ensemble.features import _compute_features
from tests.fresh_process import METHOD, start_server


@pytest.fixture(scope="module", autouse=True)
def _no_workers_left_behind():
    yield
    get_reusable_executor().shutdown(wait=True)


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch):
    monkeypatch.setattr(_compute_features, "ROWS_PER_SHARD", 3)


def left_behind(store):
    return [path for path in store.folder.rglob("*") if path.name.startswith(".")]


@pytest.mark.parametrize(("backend", "n_jobs"), [("threading", 2), ("loky", 1), ("sequential", 1)])
def test_threads_and_single_workers_compute_in_this_process(
    store, make_encoder, posters, compute, counter, backend, n_jobs
):
    encoder = make_encoder()
    expected = compute(encoder, posters)
    counter.watch(encoder.get_backbone())
    with joblib.parallel_config(backend, n_jobs=n_jobs):
        features = store.get_features(encoder, posters, verbose=0)
    np.testing.assert_allclose(features, expected, rtol=1e-5)
    assert counter.rows == 10


@pytest.mark.slow
def test_worker_processes_return_the_features_of_a_plain_pass(
    tmp_path, make_encoder, posters, counter, capsys
):
    shared = {
        "column": "path",
        "augmentation": Augmentation(keras.layers.RandomTranslation(0.2, 0.2), views=2),
    }
    encoders = [
        make_encoder("a", **shared),
        make_encoder("b", seed=2, **shared),
        # The same network as the first, so that both come from one pass.
        make_encoder("c", pooling=("max", "avg"), **shared),
    ]
    data = {"path": posters}
    plain = FeatureStore(tmp_path / "plain", batch_size=4)
    expected = plain.load_features(encoders, data, augment=True, verbose=0)
    store = FeatureStore(tmp_path / "store", batch_size=4)
    store.get_features(encoders[0], posters[:2], verbose=0)
    for encoder in encoders:
        counter.watch(encoder.get_backbone())
    with joblib.parallel_config("loky", n_jobs=2):
        assert store.compute_features(encoders, data, augment=True) == 2 * 3 * 10
        features = store.load_features(encoders, data, augment=True, verbose=0)
    assert counter.rows == 0
    for name, arrays in expected.items():
        for array, wanted in zip(features[name], arrays, strict=True):
            # Rounding depends on the batch, and half precision shows it in the last bit.
            np.testing.assert_allclose(array, wanted, rtol=2**-9)
    assert "60/60" in capsys.readouterr().out
    assert store.verify() == {}
    assert left_behind(store) == []


@pytest.mark.slow
def test_workers_find_relative_paths_and_a_relative_store(
    tmp_path, make_encoder, posters, compute, monkeypatch
):
    # Workers started before `chdir` have another working directory.
    with joblib.parallel_config("loky", n_jobs=2):
        joblib.Parallel()(joblib.delayed(os.getpid)() for _ in range(4))
    monkeypatch.chdir(tmp_path)
    expected = compute(make_encoder(), posters)
    for seed, root in enumerate([None, "posters"]):
        prefix = "posters/" if root is None else ""
        paths = [prefix + path.name for path in posters]
        store = FeatureStore(f"store{seed}", dtype="float32")
        with joblib.parallel_config("loky", n_jobs=2):
            features = store.get_features(make_encoder(root=root), paths, verbose=0)
        np.testing.assert_allclose(features, expected, rtol=1e-5)
        assert (tmp_path / f"store{seed}").is_dir()
        assert left_behind(store) == []


@pytest.mark.slow
def test_backbone_files_do_not_count_towards_max_bytes(
    tmp_path, make_encoder, posters, compute, monkeypatch
):
    monkeypatch.setattr(_compute_features, "ROWS_PER_SHARD", 5)
    encoder = make_encoder()
    store = FeatureStore(tmp_path / "store", max_bytes=4000)
    with joblib.parallel_config("loky", n_jobs=2):
        features = store.get_features(encoder, posters, verbose=0)
    np.testing.assert_allclose(features, compute(encoder, posters), rtol=1e-3)
    assert store.n_bytes <= 4000


def test_features_that_exceed_the_limit_are_refused_before_work_is_sent(
    store, make_encoder, posters
):
    limited = FeatureStore(store.folder, dtype="float32", max_bytes=100)
    with (
        joblib.parallel_config("loky", n_jobs=2),
        pytest.raises(FeatureStoreError, match="limited to max_bytes=100"),
    ):
        limited.get_features(make_encoder(), posters, verbose=0)
    assert left_behind(store) == []


@pytest.mark.slow
def test_a_killed_worker_loses_no_features(tmp_path, make_encoder, monkeypatch):
    dask, distributed = pytest.importorskip("dask"), pytest.importorskip("distributed")
    start_server()
    monkeypatch.setattr(_compute_features, "ROWS_PER_SHARD", 2)
    images = [np.full((8, 8, 3), (5 * level, 90, 255 - level), "uint8") for level in range(40)]
    encoder = make_encoder()
    plain = FeatureStore(tmp_path / "plain", dtype="float32")
    expected = plain.get_features(encoder, images, verbose=0)
    store = FeatureStore(tmp_path / "store", dtype="float32")
    with (
        dask.config.set({"distributed.worker.multiprocessing-method": METHOD}),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        before = set(client.run(os.getpid).values())
        client.run(_compute_slowly)
        victim = min(before)
        finished = []

        def kill_half_way():
            deadline = time.monotonic() + 60
            while len(finished) < 3 and time.monotonic() < deadline:
                finished[:] = store.folder.glob("*/*.shard")
                time.sleep(0.01)
            os.kill(victim, signal.SIGKILL)

        with ThreadPoolExecutor(max_workers=1) as pool, joblib.parallel_config("dask"):
            killing = pool.submit(kill_half_way)
            features = store.get_features(encoder, images, verbose=0)
        killing.result()
        assert 3 <= len(finished) < 20
        assert victim not in client.run(os.getpid).values()
    np.testing.assert_allclose(features, expected, rtol=1e-5)
    assert store.verify() == {}
    # The unfinished file of the killed worker stays for a day; see `FeatureStore.prune`.
    assert all(path.suffix == ".tmp" for path in left_behind(store))
    assert len(left_behind(store)) <= 1


def _compute_slowly():
    predict = keras.Model.predict_on_batch

    def slowly(self, batch):
        time.sleep(0.2)
        return predict(self, batch)

    keras.Model.predict_on_batch = slowly


@pytest.mark.slow
def test_worker_processes_compute_in_bfloat16(tmp_path, make_encoder, posters):
    encoder = make_encoder()
    plain = FeatureStore(tmp_path / "plain", compute_dtype="bfloat16")
    expected = plain.get_features(encoder, posters, verbose=0)
    store = FeatureStore(tmp_path / "store", compute_dtype="bfloat16")
    with joblib.parallel_config("loky", n_jobs=2):
        features = store.get_features(encoder, posters, verbose=0)
    np.testing.assert_allclose(features, expected, rtol=2**-7)
    assert [entry.compute_dtype for entry in store.entries()] == ["bfloat16"]


# joblib kills all workers after an error, so that further tests would start new ones.
@pytest.mark.slow
def test_the_error_of_a_worker_names_the_unreadable_image(store, make_encoder, posters):
    posters[9].write_bytes(b"not an image")
    encoder = make_encoder()
    with (
        joblib.parallel_config("loky", n_jobs=2),
        pytest.raises(
            ImageReadError, match=r"'poster': the image '.*9\.png' in row \d+ cannot be read"
        ),
    ):
        store.get_features(encoder, posters, verbose=0)
    # After an error, joblib kills the other workers, possibly while they write.
    assert all(path.suffix == ".tmp" for path in left_behind(store))
    features = store.get_features(encoder, posters[:9], verbose=0)
    assert features.shape == (9, 4)


@pytest.mark.slow
def test_ray_workers_return_the_features_of_a_plain_pass(tmp_path, make_encoder, posters):
    # 240 MB, so the test group lacks it: pip install ray, then pytest -m slow -k ray.
    ray = pytest.importorskip("ray")
    from ray.util.joblib import register_ray

    encoder = make_encoder()
    expected = FeatureStore(tmp_path / "plain").get_features(encoder, posters, verbose=0)
    store = FeatureStore(tmp_path / "store")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    try:
        register_ray()
        with joblib.parallel_config("ray", n_jobs=-1):
            features = store.get_features(encoder, posters, verbose=0)
    finally:
        ray.shutdown()
    np.testing.assert_allclose(features, expected, rtol=2**-9)
    assert store.verify() == {}
    assert left_behind(store) == []
