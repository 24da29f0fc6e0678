"""Tables and the report of a finished run."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from multimodal_ensemble import ImageEncoder, apply_thresholds, label_report

from ..paired_bootstrap import SplitScores, draw_weights, score_samples, summarize
from ..report import Report, Section
from ..versions import describe_versions
from .data import MIN_ICONS, Icons
from .encoders import ALL, WITH_PICTURES
from .options import RunOptions
from .split import Outcome, Split

N_SAMPLES = 1000
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
    samples = _score_all(icons.categories.to_numpy(), results)
    names = {name: _name(name, is_random=picture.weights is None) for name in samples}
    scores = _summarize({names[name]: summarize(each) for name, each in samples.items()}, "model")
    differences = _summarize(
        {
            f"{names[BEST]} minus {names[name]}": summarize(samples[BEST] - each)
            for name, each in samples.items()
            if name != BEST
        },
        "difference",
    )
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
        f"{np.mean([outcomes[name].seconds for _, outcomes in results]):.1f}" for name in samples
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


def _score_all(y: np.ndarray, results: Results) -> dict[str, pd.DataFrame]:
    """Return the scores of each model on the same bootstrap samples."""
    weights = draw_weights([split.test for split, _ in results], len(y), N_SAMPLES)
    samples = {}
    for name in results[0][1]:
        tested = []
        for split, outcomes in results:
            outcome = outcomes[name]
            predicted = apply_thresholds(outcome.scores, outcome.thresholds)
            tested.append(SplitScores(split.test, outcome.scores, predicted))
        samples[name] = score_samples(y, tested, weights)
    return samples


def _summarize(summaries: dict[str, pd.DataFrame], index: str) -> pd.DataFrame:
    """Return one row per summary, with columns such as ("micro_f1", "low")."""
    return pd.DataFrame({name: each.stack() for name, each in summaries.items()}).T.rename_axis(
        index
    )


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
