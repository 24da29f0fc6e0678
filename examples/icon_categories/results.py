"""Tables and the report of a finished run."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from multimodal_ensemble import ImageEncoder, label_report
from multimodal_ensemble.model_selection import ComparisonResult, ComparisonSplit

from ..report import Report, Section
from ..versions import describe_versions
from .data import MIN_ICONS, Icons
from .encoders import ALL, WITH_PICTURES
from .options import RunOptions
from .split import Outcome, Split

N_RESAMPLES = 2000
BEST = f"ensemble: {ALL}"
HEADINGS = {
    "mean_roc_auc": "mean ROC-AUC",
    "mean_accuracy": "mean accuracy",
    "micro_f1": "micro F1",
    "macro_f1": "macro F1",
}
Results = Sequence[tuple[Split, dict[str, Outcome]]]


def write_report(
    options: RunOptions, icons: Icons, picture: ImageEncoder, results: Results
) -> Report:
    """Write all tables, and return the report."""
    comparison = _compare(icons.categories, results)
    names = {name: _name(name, is_random=picture.weights is None) for name in comparison.models}
    scores = _summarize(comparison, ["score", "low", "high"]).rename(index=names)
    # The table has each model minus the best ensemble.
    bounds = ["difference", "difference_high", "difference_low"]
    differences = -_summarize(comparison, bounds).drop(index=BEST)
    differences.index = [f"{names[BEST]} minus {names[name]}" for name in differences.index]
    differences = differences.rename_axis("difference")
    split, first = results[0]
    labels = label_report(
        icons.categories.to_numpy()[split.test],
        first[BEST].scores,
        first[BEST].thresholds,
        labels=list(icons.categories.columns),
    )
    for name, table in {"results": scores, "differences": differences, "labels": labels}.items():
        table.to_csv(options.out / f"{name}.csv")

    table = _readable(scores, "{:.3f} [{:.3f}, {:.3f}]")
    table["seconds"] = [
        f"{np.mean([outcomes[name].seconds for _, outcomes in results]):.1f}" for name in names
    ]
    report = Report(
        "Categories of icons from pictures, search terms and names",
        [
            Section(
                "Results on the test icons",
                [
                    "Scores with intervals of 95 % from bootstrap samples of the test icons; "
                    "seconds for training alone, without computing features.",
                    table,
                    "Each threshold predicts its category about as often as it occurs where it was "
                    "chosen: on leave-one-out scores (ensembles), held-out training icons "
                    "(network) or out-of-fold scores (logistic).",
                ],
            ),
            Section(
                "Differences to the ensemble",
                [
                    "The samples are the same for both.",
                    _readable(differences, "{:+.3f} [{:+.3f}, {:+.3f}]"),
                ],
            ),
            Section(f"Categories, {names[BEST]}, seed {split.seed}", [labels], on_screen=False),
            Section("How it was made", _describe_run(options, icons, picture, results)),
        ],
    )
    report.write(options.out)
    return report


def _name(model: str, *, is_random: bool) -> str:
    """Return the name of a model for tables, which says where a network has random weights."""
    sees_pictures = model.rpartition(": ")[2] in WITH_PICTURES
    return f"{model} (random weights)" if is_random and sees_pictures else model


def _compare(categories: pd.DataFrame, results: Results) -> ComparisonResult:
    """Return the scores of all models on the test icons of all seeds, against the best ensemble."""
    splits = [
        ComparisonSplit(
            split.test,
            {name: outcome.scores for name, outcome in outcomes.items()},
            {name: outcome.thresholds for name, outcome in outcomes.items()},
            repeat=split.seed,
        )
        for split, outcomes in results
    ]
    return ComparisonResult.from_scores(
        categories, splits, metrics=list(HEADINGS), baseline=BEST, n_resamples=N_RESAMPLES
    )


def _summarize(comparison: ComparisonResult, columns: list[str]) -> pd.DataFrame:
    """Return three columns of the comparison by model and score, as "value", "low" and "high"."""
    values = dict(zip(columns, ["value", "low", "high"], strict=True))
    table = comparison.table.set_index(["metric", "model"])[columns].rename(columns=values)
    return pd.concat({score: table.loc[score] for score in HEADINGS}, axis=1)


def _readable(table: pd.DataFrame, form: str) -> pd.DataFrame:
    """Return a value with its interval as text, in one column per score."""
    readable = {
        heading: [form.format(*row) for row in table[score].to_numpy()]
        for score, heading in HEADINGS.items()
    }
    return pd.DataFrame(readable, index=table.index)


def _describe_run(
    options: RunOptions, icons: Icons, picture: ImageEncoder, results: Results
) -> list[str]:
    """Return what the results depend on."""
    weights = "random" if picture.weights is None else Path(picture.weights).name
    split = results[0][0]
    described = {
        "Data": f"Font Awesome Free {icons.version}, {len(icons.table):,} icons that have one of "
        f"the {icons.categories.shape[1]} categories with {MIN_ICONS} icons or more; "
        f"{len(split.train):,} for training, {len(split.test)} for the test",
        "Pictures": f"{options.backbone}, {weights} weights, {picture.input_shape[0]} pixels",
        "Texts": "no text encoder"
        if options.text_backbone is None
        else f"text encoder {options.text_backbone.name}",
        "Seeds": f"1 to {options.n_seeds}; each draws a split and initial weights",
        "Command": f"`{options.command}`",
        "Versions": ", ".join(f"{name} {version}" for name, version in describe_versions().items()),
    }
    return [f"{key}: {value}." for key, value in described.items()]
