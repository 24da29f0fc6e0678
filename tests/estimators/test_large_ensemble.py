"""Ensembles of rows that are read part by part, and of so many that a sample has scores."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.neighbors import KNeighborsClassifier

import multimodal_ensemble._row_sample as row_sample
import multimodal_ensemble.estimators._ensemble_training as ensemble_training
import multimodal_ensemble.estimators._feature_blocks as feature_blocks
from multimodal_ensemble import (
    BagOfWordsEncoder,
    DenseEncoder,
    MultimodalDataset,
    MultimodalEnsemble,
    mean_roc_auc,
)
from multimodal_ensemble._target import Target
from multimodal_ensemble.estimators._rows import Rows, TrainingRows
from multimodal_ensemble.exceptions import ModalityError
from tests.lazy_rows import LazyRows
from tests.toys import make_poster

N_ROWS = 120


def draw(n_rows=N_ROWS):
    """Return tags, numbers and images, each of which says something; some rows lack one."""
    generator = np.random.default_rng(0)
    y = generator.random((n_rows, 3)) < [0.5, 0.4, 0.3]
    numbers = y[:, :1] + generator.normal(size=(n_rows, 2))
    shade = 60 + 100 * y[:, 2] + generator.integers(0, 60, n_rows)
    return pd.DataFrame({
        "tags": [
            [] if row % 7 == 0 else [f"{labels[1]}" if row % 3 else "none", f"tag{row % 5}"]
            for row, labels in enumerate(y)
        ],
        "a": numbers[:, 0],
        "b": numbers[:, 1],
        "poster": [
            None if row % 11 == 0 else generator.integers(0, level, (8, 8, 3)).astype("uint8")
            for row, level in enumerate(shade)
        ],
    }), y  # fmt: skip


def fit(X, y, *, poster=True, **options):
    encoders = [BagOfWordsEncoder("tags"), DenseEncoder("numbers", column=["a", "b"])]
    if poster:
        encoders.append(make_poster(optional=True))
    return MultimodalEnsemble(encoders, random_state=0, verbose=0, **options).fit(X, y)


@pytest.fixture
def lazy(monkeypatch):
    """Let all features be read slice by slice, in small parts."""
    in_memory = MultimodalDataset.feature_matrix
    monkeypatch.setattr(
        MultimodalDataset, "feature_matrix", lambda self, name: LazyRows(in_memory(self, name))
    )
    monkeypatch.setattr("multimodal_ensemble.linear._row_parts._NUMBERS_PER_CHUNK", 200)
    monkeypatch.setattr("multimodal_ensemble._row_views._ROWS_PER_READING", 25)


@pytest.fixture(scope="module")
def rows():
    return draw()


@pytest.fixture(scope="module")
def in_memory(rows):
    return fit(*rows)


def assert_same(one, other, X):
    np.testing.assert_allclose(one.predict_proba(X), other.predict_proba(X), atol=1e-5)
    np.testing.assert_allclose(one.thresholds_, other.thresholds_, atol=1e-5)
    pd.testing.assert_frame_equal(one.history_, other.history_, rtol=1e-4)


@pytest.mark.usefixtures("lazy")
def test_rows_that_are_read_part_by_part_give_the_same_ensemble(rows, in_memory):
    assert (in_memory.history_["mean_roc_auc"] > 0.6).all()
    assert_same(fit(*rows), in_memory, rows[0])


def test_transformed_features_that_are_too_large_are_not_kept(rows, in_memory, monkeypatch):
    monkeypatch.setattr(feature_blocks, "_MAX_KEPT_BYTES", 0)
    assert_same(fit(*rows), in_memory, rows[0])


@pytest.mark.usefixtures("lazy")
def test_members_that_need_all_rows_in_memory_are_refused(rows):
    with pytest.raises(ModalityError, match=r"\['near'\] need .* 'tags' .* fit to fewer rows"):
        fit(*rows, poster=False, members=[("near", KNeighborsClassifier(), ["numbers"])])


def test_a_sample_of_rows_is_enough_for_scores(monkeypatch):
    X, y = draw(400)
    every = fit(X.drop(columns="poster"), pd.DataFrame(y, columns=["x", "y", "z"]), poster=False)
    assert every.provenance_["n_scored"] == 400
    monkeypatch.setattr(row_sample, "MAX_SCORED", 200)
    # Of four labels, the last one is that of three rows, none of them in the sample.
    sample = row_sample.sample_rows(400, seed=0)
    others = np.setdiff1d(np.arange(400), sample)
    rare = np.isin(np.arange(400), others[:3])
    X.loc[rare, ["a", "b"]] = [9.0, 9.0]
    y = pd.DataFrame(np.column_stack([y, rare]), columns=["x", "y", "z", "rare"])
    near = ("near", KNeighborsClassifier(), ["numbers"])
    sampled = fit(X, y, poster=False, members=[near])
    assert sampled.provenance_["n_scored"] == 200
    assert sampled.provenance_["n_train"] == 400
    assert sampled.history_["n_rows"].tolist() == [*every.history_["n_rows"].tolist(), 400]
    scores = sampled.predict_proba(X)
    assert abs(sampled.provenance_["mean_roc_auc"] - every.provenance_["mean_roc_auc"]) < 0.05
    # No threshold can be learned for the rare label, but its rows rank first.
    assert sampled.thresholds_[3] == np.inf
    assert np.isfinite(sampled.thresholds_[:3]).all()
    assert mean_roc_auc(y.to_numpy()[:, 3:], scores[:, 3:]) > 0.95
    assert scores[~rare, 3].mean() < 0.05


class _InventedRows:
    """Features that are computed when they are read."""

    dtype = np.dtype("float32")

    def __init__(self, n_rows, *, is_sparse):
        self.is_sparse = is_sparse
        self.shape = (n_rows, 20 if is_sparse else 120)
        values = np.random.default_rng(0).normal(size=(977, self.shape[1])).astype("float32")
        self._repeated = sp.csr_matrix(np.maximum(values - 1, 0)) if is_sparse else values

    def __getitem__(self, rows):
        return self._repeated[np.arange(*rows.indices(self.shape[0])) % 977]


class _InventedDataset:
    dropped = ()

    def __init__(self, data, *args, **options):
        self._n_rows = len(data)

    def feature_matrix(self, name):
        return _InventedRows(self._n_rows, is_sparse=name == "tags")

    def present(self, name):
        return (
            np.arange(self._n_rows) % 10 > 0 if name == "numbers" else np.ones(self._n_rows, bool)
        )


def peak_of_training(n_rows):
    """Return the peak of traced memory of a training, and its provenance."""
    encoders = [
        DenseEncoder("numbers", optional=True).fit([*np.eye(2, 120)]),
        BagOfWordsEncoder("tags").fit([[f"tag{number}" for number in range(20)]] * 2),
    ]
    y = np.random.default_rng(0).random((n_rows, 3)) < 0.4
    rows = Rows(pd.DataFrame(index=pd.RangeIndex(n_rows)), y)
    training = TrainingRows(rows, rows, Target("multilabel", np.arange(3)), True, 0, None)
    params = dict.fromkeys(["groups", "store", "calibration", "threshold"])
    params |= {"joint": True, "weights": "learned", "verbose": 0}
    tracemalloc.start()
    fitted = ensemble_training.train_ensemble(encoders, training, params, [], [], 0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak, fitted.provenance


def test_memory_does_not_grow_with_the_rows(monkeypatch):
    monkeypatch.setattr(ensemble_training, "MultimodalDataset", _InventedDataset)
    # The size of the Keras model has nothing to do with the rows.
    monkeypatch.setattr(ensemble_training, "make_ensemble_model", lambda *parts: None)
    monkeypatch.setattr(row_sample, "MAX_SCORED", 2500)
    monkeypatch.setattr("multimodal_ensemble.linear._row_parts._NUMBERS_PER_CHUNK", 2**18)
    monkeypatch.setattr("multimodal_ensemble.linear._row_parts._MAX_ROWS", 2500)
    monkeypatch.setattr("multimodal_ensemble.linear._scored_rows._NUMBERS_PER_CHUNK", 2**18)
    (few, provenance), (many, _) = peak_of_training(10_000), peak_of_training(40_000)
    assert provenance["n_scored"] == 2500
    assert many < 1.1 * few
