"""Blocks of a pass are pulled by workers, overlap in a worker, and load a network once."""

import threading

import joblib
import keras
import numpy as np
import pytest
from joblib._parallel_backends import MultiprocessingBackend, ThreadingBackend

from multimodal_ensemble import FeatureStore
from multimodal_ensemble._joblib import has_worker_processes
from multimodal_ensemble.features import (
    _compute_features,
    _extraction,
    _frozen_pass,
    _joblib_backend,
)

N_SECONDS = 30


class WorkersInThreads(ThreadingBackend):
    """Stands for a backend whose workers are threads of another process."""

    supports_sharedmem = False

    def get_nested_backend(self):
        return joblib.parallel.get_active_backend()[0], 1


@pytest.fixture
def two_workers(monkeypatch):
    monkeypatch.setattr(_compute_features, "ROWS_PER_SHARD", 2)
    _joblib_backend._load_model.cache_clear()
    joblib.register_parallel_backend("in_threads", WorkersInThreads)
    with joblib.parallel_config("in_threads", n_jobs=2):
        yield
    del joblib.parallel.BACKENDS["in_threads"]


@pytest.mark.usefixtures("two_workers")
def test_a_slow_worker_does_not_hold_the_pass(store, make_encoder, posters, compute, monkeypatch):
    compute_chunks = _joblib_backend.compute_chunks
    others_are_done, lock, blocks, slow = threading.Event(), threading.Lock(), [], []

    def compute_slowly(*arguments, **options):
        worker = threading.get_ident()
        with lock:
            slow.append(worker)
        if worker == slow[0]:
            assert others_are_done.wait(N_SECONDS)
        count = compute_chunks(*arguments, **options)
        with lock:
            blocks.append(worker)
            if len(blocks) == 4:
                others_are_done.set()
        return count

    monkeypatch.setattr(_joblib_backend, "compute_chunks", compute_slowly)
    encoder = make_encoder()
    features = store.get_features(encoder, posters, verbose=0)
    assert len(blocks) == 5
    assert blocks.count(slow[0]) == 1
    np.testing.assert_allclose(features, compute(encoder, posters), rtol=1e-5)


@pytest.mark.usefixtures("two_workers")
def test_a_worker_reads_a_block_while_it_computes_another(
    store, make_encoder, posters, monkeypatch
):
    predict, encode = _frozen_pass.predict_batch, _extraction._make_batch
    other_is_read, reading, predicting = threading.Event(), set(), []

    def make_batch(rows, *arguments, **options):
        reading.add(rows.numbers[0])
        if len(reading) > 1:
            other_is_read.set()
        return encode(rows, *arguments, **options)

    def predict_batch(*arguments):
        predicting.append(1)
        assert other_is_read.wait(N_SECONDS)
        assert sum(predicting) == 1
        result = predict(*arguments)
        predicting.append(-1)
        return result

    monkeypatch.setattr(_extraction, "_make_batch", make_batch)
    monkeypatch.setattr(_frozen_pass, "predict_batch", predict_batch)
    assert store.get_features(make_encoder(), posters, verbose=0).shape == (10, 4)


@pytest.mark.usefixtures("two_workers")
def test_workers_load_a_network_once_for_all_passes(
    tmp_path, make_encoder, posters, compute, monkeypatch
):
    load, loaded = keras.models.load_model, []

    def load_model(*arguments, **options):
        loaded.append(arguments)
        return load(*arguments, **options)

    monkeypatch.setattr(keras.models, "load_model", load_model)
    store = FeatureStore(tmp_path / "store", dtype="float32")
    store.get_features(make_encoder(), posters[:6], verbose=0)
    # An equal network, and one with other weights.
    store.get_features(make_encoder(), posters, verbose=0)
    assert len(loaded) == 1
    other = make_encoder(seed=2)
    features = store.get_features(other, posters, verbose=0)
    assert len(loaded) == 2
    np.testing.assert_allclose(features, compute(other, posters), rtol=1e-5)


@pytest.mark.parametrize(
    ("n_rows", "n_workers", "size"),
    [
        # The most rows of a shard for a single worker and for many rows.
        (600, 1, 256),
        (100_000, 8, 256),
        # Four blocks for each worker, of whole batches.
        (600, 2, 96),
        (50, 2, 32),
    ],
)
def test_all_workers_get_several_blocks(n_rows, n_workers, size, monkeypatch):
    monkeypatch.setattr(joblib, "effective_n_jobs", lambda n_jobs: n_workers)
    assert _joblib_backend.choose_block_size(n_rows, 256, 32) == size


@pytest.mark.parametrize(("n_jobs", "expected"), [(1, False), (2, True)])
def test_a_pool_with_one_job_has_no_worker_processes(n_jobs, expected):
    """The backend of Ray extends that of multiprocessing in this way."""
    pool = type("Pool", (MultiprocessingBackend,), {})
    joblib.register_parallel_backend("pool", pool)
    with joblib.parallel_config("pool", n_jobs=n_jobs):
        assert has_worker_processes() is expected
    del joblib.parallel.BACKENDS["pool"]
