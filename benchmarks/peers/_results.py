"""Scores with intervals and means of what the runs used: a row per contestant and kind of run."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.peers._contestants import Contestant
from benchmarks.peers._processes import Run
from benchmarks.peers._task import Movies, Split
from multimodal_ensemble.model_selection import ComparisonResult, ComparisonSplit

METRIC = "mean_roc_auc"


@dataclasses.dataclass(frozen=True)
class Outcome:
    """All runs of one row of the table, one per seed, or what stopped the first that failed."""

    title: str
    contestant: Contestant
    runs: Mapping[int, Run]  # by seed
    failure: str | None = None


def summarize(
    movies: Movies, splits: Sequence[Split], outcomes: Sequence[Outcome], bases: Sequence[str]
) -> list[dict[str, Any]]:
    """Return the rows of the table; each base is a title that the others are compared with.

    The score is the mean over the splits. Intervals are of a bootstrap over movies, on which all
    contestants and splits are resampled together.
    """
    done = [outcome for outcome in outcomes if outcome.failure is None]
    compared = [
        ComparisonSplit(
            split.test,
            {outcome.title: outcome.runs[split.seed].scores for outcome in done},
            # Not used: the metric is of ranks.
            {outcome.title: 0.5 for outcome in done},
            repeat=number,
        )
        for number, split in enumerate(splits)
    ]
    rows = {
        outcome.title: {
            "title": outcome.title,
            "user_lines": outcome.contestant.count_lines(),
            "failure": outcome.failure,
        }
        for outcome in outcomes
    }
    for outcome in done:
        runs = list(outcome.runs.values())
        rows[outcome.title] |= {
            "cpu_seconds": [run.cpu_seconds for run in runs],
            "wall_seconds": [run.wall_seconds for run in runs],
            "peak_mib": [run.peak_mib for run in runs],
            "versions": runs[0].versions,
        }
    if done:
        result = ComparisonResult.from_scores(movies.labels, compared, metrics=[METRIC])
        for scored in result.table.to_dict("records"):
            rows[scored["model"]][METRIC] = [scored[name] for name in ("score", "low", "high")]
        for base in [base for base in bases if base in result.models]:
            table = result.select(result.models, baseline=base).table
            for scored in table[table["model"] != base].to_dict("records"):
                rows[scored["model"]].setdefault("minus", {})[base] = [
                    scored[name] for name in ("difference", "difference_low", "difference_high")
                ]
    return list(rows.values())


def to_markdown(rows: Sequence[Mapping[str, Any]], bases: Sequence[str]) -> str:
    """Return the rows as a table; costs are medians over the seeds."""
    header = ["contestant", "mean ROC-AUC", *(f"minus {base}" for base in bases)]
    header += ["CPU s", "wall s", "peak MiB", "lines"]
    lines = [header, ["---"] * len(header)]
    for row in rows:
        if row["failure"] is not None:
            stopped = row["failure"].replace("|", "/")
            lines.append([row["title"], stopped, *[""] * (len(header) - 3), f"{row['user_lines']}"])
            continue
        minus = [row.get("minus", {}).get(base) for base in bases]
        lines.append(
            [
                row["title"],
                _interval(row[METRIC], ".3f"),
                *("" if values is None else _interval(values, "+.3f") for values in minus),
                *(
                    f"{np.median(row[name]):,.0f}"
                    for name in ("cpu_seconds", "wall_seconds", "peak_mib")
                ),
                f"{row['user_lines']}",
            ]
        )
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _interval(values: Sequence[float], form: str) -> str:
    score, low, high = values
    return f"{score:{form}} [{low:{form}}, {high:{form}}]"
