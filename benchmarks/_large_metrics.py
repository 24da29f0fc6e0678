"""Time and memory of metrics on millions of rows."""

import time
import tracemalloc
from collections.abc import Callable, Iterator

import numpy as np

from benchmarks._figure import Figure
from multimodal_ensemble.metrics import (
    bootstrap_interval,
    compute_score,
    label_report,
    mean_accuracy,
    mean_roc_auc,
    tune_thresholds,
)

N_ROWS, N_LABELS = 10_000_000, 20
# The most memory beyond the inputs, in columns of float32 scores of one label.
_MOST_COLUMNS = {
    "tune_thresholds": 8,
    "tune_thresholds(criterion='prevalence')": 5,
    "mean_roc_auc": 5,
    "mean_average_precision": 8,
    "mean_accuracy": 5,
    "label_report": 12,
    "bootstrap_interval": 34,
}


def measure_large_metrics(scale: float) -> Iterator[Figure]:
    """Yield the time of each metric, relative to argsort, and its memory, relative to a column.

    Memory is the peak of what NumPy and Python allocate beyond the labels and scores.
    """
    n_rows = round(N_ROWS * scale)
    y_true, y_score = _make_rows(n_rows)
    thresholds = np.full(N_LABELS, 0.5)

    def argsort() -> None:
        for label in range(N_LABELS):
            np.argsort(y_score[:, label])

    functions: dict[str, Callable[[], object]] = {
        "tune_thresholds": lambda: tune_thresholds(y_true, y_score),
        "tune_thresholds(criterion='prevalence')": lambda: tune_thresholds(
            y_true, y_score, criterion="prevalence"
        ),
        "mean_roc_auc": lambda: mean_roc_auc(y_true, y_score),
        "mean_average_precision": lambda: compute_score("mean_average_precision", y_true, y_score),
        "mean_accuracy": lambda: mean_accuracy(y_true, y_score, thresholds),
        "label_report": lambda: label_report(y_true, y_score, thresholds),
        "bootstrap_interval": lambda: bootstrap_interval(y_true, y_score, method="normal"),
    }
    # Before and after, because each takes most of a minute for 10 million rows.
    before, _ = _measure(argsort)
    measured = {name: _measure(function) for name, function in functions.items()}
    after, _ = _measure(argsort)
    for name, (seconds, peak) in measured.items():
        details = {"seconds": seconds, "seconds_against": [before, after], "peak_bytes": peak}
        yield Figure(
            f"{name}, {n_rows:,} x {N_LABELS}",
            "np.argsort of the same columns, before and after",
            1.5,
            [seconds / before, seconds / after],
            details=details,
        )
        yield Figure(
            f"memory of {name}, {n_rows:,} x {N_LABELS}",
            "one column of float32 scores",
            _MOST_COLUMNS[name],
            [peak / (4 * n_rows)],
            details=details,
        )


def _make_rows(n_rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return random labels of 2 % to 40 % of the rows, and scores that rank them better."""
    rng = np.random.default_rng(0)
    y_true = np.empty((n_rows, N_LABELS), dtype=bool)
    y_score = np.empty((n_rows, N_LABELS), dtype=np.float32)
    for start in range(0, n_rows, 100_000):
        rows = slice(start, min(start + 100_000, n_rows))
        true = rng.random(y_true[rows].shape) < np.linspace(0.02, 0.4, N_LABELS)
        y_true[rows] = true
        y_score[rows] = 1 / (1 + np.exp(-rng.normal(true - 1.0, 1.0)))
    return y_true, y_score


def _measure(run: Callable[[], object]) -> tuple[float, int]:
    """Return the processor time in seconds, and the most bytes that were allocated at a time."""
    tracemalloc.start()
    start = time.process_time()
    run()
    seconds = time.process_time() - start
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return seconds, peak
