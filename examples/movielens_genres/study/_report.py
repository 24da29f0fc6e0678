"""Tables and the report of a finished run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from multimodal_ensemble import (
    FeatureStore,
    ImageEncoder,
    TextEncoder,
    apply_thresholds,
    label_report,
)
from multimodal_ensemble.reporting import (
    ReportTable,
    compare_models,
    mark_predictions,
    write_report as write_page,
)

from ...report import Part, Report, Section
from ...versions import describe_versions
from .._files import write_json
from ..data import Movies
from ..options import RunOptions
from ._comparison import (
    COMPARISON_FILE,
    SCORES,
    compare_outcomes,
    list_differences,
    readable_differences,
)
from ._encoders import join_names
from ._page import collect_results
from ._split import Outcome, SeedResult

N_EXAMPLES = 12
# This is not called a manifest because the folder of results holds no training table.
TRAINED_ON_FILE = "trained_on.json"
RESULTS_FILE = "results.json"
# What the page shows, from which `write_report` writes it again.
PAGE_FILE = "report.results"


def write_report(
    options: RunOptions,
    movies: Movies,
    posters: Mapping[str, ImageEncoder],
    texts: Mapping[str, TextEncoder],
    results: list[SeedResult],
    device: str,
    store: FeatureStore,
) -> Report:
    """Write all tables and the page, and return the report."""
    out, first = options.out, results[0]
    tables = [score_table(movies, result) for result in results]
    mean, spread = summarize(tables)
    pd.concat(tables, keys=options.seeds, names=["seed"]).to_csv(out / "results_by_seed.csv")
    pd.concat([mean, spread[list(SCORES)].add_suffix("_sd")], axis=1).to_csv(out / "results.csv")
    reports = {
        outcome.model: label_report(
            movies.data.genres.to_numpy()[first.split.test],
            outcome.test_scores,
            outcome.thresholds,
            labels=list(movies.data.genres.columns),
        )
        for outcome in first.outcomes
    }
    pd.concat(reports, names=["model"]).to_csv(out / "labels.csv")
    _list_test_scores(movies, results).to_csv(out / "test_scores.csv", index=False)
    comparison = compare_outcomes(movies.data, results, in_folds=options.in_folds)
    comparison.save(out / COMPARISON_FILE)
    differences = list_differences(comparison, options.source.modalities, options.backbones)
    if not differences.empty:
        differences.to_csv(out / "differences.csv")
    models = [outcome for outcome in first.outcomes if outcome.history is not None]
    histories = {outcome.model: outcome.history for outcome in models}
    if histories:
        pd.concat(histories, names=["model", "evaluation"]).to_csv(out / "histories.csv")
    best = max(first.outcomes, key=lambda outcome: outcome.roc_auc)
    examples = _predict_examples(movies, first, best)
    how = _describe_run(options, posters, texts)
    report = Report(
        f"Movie genres from {join_names(options.source.modalities)}",
        [
            _results_section(options, readable(mean, spread), differences),
            Section(
                "What each filter leaves",
                [movies.data.steps, movies.data.tag_steps],
                on_screen=False,
            ),
            Section(
                f"Test movies of seed {options.seeds[0]}, genre by genre",
                [ReportTable(labels, caption=model) for model, labels in reports.items()],
                on_screen=False,
            ),
            Section(
                f"Twelve test movies, predicted by the best model before the test: {best.model}",
                [_list_examples(examples)],
            ),
            Section("How it was made", [f"{key}: {value}." for key, value in how.items()]),
        ],
    )
    (out / "report.md").write_text(report.to_markdown(), encoding="utf-8")
    page = collect_results(
        options, movies, results, comparison, _list_notes(options), {**how, "Device": device}, store
    )
    page.save(out / PAGE_FILE)
    write_page(page, out / "report.html")
    write_json(out / TRAINED_ON_FILE, movies.manifest)
    write_json(
        out / RESULTS_FILE,
        {
            "settings": {**how, "device": device},
            "genres": list(movies.data.genres.columns),
            "filters": {step: int(count) for step, count in movies.data.steps["movies"].items()},
            "mean": _without_nan(mean),
            "standard_deviation": _without_nan(spread[list(SCORES)]) if len(results) > 1 else None,
            "differences": _without_nan(differences),
            "roc_auc_before_the_test": {
                outcome.model: float(outcome.roc_auc) for outcome in first.outcomes
            },
            "thresholds": {
                # Thresholds are text because strict JSON has no infinity; float() reads them back.
                outcome.model: [str(threshold) for threshold in outcome.thresholds.tolist()]
                for outcome in first.outcomes
            },
        },
    )
    return report


def score_table(movies: Movies, result: SeedResult) -> pd.DataFrame:
    """Return the scores of one seed on its test movies."""
    table = compare_models(
        movies.data.genres.to_numpy()[result.split.test],
        {outcome.model: outcome.test_scores for outcome in result.outcomes},
        {outcome.model: outcome.thresholds for outcome in result.outcomes},
    )
    table["parameters"] = [outcome.parameters for outcome in result.outcomes]
    table["seconds"] = [round(outcome.seconds, 1) for outcome in result.outcomes]
    return table


def summarize(tables: list[pd.DataFrame]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return mean and standard deviation over seeds; the latter is NaN for a single seed."""
    stacked = pd.concat(tables, keys=range(len(tables)))
    by_model = stacked.groupby(level="model", sort=False)
    mean = by_model.mean()
    mean["parameters"] = mean["parameters"].round().astype(int)
    return mean, by_model.std()


def readable(mean: pd.DataFrame, spread: pd.DataFrame) -> pd.DataFrame:
    """Return mean and standard deviation as text, with readable headings."""
    table = pd.DataFrame(index=mean.index)
    for column, name in SCORES.items():
        table[name] = [
            f"{value:.3f}" if np.isnan(error) else f"{value:.3f} ± {error:.3f}"
            for value, error in zip(mean[column], spread[column], strict=True)
        ]
    table["parameters trained"] = [f"{count:,}" for count in mean["parameters"]]
    table["seconds"] = [f"{seconds:.1f}" for seconds in mean["seconds"]]
    return table


def _list_notes(options: RunOptions) -> list[str]:
    """Return what readers must know about all figures."""
    notes = []
    if options.source.is_sample:
        notes.append(
            "Synthetic data: movies, tags and posters are invented and drawn by code. These "
            "figures show that the pipeline works; they say nothing about real movies."
        )
    if random := [network for network, weights in options.backbones.items() if weights is None]:
        notes.append(
            f"Random weights in {', '.join(random)}: these rows show what an untrained network "
            "achieves."
        )
    return notes


def _results_section(
    options: RunOptions, table: pd.DataFrame, differences: pd.DataFrame
) -> Section:
    notes = _list_notes(options)
    if options.in_folds:
        notes.append(
            f"Mean ± standard deviation over {len(options.seeds)} folds; each movie is a test "
            "movie of one fold."
        )
    elif len(options.seeds) > 1:
        notes.append(
            "Mean ± standard deviation over seeds; each seed draws a split and initial weights."
        )
    else:
        notes.append("One seed; the sampling error of the mean ROC-AUC is not shown.")
    compared: list[Part] = []
    if not differences.empty:
        compared = [
            ReportTable(readable_differences(differences), caption="Differences"),
            "The interval of 95 % comes from bootstrap samples of the test movies, the same ones "
            "for both.",
        ]
    return Section(
        "Results on the test movies",
        [
            *notes,
            table,
            _describe_choices(options),
            *compared,
        ],
    )


def _describe_choices(options: RunOptions) -> str:
    """Return what was chosen on which movies, and what the columns are."""
    chosen = (
        "The weights and thresholds of each model, and the penalty of the linear controls, were "
        "chosen on validation movies."
    )
    ensemble = (
        "An ensemble holds out no movies: it also learns from the validation movies of the other "
        "models, and chooses penalties and thresholds by leave-one-out scores."
    )
    columns = (
        "F1 is measured at the thresholds that are best for accuracy. Seconds are for training "
        "alone, without computing features."
    )
    texts = [
        *([chosen] if set(options.only) - {"ensemble"} else []),
        *([ensemble] if "ensemble" in options.only else []),
        columns,
    ]
    return " ".join(texts)


def _describe_run(
    options: RunOptions, posters: Mapping[str, ImageEncoder], texts: Mapping[str, TextEncoder]
) -> dict[str, str]:
    """Return what the results depend on."""
    name = "the synthetic sample" if options.source.is_sample else options.source.name
    backbones = [
        f"{network} ({_describe_weights(options.backbones[network])} weights, "
        f"{poster.input_shape[0]} pixels)"
        for network, poster in posters.items()
    ]
    versions = [f"{package} {version}" for package, version in describe_versions().items()]
    described = {
        "Data": f"{name}, described in {TRAINED_ON_FILE}",
        "Backbones": "; ".join(backbones),
        "Texts": " and ".join(
            f"{name} through {Path(text.backbone).name} ({text.feature_shape[0]} numbers)"
            for name, text in texts.items()
        ),
        "Recipe": options.recipe,
        "Loss": options.loss or "",
        "Preprocessing": options.preprocessing or "",
        "Augmented views": str(options.views),
        "Largest vocabulary": str(options.max_tags),
        "Precision": "mixed" if options.mixed_precision else "single",
        "Seeds": ", ".join(map(str, options.seeds)),
        "Folds": str(len(options.seeds)) if options.in_folds else "",
        "Command": f"`{options.command}`",
        "Versions": ", ".join(versions),
    }
    return {key: value for key, value in described.items() if value}


def _describe_weights(weights: str | None) -> str:
    return Path(weights).name if weights else "random"


def _list_test_scores(movies: Movies, results: list[SeedResult]) -> pd.DataFrame:
    """Return the scores of all test movies by all models, for further analysis."""
    tables = []
    for result in results:
        ids = movies.data.movies["movieId"].iloc[result.split.test].to_numpy()
        for outcome in result.outcomes:
            table = pd.DataFrame(outcome.test_scores, columns=movies.data.genres.columns)
            columns = {"seed": result.split.seed, "model": outcome.model, "movieId": ids}
            for place, (column, value) in enumerate(columns.items()):
                table.insert(place, column, value)
            tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _predict_examples(movies: Movies, result: SeedResult, best: Outcome) -> pd.DataFrame:
    """Return twelve test movies with their true and their predicted genres."""
    predicted = apply_thresholds(best.test_scores[:N_EXAMPLES], best.thresholds).astype(bool)
    names = np.asarray(movies.data.genres.columns)
    columns = ["title", "genres"]
    examples = movies.data.movies.iloc[result.split.test[:N_EXAMPLES]][columns].copy()
    examples["predicted"] = [names[row].tolist() for row in predicted]
    return examples


def _list_examples(examples: pd.DataFrame) -> pd.DataFrame:
    marked = [
        ", ".join(mark_predictions(true, predicted)) or "none"
        for true, predicted in zip(examples["genres"], examples["predicted"], strict=True)
    ]
    return pd.DataFrame(
        {
            "true genres": [", ".join(genres) for genres in examples["genres"]],
            "predicted (+ too many, - missed)": marked,
        },
        index=pd.Index(examples["title"], name="movie"),
    )


def _without_nan(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return the table by rows, with None for NaN, which strict JSON does not have."""
    return table.astype(object).where(table.notna(), None).to_dict("index")
