"""Finished runs side by side, on the same test movies."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from multimodal_ensemble.model_selection import ComparisonResult, ComparisonSplit
from multimodal_ensemble.reporting import StudyResults, write_report

from ...report import Report, Section
from .._errors import DataError, UsageError
from ..options import CompareOptions
from ._comparison import COMPARISON_FILE, SCORES, pair_differences, readable_differences
from ._controls import TRIVIAL
from ._page import list_terms


def compare_runs(options: CompareOptions) -> Report:
    """Compare runs, write tables and a report, and return the report.

    Raises
    ------
    DataError
        If the runs do not have the same test movies.
    UsageError
        If the baseline is none of the models.
    """
    comparison = join_runs({name: read_comparison(path) for name, path in options.runs.items()})
    pairs = _pair_runs(comparison.models, options.runs)
    against = []
    if options.baseline is not None:
        if options.baseline not in comparison.models:
            listed = ", ".join(map(repr, comparison.models))
            msg = f"--baseline {options.baseline!r} is none of the models; they are {listed}."
            raise UsageError(msg)
        others = [model for model in comparison.models if model != options.baseline]
        against = [(model, options.baseline) for model in others]
    differences = pair_differences(comparison, pairs + against)
    differences.to_csv(options.out / "differences.csv")
    comparison.table.to_csv(options.out / "results.csv", index=False)
    comparison.save(options.out / COMPARISON_FILE)
    report = Report(
        "Runs side by side",
        [
            Section(
                "Scores on the test movies",
                [
                    "Means over the splits, with intervals of 95 % from bootstrap samples of the "
                    "test movies.",
                    _readable_scores(comparison.table),
                ],
            ),
            Section(
                "The same model in two runs",
                [
                    "Paired differences: the samples are the same for both.",
                    readable_differences(differences.iloc[: len(pairs)]),
                ]
                if pairs
                else ["No model is in two of the runs; pass --baseline to compare models."],
            ),
            *(
                [
                    Section(
                        f"Differences to {options.baseline}",
                        [readable_differences(differences.iloc[len(pairs) :])],
                    )
                ]
                if against
                else []
            ),
            Section(
                "How it was made",
                [
                    *(f"Run {name}: {path}." for name, path in options.runs.items()),
                    f"Command: `{options.command}`.",
                ],
            ),
        ],
    )
    (options.out / "report.md").write_text(report.to_markdown(), encoding="utf-8")
    write_report(
        _collect_results(options, comparison, pairs + against), options.out / "report.html"
    )
    return report


def _collect_results(
    options: CompareOptions, comparison: ComparisonResult, claims: Sequence[tuple[str, str]]
) -> StudyResults:
    """Return what the page shows: all models, but the trivial one of a single run.

    It is the same in all runs.
    """
    baseline = options.baseline or comparison.baseline
    trivial = [model for model in comparison.models if model.endswith(f": {TRIVIAL}")]
    trivial.sort(key=lambda model: model != baseline)
    models = [model for model in comparison.models if model not in trivial[1:]]
    return StudyResults(
        comparison.select(models, baseline=baseline),
        title="Runs side by side",
        unit="movies",
        label_unit="genres",
        families={model: model.partition(": ")[0] for model in models},
        trivial=trivial[0] if trivial else None,
        claims=[pair for pair in claims if set(models).issuperset(pair)],
        terms=list_terms(models),
        provenance={
            **{f"Run {name}": str(path) for name, path in options.runs.items()},
            "Command": options.command,
        },
    )


def read_comparison(folder: Path) -> ComparisonResult:
    """Return the scores that a run saved.

    Raises
    ------
    DataError
        If it saved none.
    """
    path = folder / COMPARISON_FILE
    if not path.is_file():
        msg = f"{str(folder)!r} has no {COMPARISON_FILE}; name a folder that the command run wrote."
        raise DataError(msg)
    return ComparisonResult.load(path)


def join_runs(runs: Mapping[str, ComparisonResult]) -> ComparisonResult:
    """Return all models of all runs, with the name of the run in front: "reference: tags".

    Movies are paired by ``movieId``, genres by name and splits by their seed.

    Raises
    ------
    DataError
        If the runs do not have the same genres, seeds and test movies.
    """
    first = next(iter(runs))
    reference = runs[first]
    aligned = {
        name: _align(run, reference, f"The runs {first!r} and {name!r}")
        for name, run in runs.items()
    }
    splits = []
    for parts in zip(*aligned.values(), strict=True):
        named = dict(zip(aligned, parts, strict=True))
        splits.append(
            ComparisonSplit(
                parts[0].rows,
                {f"{run}: {m}": y for run, part in named.items() for m, y in part.y_scores.items()},
                {
                    f"{run}: {m}": t
                    for run, part in named.items()
                    for m, t in part.thresholds.items()
                },
                parts[0].repeat,
            )
        )
    return ComparisonResult.from_scores(
        reference.y_true,
        splits,
        labels=reference.labels,
        rows=reference.rows.tolist(),
        metrics=list(SCORES),
    )


def _align(run: ComparisonResult, reference: ComparisonResult, where: str) -> list[ComparisonSplit]:
    """Return the splits of a run with the rows and genres in the order of the reference."""
    if different := sorted(set(run.labels) ^ set(reference.labels)):
        msg = f"{where} have different genres: {', '.join(different)} in one of them only."
        raise DataError(msg)
    seeds, expected = ([split.repeat for split in each.splits] for each in (run, reference))
    if seeds != expected:
        msg = (
            f"{where} have different splits: seeds {expected} and {seeds}. Repeat one of them "
            "with the --seed, --repeat and --folds of the other."
        )
        raise DataError(msg)
    columns = [run.labels.index(label) for label in reference.labels]
    splits = []
    for split, same in zip(run.splits, reference.splits, strict=True):
        ids, wanted = run.rows[split.rows], reference.rows[same.rows]
        if different := set(ids.tolist()) ^ set(wanted.tolist()):
            msg = (
                f"{where} have different test movies with seed {same.repeat}: {len(different)} are "
                f"in one of them only, such as movieId {min(different)}. Repeat one of them with "
                "the data, filters and modalities of the other."
            )
            raise DataError(msg)
        order = pd.Index(ids).get_indexer(wanted)
        truth = run.y_true[split.rows][np.ix_(order, columns)]
        if (truth != reference.y_true[same.rows]).any():
            msg = f"{where} have different genres of the same movies; repeat one of them."
            raise DataError(msg)
        splits.append(
            ComparisonSplit(
                same.rows,
                {model: scores[np.ix_(order, columns)] for model, scores in split.y_scores.items()},
                {model: limits[columns] for model, limits in split.thresholds.items()},
                same.repeat,
            )
        )
    return splits


def _pair_runs(models: Sequence[str], runs: Mapping[str, Path]) -> list[tuple[str, str]]:
    """Return each model with the same model in the first run that has it."""
    first: dict[str, str] = {}
    pairs = []
    for run in runs:
        own = [model for model in models if model.startswith(f"{run}: ")]
        for model in own:
            name = model.removeprefix(f"{run}: ")
            if name in first and name != TRIVIAL:
                pairs.append((model, first[name]))
            first.setdefault(name, model)
    return pairs


def _readable_scores(table: pd.DataFrame) -> pd.DataFrame:
    """Return the scores with their intervals as text, one row per model."""
    texts = [
        f"{row.score:.3f} [{row.low:.3f}, {row.high:.3f}]" for row in table.itertuples(index=False)
    ]
    wide = table.assign(text=texts).pivot(index="model", columns="metric", values="text")
    return wide.loc[list(dict.fromkeys(table["model"])), list(SCORES)].rename(columns=SCORES)
