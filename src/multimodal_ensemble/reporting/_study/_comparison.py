"""The section that compares the models."""

from __future__ import annotations

import math
from html import escape
from typing import Any

import pandas as pd

from multimodal_ensemble._resamples import is_resolved
from multimodal_ensemble._text import metric_title
from multimodal_ensemble.reporting._study._dot_plot import Dot, dot_plot
from multimodal_ensemble.reporting._study._marks import family_key, mark_in_text, number_families
from multimodal_ensemble.reporting._study._parts import (
    Cell,
    Row,
    interval,
    number,
    paragraph,
    rows_of,
    table,
)
from multimodal_ensemble.reporting._study._study_results import StudyResults

# The ROC-AUC of scores that are independent of the labels.
CHANCE = 0.5


def comparison_html(results: StudyResults) -> str:
    """Return dot plots of the paired differences, and a table of the scores."""
    comparison = results.comparison
    rows = comparison.table
    plots = [
        _plot(results, metric, part)
        for metric, part in rows.groupby("metric", sort=False)
        if len(comparison.models) > 1
    ]
    how = (
        f"Difference of each model to <q>{escape(comparison.baseline)}</q> on the same test "
        f"{escape(results.unit)}, with its interval. Filled marks: the interval excludes 0. Hollow "
        "marks: the difference is not resolved. The vertical line at 0 is the baseline. An arrow "
        "points to a value outside the axis."
    )
    key = family_key(results.families, comparison.models)
    return "".join(
        [
            *([f"<p>{how}</p>", key, *plots] if plots else []),
            _scores(results, rows),
            _repeats(results, rows),
            _incomplete(rows),
        ]
    )


def _plot(results: StudyResults, metric: Any, rows: pd.DataFrame) -> str:
    families = number_families(results.families)
    baseline = rows_of(rows[rows["model"] == results.comparison.baseline])[0]
    dots = []
    for row in rows_of(rows.sort_values("score", ascending=False, kind="stable")):
        family = families[row.model]
        name = model_name(results, row.model)
        if row.model == baseline.model:
            # Its place is the vertical line: a mark would look like a difference.
            dots.append(Dot(name, math.nan, text=f"baseline: {number(row.score)}", family=family))
            continue
        text = interval(row.difference, row.difference_low, row.difference_high, sign="+")
        dots.append(
            Dot(
                name,
                float(row.difference),
                float(row.difference_low),
                float(row.difference_high),
                text,
                family,
                filled=is_resolved(row),
                is_far=row.model == results.trivial,
            )
        )
    if metric == "mean_roc_auc":
        chance = CHANCE - float(baseline.score)
        text = f"{number(chance, sign='+')}, that is {CHANCE}"
        dots.append(Dot("chance", chance, text=text, filled=False, is_far=True))
    return (
        f"<h3>Difference in {metric_title(str(metric))}</h3>{dot_plot(dots, line=0.0, sign=True)}"
    )


def _scores(results: StudyResults, rows: pd.DataFrame) -> str:
    comparison = results.comparison
    families = number_families(results.families)
    header = ["model", *map(metric_title, comparison.metrics)]
    best = rows.groupby("metric")["score"].max()
    body = []
    for model in comparison.models:
        name = model_name(results, model)
        cells: Row = [Cell(name, mark=mark_in_text(families[model]))]
        for metric in comparison.metrics:
            found = rows[(rows["metric"] == metric) & (rows["model"] == model)]
            row = rows_of(found)[0]
            text = interval(row.score, row.low, row.high)
            cells.append(Cell(text, row.score, is_bold=bool(row.score == best[metric])))
        body.append(cells)
    caption = "Scores with their intervals; the highest one of each column is bold."
    return table(header, body, caption, sortable=True)


def _repeats(results: StudyResults, rows: pd.DataFrame) -> str:
    """Return how far the scores of repeats lie apart, where there are repeats."""
    if rows["sd_repeats"].isna().all():
        return ""
    comparison = results.comparison
    found = {(row.model, row.metric): row.sd_repeats for row in rows_of(rows)}
    body: list[Row] = [
        [
            model_name(results, model),
            *(
                Cell(number(found[model, metric]), found[model, metric])
                for metric in comparison.metrics
            ),
        ]
        for model in comparison.models
    ]
    note = (
        "The standard deviation says how far the scores of single repeats lie apart. Repeats "
        "differ in the seed of training and, if their splits differ, in the test rows. The "
        "intervals in brackets do not contain it: they are about the draw of test rows."
    )
    header = ["model", *map(metric_title, comparison.metrics)]
    caption = "Standard deviation of the scores over repeats."
    return paragraph(note) + table(header, body, caption, sortable=True)


def _incomplete(rows: pd.DataFrame) -> str:
    n_incomplete = int(rows["n_incomplete"].max())
    text = (
        f"Up to {n_incomplete:,} resamples lack a class of a label in a split. There, the label is "
        "left out of the mean of that split, for all models."
    )
    return f"<p class='soft'>{text}</p>" if n_incomplete else ""


def model_name(results: StudyResults, model: str) -> str:
    """Return the name of a model, where the trivial one says what it is."""
    is_marked = model == results.trivial and "trivial" not in model.lower()
    return f"{model} \N{EN DASH} trivial benchmark" if is_marked else model
