"""Training and prediction with more rows than fit into memory: peak memory and rows per second.

All rows are invented: numbers, whose features a small network with random weights computes, and
tags.
"""

import hashlib
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._figure import Figure
from benchmarks._new_process import measure_module, peak_mib

SIZES = (2_000, 20_000, 200_000, 2_000_000)
MODELS = ("network", "ensemble")
N_FEATURES, N_TOKENS, N_LABELS = 512, 2_000, 20
_ROWS_PER_WRITE = 65_536


def measure_many_rows(scale: float) -> list[Figure]:
    """Return the figures of 2,000,000 rows relative to 200,000 rows, of both estimators."""
    # A trial run has two sizes, because two are compared.
    used = SIZES if scale >= 1 else SIZES[:2]
    sizes = [max(500, round(size * scale)) for size in used]
    figures = []
    with tempfile.TemporaryDirectory(prefix="rows-") as folder:
        for size in sizes:
            write_table(Path(folder) / f"{size}.parquet", size)
        # The group "lazy" has a trial of the ensemble.
        for model in MODELS if scale >= 1 else MODELS[:1]:
            measured = [_run(model, Path(folder) / f"{size}.parquet") for size in sizes]
            details = {"rows": sizes, "measured": measured}
            few, many = measured[-2:]
            here, against = f"{sizes[-1]:,} rows, {model}", f"the same with {sizes[-2]:,} rows"
            figures += [
                Figure(
                    f"peak memory of fit and write_predictions, {here}",
                    against,
                    1.1,
                    [many["peak_mib"] / few["peak_mib"]],
                    details=details,
                ),
                Figure(
                    f"rows per second of fit, {here}",
                    against,
                    0.9,
                    [many["fit_rows_per_second"] / few["fit_rows_per_second"]],
                    at_least=True,
                ),
                Figure(
                    f"rows per second of write_predictions, {here}",
                    against,
                    0.9,
                    [many["predict_rows_per_second"] / few["predict_rows_per_second"]],
                    at_least=True,
                ),
            ]
    return figures


def write_table(path: Path, n_rows: int) -> None:
    """Write a Parquet file with numbers, 8 tags of 2,000 and up to 3 labels of 20 per row."""
    import pyarrow as pa
    from pyarrow import parquet

    generator = np.random.default_rng(0)
    tokens = pa.array([f"tag{number}" for number in range(N_TOKENS)])
    labels = pa.array([f"label{number}" for number in range(N_LABELS)])
    writer = None
    for start in range(0, n_rows, _ROWS_PER_WRITE):
        n = min(_ROWS_PER_WRITE, n_rows - start)
        tags = np.minimum(generator.zipf(1.2, size=8 * n) - 1, N_TOKENS - 1)
        counts = generator.integers(1, 4, size=n)
        ends = np.concatenate([[0], np.cumsum(counts)])
        # The first tag of a row determines its first label.
        chosen = generator.integers(N_LABELS, size=ends[-1])
        chosen[ends[:-1]] = tags[::8] % N_LABELS
        table = pa.table(
            {
                "number": pa.array(np.arange(start, start + n)),
                "tags": pa.ListArray.from_arrays(np.arange(0, 8 * n + 1, 8), tokens.take(tags)),
                "labels": pa.ListArray.from_arrays(ends.astype(np.int32), labels.take(chosen)),
            }
        )
        writer = parquet.ParquetWriter(path, table.schema) if writer is None else writer
        writer.write_table(table)
    if writer is not None:
        writer.close()


def _run(model: str, path: Path) -> dict[str, float]:
    """Train and predict in a new process; return its peak memory and speed."""
    with tempfile.TemporaryDirectory(prefix="rows-") as folder:
        return measure_module("benchmarks._many_rows", model, path, folder)


def main() -> None:
    """Measure one estimator with one table, and print the result as JSON."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import keras

    from multimodal_ensemble import (
        BagOfWordsEncoder,
        Encoder,
        FeatureStore,
        MultimodalClassifier,
        MultimodalEnsemble,
    )

    class NumberEncoder(Encoder):
        """Numbers whose features a network with random weights computes."""

        input_shape = (1,)

        def encode(self, values: Any) -> np.ndarray:
            return np.asarray(values, dtype=np.float32).reshape(-1, 1)

        def content_digests(self, values: Any) -> list[bytes]:
            # Not bytes(value), which would be so many zeros.
            return [hashlib.sha256(int(value).to_bytes(8, "little")).digest() for value in values]

        def get_backbone(self) -> keras.Model:
            return backbone

    model, path, folder = sys.argv[1:]
    backbone = keras.Sequential(
        [
            keras.Input((1,)),
            keras.layers.Rescaling(1e-3),
            keras.layers.Dense(N_FEATURES, activation=keras.ops.sin),
        ]
    )
    backbone.trainable = False
    encoders = [NumberEncoder("number"), BagOfWordsEncoder("tags", max_tokens=N_TOKENS)]
    options: dict[str, Any] = {
        "store": FeatureStore(Path(folder) / "store", batch_size=4096),
        "random_state": 0,
        "verbose": 0,
    }
    estimator = (
        MultimodalClassifier(encoders, epochs=1, batch_size=1024, **options)
        if model == "network"
        else MultimodalEnsemble(encoders, **options)
    )
    start = time.perf_counter()
    estimator.fit(path, "labels")
    fitted = time.perf_counter()
    n_rows = estimator.write_predictions(path, Path(folder) / "predictions.parquet")
    end = time.perf_counter()
    print(
        json.dumps(
            {
                "peak_mib": peak_mib(),
                "fit_rows_per_second": n_rows / (fitted - start),
                "predict_rows_per_second": n_rows / (end - fitted),
            }
        )
    )


if __name__ == "__main__":
    main()
