"""The section on training: curves over the batches, and learning curves over training rows."""

from __future__ import annotations

import string
from html import escape

import numpy as np
import pandas as pd

from multimodal_ensemble.reporting._study._line_chart import Chart, Curve, draw_charts
from multimodal_ensemble.reporting._study._marks import number_families
from multimodal_ensemble.reporting._study._parts import (
    Cell,
    Row,
    interval,
    number,
    paragraph,
    rows_of,
    table,
)
from multimodal_ensemble.reporting._study._scale import make_scale
from multimodal_ensemble.reporting._study._study_results import StudyResults

_PANELS = {
    "loss": "Training loss, moving average",
    "mean_roc_auc": "Mean ROC-AUC on validation rows",
    "mean_accuracy": "Mean accuracy on validation rows",
}


def training_html(results: StudyResults) -> str:
    """Return curves of loss, ROC-AUC and accuracy, which share one key."""
    histories = results.histories
    names = list(histories)
    letters = dict(zip(names, make_letters(len(names)), strict=True))
    families = _families(results, names)
    best = {name: int(np.nanargmax(_scores(table))) for name, table in histories.items()}
    steps = make_scale(
        [step for table in histories.values() for step in table["step"]], n_ticks=4, tight=True
    )
    charts = []
    for column, title in _PANELS.items():
        values = [value for table in histories.values() for value in table[column]]
        curves = [
            Curve(
                history["step"].to_numpy(),
                history[column].to_numpy(),
                letters[name],
                family=families[name],
                dash=position,
                marked=best[name],
            )
            for position, (name, history) in enumerate(histories.items())
        ]
        alt = f"{title} over the batches of training, one line per model."
        y = make_scale(values, reversed=True)
        charts.append(Chart(title, steps, y, curves, "batches", alt))
    rows: list[Row] = [
        [
            f"{letters[name]}: {name}",
            Cell(f"{at['step']:,.0f}", at["step"]),
            *(Cell(number(at[column]), at[column]) for column in _PANELS),
        ]
        for name, at in ((name, histories[name].iloc[best[name]]) for name in names)
    ]
    explained = (
        "Each dot with a letter is the evaluation with the highest mean ROC-AUC on validation "
        "rows, whose weights are kept. The lines also differ in their dashes."
    )
    header = ["model", "batches", "loss", "mean ROC-AUC", "mean accuracy"]
    caption = "The marked evaluation of each model."
    return paragraph(explained) + draw_charts(charts) + table(header, rows, caption, sortable=True)


def learning_curve_html(results: StudyResults) -> str:
    """Return the score of each model by its number of training rows."""
    curve = results.learning_curve
    if curve is None:
        return ""
    parts = dict(list(curve.groupby("model", sort=False)))
    letters = dict(zip(parts, make_letters(len(parts)), strict=True))
    families = _families(results, [str(name) for name in parts])
    curves = [
        Curve(
            part["n_rows"].to_numpy(),
            part["score"].to_numpy(),
            letters[name],
            part["low"].to_numpy(),
            part["high"].to_numpy(),
            families[str(name)],
            position,
            has_dots=True,
        )
        for position, (name, part) in enumerate(parts.items())
    ]
    values = curve[["score", "low", "high"]].to_numpy().ravel().tolist()
    chart = Chart(
        "Score by the number of training rows",
        make_scale(curve["n_rows"], tight=True),
        make_scale(values, reversed=True),
        curves,
        f"training {results.unit}",
        "Score of each model by its number of training rows; the table has the numbers.",
    )
    rows: list[Row] = [
        [
            f"{letters[row.model]}: {row.model}",
            Cell(f"{row.n_rows:,.0f}", float(row.n_rows)),
            Cell(interval(row.score, row.low, row.high), float(row.score)),
        ]
        for row in rows_of(curve)
    ]
    key = "; ".join(f"{letter}: {escape(str(name))}" for name, letter in letters.items())
    header = ["model", f"training {results.unit}", "score"]
    caption = "Scores by the number of training rows, with their intervals."
    return f"<p>{key}.</p>{draw_charts([chart])}{table(header, rows, caption, sortable=True)}"


def make_letters(n_names: int) -> list[str]:
    """Return A, B, ..., Z, A2, B2, ... for names."""
    letters = string.ascii_uppercase
    return [
        f"{letters[n % len(letters)]}{n // len(letters) + 1 if n >= len(letters) else ''}"
        for n in range(n_names)
    ]


def _scores(history: pd.DataFrame) -> np.ndarray:
    scores = history["mean_roc_auc"].to_numpy()
    return np.where(np.isnan(scores), -np.inf, scores)


def _families(results: StudyResults, names: list[str]) -> dict[str, int]:
    """Return the family of each name; names that are no models follow the families."""
    numbers = number_families(results.families)
    return {name: numbers.get(name, 1 + max(numbers.values())) for name in names}
