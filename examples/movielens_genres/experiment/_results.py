"""Tables and figures of a finished run."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from multimodal_ensemble import apply_thresholds, label_report, read_images
from multimodal_ensemble.reporting import (
    ReportFigure,
    ReportTable,
    compare_models,
    mark_predictions,
    plot_comparison,
    plot_histories,
    plot_predictions,
    to_markdown,
    write_html_report,
)

from .._files import write_json
from ..data import MovieData
from ._modalities import join_names
from ._outcome import Split

N_EXAMPLES = 12
# Not called a manifest: the folder of results holds no training table.
TRAINED_ON_FILE = "trained_on.json"
Part = str | pd.DataFrame | ReportTable | ReportFigure
SCORES = ["mean_roc_auc", "mean_accuracy", "micro_f1", "macro_f1"]


def score_table(data: MovieData, split: Split) -> pd.DataFrame:
    """Return the scores of one split on its test rows, at thresholds from its validation rows."""
    table = compare_models(
        data.genres.to_numpy()[split.test],
        {outcome.model: outcome.test_scores for outcome in split.outcomes},
        {outcome.model: outcome.thresholds for outcome in split.outcomes},
    )
    table["parameters"] = [outcome.parameters for outcome in split.outcomes]
    table["seconds"] = [round(outcome.seconds, 1) for outcome in split.outcomes]
    return table


def summarize(tables: list[pd.DataFrame]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return mean and standard deviation over splits; the latter is NaN for a single one."""
    stacked = pd.concat(tables, keys=range(len(tables)))
    by_model = stacked.groupby(level="model", sort=False)
    mean = by_model.mean()
    mean["parameters"] = mean["parameters"].round().astype(int)
    return mean, by_model.std()


def readable(mean: pd.DataFrame, spread: pd.DataFrame) -> pd.DataFrame:
    """Return the table for people: mean, with the standard deviation where there is one."""
    table = pd.DataFrame(index=mean.index)
    for column in SCORES:
        name = column.replace("_", " ").replace("roc auc", "ROC-AUC").replace("f1", "F1")
        table[name] = [
            f"{value:.3f}" if np.isnan(error) else f"{value:.3f} ± {error:.3f}"
            for value, error in zip(mean[column], spread[column], strict=True)
        ]
    table["parameters trained"] = [f"{count:,}" for count in mean["parameters"]]
    table["seconds"] = [f"{seconds:.1f}" for seconds in mean["seconds"]]
    return table


def write_results(
    out: Path, data: MovieData, splits: list[Split], settings: dict[str, Any], folder: Path
) -> str:
    """Write tables (CSV, JSON, Markdown) and figures; return the Markdown report."""
    tables = [score_table(data, split) for split in splits]
    mean, spread = summarize(tables)
    first = splits[0]
    pd.concat(tables, keys=[split.seed for split in splits], names=["seed"]).to_csv(
        out / "results_by_seed.csv"
    )
    pd.concat([mean, spread[SCORES].add_suffix("_sd")], axis=1).to_csv(out / "results.csv")
    reports = {
        outcome.model: label_report(
            data.genres.to_numpy()[first.test],
            outcome.test_scores,
            outcome.thresholds,
            labels=list(data.genres.columns),
        )
        for outcome in first.outcomes
    }
    pd.concat(reports, names=["model"]).to_csv(out / "labels.csv")
    _list_test_scores(data, splits).to_csv(out / "test_scores.csv", index=False)
    histories = {
        outcome.model: outcome.history for outcome in first.outcomes if outcome.history is not None
    }
    pd.concat(histories, names=["model", "scoring"]).to_csv(out / "histories.csv")
    examples = _examples(data, first, folder)
    figures = _draw(mean, spread, histories, examples, settings["modalities"])
    for name, part in figures.items():
        part.figure.savefig(out / f"{name}.png", dpi=120)
    title = f"Movie genres from {join_names(settings['modalities'])}"
    sections = _sections(readable(mean, spread), reports, examples, data, settings, figures)
    report = _to_markdown(title, sections)
    (out / "report.md").write_text(report, encoding="utf-8")
    write_html_report(out / "report.html", title, sections)
    _write_json(out / "results.json", mean, spread, splits, data, settings)
    return report


def _list_test_scores(data: MovieData, splits: list[Split]) -> pd.DataFrame:
    """Return what every model says of every test movie, to look into or to compare elsewhere."""
    tables = []
    for split in splits:
        movies = data.movies["movieId"].iloc[split.test].to_numpy()
        for outcome in split.outcomes:
            table = pd.DataFrame(outcome.test_scores, columns=data.genres.columns)
            for column, value in (
                ("movieId", movies),
                ("model", outcome.model),
                ("seed", split.seed),
            ):
                table.insert(0, column, value)
            tables.append(table)
    return pd.concat(tables, ignore_index=True)


def _examples(data: MovieData, split: Split, folder: Path) -> pd.DataFrame:
    """Return a dozen test movies with what the best of the five models says of them."""
    models = [outcome for outcome in split.outcomes if outcome.kind == "model"]
    best = max(models, key=lambda outcome: outcome.history["mean_roc_auc"].max())
    rows = split.test[:N_EXAMPLES]
    predicted = apply_thresholds(best.test_scores[:N_EXAMPLES], best.thresholds).astype(bool)
    names = np.asarray(data.genres.columns)
    examples = data.movies.iloc[rows][["title", "genres", "poster_file"]].copy()
    examples["predicted"] = [names[row].tolist() for row in predicted]
    examples["poster_file"] = [folder / file for file in examples["poster_file"]]
    examples.attrs["model"] = best.model
    return examples


def _sections(
    table: pd.DataFrame,
    reports: dict[str, pd.DataFrame],
    examples: pd.DataFrame,
    data: MovieData,
    settings: dict[str, Any],
    figures: dict[str, ReportFigure],
) -> dict[str, list[Part]]:
    """Return what the report says, by its headings."""
    shown = pd.DataFrame(
        {
            "true genres": [", ".join(genres) for genres in examples["genres"]],
            "predicted (+ too many, - missing)": [
                ", ".join(mark_predictions(true, predicted)) or "none"
                for true, predicted in zip(examples["genres"], examples["predicted"], strict=True)
            ],
        },
        index=pd.Index(examples["title"], name="movie"),
    )
    seeds = settings["seeds"]
    backbones = "; ".join(f"{k} ({v})" for k, v in settings["backbones"].items())
    dozen = (
        f"A dozen test movies, by the model that did best on validation: {examples.attrs['model']}"
    )
    return {
        "Results on the test movies": [
            *settings["notes"],
            "Mean ± standard deviation over seeds (each a split and initial weights)."
            if len(seeds) > 1
            else "One seed; the sampling error of the mean ROC-AUC is not shown.",
            table,
            figures["results"],
            "Thresholds, the penalty of the linear controls and the best state of each model were "
            "chosen on validation movies. F1 is at the thresholds that are best for accuracy. "
            "Seconds are for training alone, without the backbone's pass over the posters.",
            figures["training"],
        ],
        "What each filter left": [data.steps, data.tag_steps],
        f"Test movies of seed {seeds[0]}, genre by genre": [
            ReportTable(labels, caption=model) for model, labels in reports.items()
        ],
        dozen: [shown, *([figures["predictions"]] if "predictions" in figures else [])],
        "How it was made": [
            f"Data: {settings['data']}, as {TRAINED_ON_FILE} describes it.",
            *([f"Backbones: {backbones}."] if backbones else []),
            f"Recipe: {settings['recipe']}. Seeds: {', '.join(map(str, seeds))}.",
            f"Command: {settings['command']}",
            "Versions: " + ", ".join(f"{k} {v}" for k, v in settings["versions"].items()) + ".",
        ],
    }


def _to_markdown(title: str, sections: dict[str, list[Part]]) -> str:
    """Return the report without its figures, which lie beside it."""
    blocks = [f"# {title}"]
    for heading, parts in sections.items():
        blocks.append(f"## {heading}")
        for part in parts:
            match part:
                case str():
                    blocks.append(part)
                case pd.DataFrame():
                    blocks.append(to_markdown(part))
                case ReportTable():
                    blocks += [f"### {part.caption}", to_markdown(part.table)]
    return "\n\n".join(blocks) + "\n"


def _write_json(
    path: Path,
    mean: pd.DataFrame,
    spread: pd.DataFrame,
    splits: list[Split],
    data: MovieData,
    settings: dict[str, Any],
) -> None:
    content = {
        "settings": settings,
        "genres": list(data.genres.columns),
        "filters": {step: int(count) for step, count in data.steps["movies"].items()},
        "mean": _without_nan(mean),
        "standard_deviation": _without_nan(spread[SCORES]) if len(splits) > 1 else None,
        "thresholds": {
            # As text, because strict JSON has no infinity; float() reads it back.
            outcome.model: [str(threshold) for threshold in outcome.thresholds.tolist()]
            for outcome in splits[0].outcomes
        },
    }
    write_json(path, content)


def _without_nan(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return the table by rows, with None for what is not a number, which JSON does not know."""
    return table.astype(object).where(table.notna(), None).to_dict("index")


def _draw(
    mean: pd.DataFrame,
    spread: pd.DataFrame,
    histories: dict[str, pd.DataFrame],
    examples: pd.DataFrame,
    modalities: Collection[str],
) -> dict[str, ReportFigure]:
    has_spread = not spread[SCORES].isna().all(axis=None)
    figures = {
        "results": ReportFigure(
            plot_comparison(mean, spread=spread if has_spread else None),
            alt="Bars: the scores of each model, as in the table.",
        ),
        "training": ReportFigure(
            plot_histories(histories),
            alt="Curves of loss, ROC-AUC and accuracy over training, one a model.",
            caption="Training loss, and the scores on validation movies during training.",
        ),
    }
    if "poster" in modalities:
        posters = read_images(examples["poster_file"], (300, 200), on_error="blank").images
        figures["predictions"] = ReportFigure(
            plot_predictions(
                list(posters),
                list(examples["title"]),
                list(examples["genres"]),
                list(examples["predicted"]),
            ),
            alt="The posters of the movies of the table, with their true and predicted genres.",
        )
    return figures
