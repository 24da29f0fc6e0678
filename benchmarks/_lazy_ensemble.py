"""Training an ensemble on features that are read part by part: growth of time and memory."""

import json
import os
import sys
import time
from collections.abc import Iterable
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix

from benchmarks._figure import Figure
from benchmarks._new_process import measure_module, peak_mib
from multimodal_ensemble import _row_sample
from multimodal_ensemble._row_sample import MAX_SCORED

SIZES = (200_000, 2_000_000)
N_NUMBERS, N_TAGS, TAGS_PER_ROW, N_LABELS = 512, 300, 5, 20
# Rows that one seed makes.
ROWS_PER_SEED = 8192


def measure_lazy_ensemble(scale: float) -> Iterable[Figure]:
    """Yield the figures of many rows against few, each measured in a process of its own."""
    # The number of scored rows also, so that a trial run has the same proportions.
    *sizes, max_scored = (max(400, int(number * scale)) for number in (*SIZES, MAX_SCORED))
    few, many = (
        measure_module("benchmarks._lazy_ensemble", n_rows, max_scored) for n_rows in sizes
    )
    details = {"few": few, "many": many}
    yield Figure(
        f"peak memory of an ensemble on rows read part by part, {many['rows']:,} rows",
        f"the same with {few['rows']:,} rows",
        1.1,
        [many["peak_mib"] / few["peak_mib"]],
        details=details,
    )
    yield Figure(
        f"rows per CPU second of the same, {many['rows']:,} rows",
        f"the same with {few['rows']:,} rows",
        0.9,
        [many["rows_per_cpu_second"] / few["rows_per_cpu_second"]],
        at_least=True,
        details=details,
    )


class InventedRows:
    """Features that are invented when they are read; the same rows are the same again."""

    def __init__(self, n_rows: int, *, is_sparse: bool) -> None:
        self.is_sparse = is_sparse
        self.shape = (n_rows, N_TAGS if is_sparse else N_NUMBERS)
        self.dtype = np.dtype(np.float32)
        self._known: tuple[int, Any] = (-1, None)

    def __getitem__(self, rows: slice) -> Any:
        """Return a slice of rows."""
        start, stop, _ = rows.indices(self.shape[0])
        parts = [
            self._block(number)[max(0, start - first) : stop - first]
            for number in range(start // ROWS_PER_SEED, -(-stop // ROWS_PER_SEED))
            for first in [number * ROWS_PER_SEED]
        ]
        if not self.is_sparse:
            return np.concatenate(parts) if parts else np.empty((0, N_NUMBERS), np.float32)
        indices = np.concatenate([part.indices for part in parts] or [np.empty(0, np.int32)])
        values = np.ones(len(indices), np.float32)
        places = np.arange(0, len(indices) + 1, TAGS_PER_ROW)
        return csr_matrix((values, indices, places), shape=(len(places) - 1, N_TAGS))

    def _block(self, number: int) -> Any:
        if self._known[0] != number:
            self._known = (number, self._invent(number))
        return self._known[1]

    def _invent(self, number: int) -> Any:
        generator = np.random.default_rng([number, self.is_sparse])
        if not self.is_sparse:
            content = generator.bytes(ROWS_PER_SEED * N_NUMBERS)
            numbers = np.frombuffer(content, np.uint8).astype(np.float32)
            return numbers.reshape(ROWS_PER_SEED, N_NUMBERS) / 64
        # One tag of each kind.
        n_kinds = N_TAGS // TAGS_PER_ROW
        tags = generator.integers(0, n_kinds, (ROWS_PER_SEED, TAGS_PER_ROW), dtype=np.int32)
        tags += n_kinds * np.arange(TAGS_PER_ROW, dtype=np.int32)
        places = np.arange(0, tags.size + 1, TAGS_PER_ROW)
        return csr_matrix((np.ones(tags.size, np.float32), tags.ravel(), places))


class InventedDataset:
    """In place of a data set whose features are files."""

    dropped: tuple[()] = ()

    def __init__(self, data: pd.DataFrame, *_: Any, **__: Any) -> None:
        self.n_rows = len(data)

    def feature_matrix(self, modality: str) -> InventedRows:
        return InventedRows(self.n_rows, is_sparse=modality == "tags")

    def present(self, modality: str) -> np.ndarray:
        return np.ones(self.n_rows, dtype=bool)


def make_labels(n_rows: int) -> np.ndarray:
    """Return labels that depend on numbers and tags."""
    y = np.empty((n_rows, N_LABELS), dtype=bool)
    numbers = InventedRows(n_rows, is_sparse=False)
    tags = InventedRows(n_rows, is_sparse=True)
    weights = np.random.default_rng(0).normal(size=(N_TAGS, N_LABELS))
    for start in range(0, n_rows, ROWS_PER_SEED):
        part = slice(start, min(start + ROWS_PER_SEED, n_rows))
        noise = np.random.default_rng([start, 1]).logistic(size=(part.stop - start, N_LABELS))
        y[part] = numbers[part][:, :N_LABELS] + tags[part] @ weights / 2 + noise > 4
    return y


def _measure_here(n_rows: int, max_scored: int) -> dict[str, Any]:
    """Fit in this process, with leave-one-out scores of `max_scored` rows."""
    from multimodal_ensemble import BagOfWordsEncoder, DenseEncoder
    from multimodal_ensemble._target import MULTILABEL, Target
    from multimodal_ensemble.estimators import _ensemble_training
    from multimodal_ensemble.estimators._rows import Rows, TrainingRows

    some = np.random.default_rng(0).normal(size=(2, N_NUMBERS))
    encoders = [
        DenseEncoder("numbers").fit([*some]),
        BagOfWordsEncoder("tags").fit([[f"tag{number}" for number in range(N_TAGS)]] * 2),
    ]
    y = make_labels(n_rows)
    rows = Rows(pd.DataFrame(index=pd.RangeIndex(n_rows)), y)
    target = Target(MULTILABEL, np.arange(N_LABELS))
    training = TrainingRows(rows, rows, target, True, 0, None)
    params = {
        "threshold": "prevalence",
        "verbose": 0,
        "groups": None,
        "joint": True,
        "weights": "learned",
        "store": None,
        "calibration": None,
    }
    measured: dict[str, Any] = {"rows": n_rows, "before_mib": peak_mib()}
    seconds, cpu = time.perf_counter(), time.process_time()
    with (
        mock.patch.object(_ensemble_training, "MultimodalDataset", InventedDataset),
        mock.patch.object(_row_sample, "MAX_SCORED", max_scored),
    ):
        fitted = _ensemble_training.train_ensemble(encoders, training, params, [], [], 0)
    measured["seconds"] = time.perf_counter() - seconds
    measured["cpu_seconds"] = time.process_time() - cpu
    measured["rows_per_cpu_second"] = n_rows / measured["cpu_seconds"]
    measured["peak_mib"] = peak_mib()
    measured["labels_mib"] = y.nbytes / 2**20
    measured["features_mib"] = n_rows * N_NUMBERS * 4 / 2**20
    measured["n_scored"] = fitted.provenance["n_scored"]
    measured["mean_roc_auc"] = fitted.provenance["mean_roc_auc"]
    measured["members"] = fitted.history[["member", "mean_roc_auc"]].to_dict("records")
    return measured


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    print(json.dumps(_measure_here(*map(int, sys.argv[1:]))))
