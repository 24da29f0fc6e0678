"""Training an ensemble on features: time, memory, and growth with rows and labels."""

import json
import os
import sys
import time
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from benchmarks._figure import Figure
from benchmarks._new_process import measure_module, peak_mib

# Rows and labels; the first is what the growth is compared with.
SIZES = ((2_000, 7), (10_000, 7), (10_000, 200), (10_000, 500), (50_000, 7), (200_000, 7))
# The largest number of rows and labels for which scikit-learn's models take minutes at most.
MAX_ROWS_AGAINST, MAX_LABELS_AGAINST = 10_000, 7
N_LARGE, N_SMALL, N_TAGS, TAGS_PER_ROW = 1024, 512, 2_000, 8
N_FACTORS = 20
N_PREDICTED = 2_000


def measure_ensemble(scale: float) -> Iterable[Figure]:
    """Yield the figures of all sizes, each measured in a process of its own."""
    first: dict[str, Any] = {}
    for n_rows, n_labels in SIZES if scale >= 1 else SIZES[:1]:
        measured = measure_module("benchmarks._ensemble", max(200, int(n_rows * scale)), n_labels)
        name = f"{measured['rows']:,} rows, {n_labels} labels"
        if "cpu_seconds_against" in measured:
            yield Figure(
                f"fit of MultimodalEnsemble, {name}",
                "a logistic regression per label on the same features, one penalty (CPU seconds)",
                None,
                [measured["cpu_seconds"] / measured["cpu_seconds_against"]],
                details=measured,
            )
        first = first or measured
        yield Figure(
            f"CPU seconds per row and label of fit, {name}",
            f"the same with {first['rows']:,} rows, {first['labels']} labels",
            None,
            [_per_row_and_label(measured) / _per_row_and_label(first)],
            details=measured,
        )
        yield Figure(
            f"peak memory of fit, {name}",
            "the features as float32",
            None,
            [measured["peak_mib"] / measured["features_mib"]],
            details=measured,
        )


def _per_row_and_label(measured: dict[str, Any]) -> float:
    return float(measured["cpu_seconds"] / measured["rows"] / measured["labels"])


def make_rows(n_rows: int, n_labels: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Return two columns of vectors, a column of tags, and labels that depend on all three."""
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(n_rows, N_FACTORS)).astype(np.float32)
    table = {}
    for name, n_features in (("large", N_LARGE), ("small", N_SMALL)):
        mixed = factors @ rng.normal(size=(N_FACTORS, n_features)).astype(np.float32)
        mixed += 8 * rng.standard_normal((n_rows, n_features), dtype=np.float32)
        table[name] = list(np.maximum(mixed, 0, out=mixed))
    # Tags have Zipf's frequencies, and neighbouring numbers belong to the same factor.
    rank = (N_TAGS ** rng.random((n_rows, TAGS_PER_ROW))).astype(int) - 1
    strongest = np.abs(factors).argmax(axis=1)[:, np.newaxis]
    numbers = np.where(
        rng.random(rank.shape) < 0.5,
        rank,
        rank // N_FACTORS * N_FACTORS + strongest,
    )
    vocabulary = np.array([f"tag{number}" for number in range(N_TAGS + N_FACTORS)])
    table["tags"] = [list(dict.fromkeys(row)) for row in vocabulary[numbers].tolist()]
    odds = factors @ rng.normal(size=(N_FACTORS, n_labels)) / 2 - 1.5
    return pd.DataFrame(table), (rng.logistic(size=odds.shape) < odds).astype(int)


def _measure_here(n_rows: int, n_labels: int) -> dict[str, Any]:
    """Fit in this process."""
    from multimodal_ensemble import (
        BagOfWordsEncoder,
        DenseEncoder,
        MultimodalEnsemble,
        TagEmbeddingEncoder,
    )

    table, y = make_rows(n_rows + N_PREDICTED, n_labels)
    train, test = table.iloc[:n_rows], table.iloc[n_rows:]
    encoders = [
        DenseEncoder("large"),
        DenseEncoder("small"),
        BagOfWordsEncoder("tags"),
        TagEmbeddingEncoder("tags_embedding", column="tags"),
    ]
    measured: dict[str, Any] = {
        "rows": n_rows,
        "labels": n_labels,
        "features_mib": n_rows * (N_LARGE + N_SMALL) * 4 / 2**20,
        "before_mib": peak_mib(),
    }
    ensemble = MultimodalEnsemble(encoders, random_state=0)
    seconds, cpu = time.perf_counter(), time.process_time()
    ensemble.fit(train, y[:n_rows])
    measured["seconds"] = time.perf_counter() - seconds
    measured["cpu_seconds"] = time.process_time() - cpu
    measured["rows_per_cpu_second"] = n_rows / measured["cpu_seconds"]
    measured["peak_mib"] = peak_mib()
    ensemble.predict_proba(test.head(10))
    cpu = time.process_time()
    scores = ensemble.predict_proba(test)
    measured["predicted_rows_per_cpu_second"] = N_PREDICTED / (time.process_time() - cpu)
    from multimodal_ensemble.metrics import mean_roc_auc

    measured["mean_roc_auc"] = mean_roc_auc(y[n_rows:], scores)
    measured["members"] = ensemble.history_[["member", "mean_roc_auc"]].to_dict("records")
    if n_rows <= MAX_ROWS_AGAINST and n_labels <= MAX_LABELS_AGAINST:
        measured |= _measure_against(train, y[:n_rows], test, y[n_rows:])
    return measured


def _measure_against(
    train: pd.DataFrame, y: np.ndarray, test: pd.DataFrame, y_test: np.ndarray
) -> dict[str, float]:
    """Fit scikit-learn's logistic regression of each label on the same features."""
    import scipy.sparse as sp
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.preprocessing import StandardScaler

    from multimodal_ensemble.metrics import mean_roc_auc

    cpu = time.process_time()
    scaler = StandardScaler()
    words = TfidfVectorizer(analyzer=list, dtype=np.float32)
    vectors = [np.stack([*part["large"]]) for part in (train, test)]
    vectors = [
        np.hstack([large, np.stack([*part["small"]])])
        for large, part in zip(vectors, (train, test), strict=True)
    ]
    # Vectors have the weight of two blocks of mean squared norm 1.
    x = scaler.fit_transform(np.log1p(vectors[0])) / np.sqrt(N_LARGE)
    x = sp.hstack([sp.csr_matrix(x), words.fit_transform(train["tags"])]).tocsr()
    model = OneVsRestClassifier(LogisticRegression(max_iter=1_000)).fit(x, y)
    seconds = time.process_time() - cpu
    x = scaler.transform(np.log1p(vectors[1])) / np.sqrt(N_LARGE)
    x = sp.hstack([sp.csr_matrix(x), words.transform(test["tags"])]).tocsr()
    return {
        "cpu_seconds_against": seconds,
        "mean_roc_auc_against": mean_roc_auc(y_test, model.predict_proba(x)),
    }


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    print(json.dumps(_measure_here(*map(int, sys.argv[1:]))))
