"""Comparisons and searches in workers of a joblib backend, with one store, equal those without."""

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import cross_val_score

from multimodal_ensemble import BagOfWordsEncoder, FeatureStore, MultimodalEnsemble, tune
from multimodal_ensemble.model_selection import compare
from tests import toys
from tests.fresh_process import METHOD, start_server

N_ROWS = 48
Y = np.arange(2 * N_ROWS).reshape(N_ROWS, 2) // 3 % 2
# Posters that depend on the first label, and noise.
POSTERS = [pixels // 2 + 120 * label for pixels, label in zip(
    toys.draw_pixels(N_ROWS, 8, 8, 3), Y[:, 0].astype("uint8"), strict=True)]  # fmt: skip
TAGS = [["war"] * int(label) + ["love"] for label in Y[:, 1]]
TABLE = pd.DataFrame({"poster": POSTERS, "tags": TAGS})


def make_estimator(store=None):
    encoders = [toys.make_poster(), BagOfWordsEncoder("tags")]
    return MultimodalEnsemble(encoders, store=store, verbose=0)


def mean_score(estimator, X, y):
    return float(estimator.predict_proba(X)[y.astype(bool)].mean())


def run_all(folder):
    """Return what cross-validation, a comparison and a search find with one store."""
    store = str(folder)
    scores = cross_val_score(make_estimator(store), TABLE, Y, cv=2, scoring=mean_score)
    compared = compare(
        {"both": make_estimator(), "again": make_estimator()},
        TABLE, Y, cv=2, store=store, n_resamples=50, random_state=0, verbose=0,
    )  # fmt: skip
    found = tune(
        make_estimator(store), TABLE, Y, {"tags__lowercase": [True, False]}, cv=2,
        n_trials=1, prune=False, refit=False, random_state=0, verbose=0,
    )  # fmt: skip
    assert compared.table["score"].notna().all()
    return {"cv": scores, "compare": compared.table["score"], "tune": found.best_score}


@pytest.mark.slow
def test_two_dask_workers_share_one_store(tmp_path):
    dask, distributed = pytest.importorskip("dask"), pytest.importorskip("distributed")
    start_server()
    with (
        dask.config.set({"distributed.worker.multiprocessing-method": METHOD}),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config("dask"),
    ):
        results = run_all(tmp_path / "store")
    for name, values in run_all(tmp_path / "plain").items():
        np.testing.assert_allclose(results[name], values, rtol=1e-4, err_msg=name)
    (entry,) = FeatureStore(tmp_path / "store").entries()
    assert entry.n_rows >= N_ROWS
    assert FeatureStore(tmp_path / "store").verify() == {}
