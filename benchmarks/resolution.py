"""What a number of test rows can resolve: ``python -m benchmarks.resolution --help``.

Two models are simulated on many test sets. Their labels are as frequent as the eight genres of the
reference study, and their scores are normal, higher for the positive class, and correlated between
the models within each class. The labels are independent of each other. Everything is synthetic.
"""

import argparse

import numpy as np
import pandas as pd
from scipy.stats import norm

from multimodal_ensemble.metrics import compare_scores, tune_thresholds
from multimodal_ensemble.reporting import to_markdown

# Shares of the study's 10,649 movies: Drama, Comedy, Thriller, Documentary, Action, Romance,
# Horror, Crime.
SHARES = np.array([4809, 3506, 2204, 1719, 1508, 1474, 1162, 1154]) / 10_649
METRICS = ("mean_roc_auc", "mean_accuracy", "roc_auc")
RAREST = str(len(SHARES) - 1)
# A difference of 0 plus this many standard errors is resolved in 80 % of test sets.
POWER = norm.ppf(0.975) + norm.ppf(0.8)


def main() -> None:
    """Print how wide intervals are, and which differences can be found."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.resolution", description=__doc__)
    parser.add_argument("--rows", nargs="+", type=int, default=[160, 1064, 10_000])
    parser.add_argument("--correlations", nargs="+", type=float, default=[0.0, 0.5, 0.8, 0.95])
    parser.add_argument("--roc-auc", type=float, default=0.8, help="ROC-AUC of both models")
    parser.add_argument("--test-sets", type=int, default=400, help="simulated test sets per line")
    parser.add_argument("--resamples", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    lines = [
        line
        for n_rows in options.rows
        for correlation in options.correlations
        for line in simulate(n_rows, correlation, options)
    ]
    for metric, table in pd.DataFrame(lines).groupby("metric", sort=False):
        of_what = f"of the rarest label ({SHARES[-1]:.0%})" if metric == "roc_auc" else ""
        shown = table.drop(columns="metric").set_index("test rows")
        print(f"{metric} {of_what}\n\n{to_markdown(shown)}\n")


def simulate(n_rows: int, correlation: float, options: argparse.Namespace) -> list[dict[str, str]]:
    """Return a line of the table per metric; in truth, both models are equally good."""
    rng = np.random.default_rng(options.seed)
    found: dict[str, list[tuple[float, float, float, float]]] = {metric: [] for metric in METRICS}
    # Thresholds come from other rows, so they do not depend on the test set.
    thresholds = tune_thresholds(*draw(100_000, correlation, options.roc_auc, rng)[:2])
    for _ in range(options.test_sets):
        y_true, one, other = draw(n_rows, correlation, options.roc_auc, rng)
        table = compare_scores(
            y_true,
            {"one": one, "other": other},
            metric=METRICS,
            thresholds=thresholds,
            n_resamples=options.resamples,
        ).table
        is_shown = (table["model"] == "other") & table["label"].isin([None, RAREST])
        for row in table[is_shown].itertuples():
            contains_0 = row.difference_low <= 0 <= row.difference_high
            paired_width = row.difference_high - row.difference_low
            found[row.metric].append((row.high - row.low, row.difference, paired_width, contains_0))
    lines = []
    for metric in METRICS:
        width, difference, paired_width, contains_0 = np.array(found[metric]).T
        lines.append(
            {
                "metric": metric,
                "test rows": f"{n_rows:,}",
                "correlation": f"{correlation:g}",
                "score": f"± {width.mean() / 2:.4f}",
                "difference": f"± {paired_width.mean() / 2:.4f}",
                "intervals with 0": f"{100 * contains_0.mean():.0f} %",
                "found in 80 %": f"{POWER * np.sqrt(np.mean(difference**2)):.4f}",
            }
        )
    return lines


def draw(
    n_rows: int, correlation: float, roc_auc: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return labels and the scores of two models of the same quality."""
    y_true = rng.random((n_rows, len(SHARES))) < SHARES
    shift = np.sqrt(2) * norm.ppf(roc_auc) * y_true
    shared = rng.normal(size=y_true.shape)
    scores = [
        shift
        + np.sqrt(correlation) * shared
        + np.sqrt(1 - correlation) * rng.normal(size=y_true.shape)
        for _ in range(2)
    ]
    return y_true, *scores


if __name__ == "__main__":
    main()
