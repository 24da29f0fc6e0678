"""Speed of threshold tuning and ROC-AUC."""

import numpy as np
from sklearn.metrics import accuracy_score, roc_auc_score, roc_curve

from benchmarks._figure import Figure, at_least, time_pairs
from multimodal_ensemble import mean_roc_auc, tune_thresholds
from multimodal_ensemble.metrics import bootstrap_counts, compare_scores, resample_scores


def measure_metrics(repeats: int, scale: float) -> list[Figure]:
    """Return the figures of threshold tuning and ROC-AUC."""
    return [
        _thresholds_small(int(10_000 * scale), repeats),
        _thresholds_large(int(1_000_000 * scale), repeats),
        _roc_auc(int(100_000 * scale), repeats),
        _comparison(1_064, int(2_000 * scale), repeats),
    ]


def _scores(n_rows: int, n_labels: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    y_true = (rng.random((n_rows, n_labels)) < 0.2).astype(int)
    return y_true, 1 / (1 + np.exp(-rng.normal(y_true - 1.0, 1.0)))


def _thresholds_small(n_rows: int, repeats: int) -> Figure:
    y_true, y_score = _scores(n_rows, 8)

    def candidate_loop() -> None:
        for label in range(y_true.shape[1]):
            _, _, candidates = roc_curve(y_true[:, label], y_score[:, label])
            max(
                candidates,
                key=lambda limit: accuracy_score(y_true[:, label], y_score[:, label] >= limit),
            )

    ratios, seconds = time_pairs(
        lambda: tune_thresholds(y_true, y_score),
        candidate_loop,
        repeats=min(3, repeats),
        warm_up=False,
        inverse=True,
    )
    return Figure(
        f"tune_thresholds, {n_rows:,} x 8",
        "accuracy_score for each ROC candidate (speed-up)",
        300,
        ratios,
        at_least=True,
        details=seconds,
    )


def _thresholds_large(n_rows: int, repeats: int) -> Figure:
    y_true, y_score = _scores(n_rows, 20)

    def argsort() -> None:
        for label in range(y_score.shape[1]):
            np.argsort(y_score[:, label])

    ratios, seconds = time_pairs(
        lambda: tune_thresholds(y_true, y_score), argsort, repeats=at_least(5, repeats)
    )
    return Figure(
        f"tune_thresholds, {n_rows:,} x 20",
        "np.argsort of the same columns",
        2,
        ratios,
        details=seconds,
    )


def _roc_auc(n_rows: int, repeats: int) -> Figure:
    y_true, y_score = _scores(n_rows, 20)
    difference = abs(mean_roc_auc(y_true, y_score) - roc_auc_score(y_true, y_score))
    if difference > 1e-12:
        msg = f"mean_roc_auc differs from the value of scikit-learn by {difference}."
        raise AssertionError(msg)
    ratios, seconds = time_pairs(
        lambda: mean_roc_auc(y_true, y_score),
        lambda: roc_auc_score(y_true, y_score, average="macro"),
        repeats=at_least(5, repeats),
    )
    return Figure(
        f"mean_roc_auc, {n_rows:,} x 20",
        "scikit-learn's roc_auc_score(average='macro')",
        1,
        ratios,
        details=seconds | {"difference": difference},
    )


def _comparison(n_rows: int, n_resamples: int, repeats: int) -> Figure:
    y_true, _ = _scores(n_rows, 8)
    rng = np.random.default_rng(1)
    models = {f"model {number}": rng.normal(y_true, 1.0) for number in range(5)}
    # The loop takes a minute and a half for all resamples, so a hundredth of them is timed.
    counts = bootstrap_counts(n_rows, n_resamples)
    looped = counts[: max(1, n_resamples // 100)]

    def loop() -> np.ndarray:
        return np.array(
            [
                [roc_auc_score(y_true, y_score, sample_weight=weights) for weights in looped]
                for y_score in models.values()
            ]
        )

    ours = [resample_scores(y_true, y_score, looped) for y_score in models.values()]
    if (difference := np.abs(np.array(ours) - loop()).max()) > 1e-12:
        msg = f"Scores of resamples differ from those of scikit-learn by {difference}."
        raise AssertionError(msg)
    ratios, seconds = time_pairs(
        lambda: compare_scores(y_true, models, n_resamples=n_resamples),
        loop,
        repeats=repeats,
        inverse=True,
    )
    factor = n_resamples / len(looped)
    return Figure(
        f"compare_scores, 5 models, {n_rows:,} x 8, {n_resamples:,} resamples",
        "roc_auc_score for each model and resample (speed-up)",
        50,
        [ratio * factor for ratio in ratios],
        at_least=True,
        details=seconds | {"looped": len(looped), "difference": float(difference)},
    )
