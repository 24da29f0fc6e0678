"""The section that compares the models label by label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from html import escape

import numpy as np
import pandas as pd

from multimodal_ensemble._resamples import is_resolved
from multimodal_ensemble.reporting._study._comparison import model_name
from multimodal_ensemble.reporting._study._dot_plot import Dot, dot_plot
from multimodal_ensemble.reporting._study._marks import number_families
from multimodal_ensemble.reporting._study._parts import (
    Cell,
    Row,
    interval,
    number,
    paragraph,
    rows_of,
    table,
    threshold_text,
)
from multimodal_ensemble.reporting._study._study_results import StudyResults

_MAX_LABEL_COLUMNS = 8


def label_map_html(results: StudyResults) -> str:
    """Return one heat map of labels and models, thresholds, and differences by label."""
    comparison = results.comparison
    # The estimates do not need resamples.
    scores = replace(comparison, n_resamples=1).by_label("roc_auc")
    support = scores.drop_duplicates("label").set_index("label")["support"]
    matrix = scores.pivot(index="model", columns="label", values="score").loc[
        comparison.models, comparison.labels
    ]
    low, high = _heat_range(results, matrix)
    unit, labels = results.unit, results.label_unit
    explained = (
        f"ROC-AUC of each model on each of the {labels}: 1 is perfect, 0.5 is chance. The stronger "
        f"the colour, the higher the number, from {low:.2f} to {high:.2f}; the highest number of "
        f"each of the {labels} is bold. A dash stands for {labels} without tested {unit} of both "
        "classes."
    )
    return "".join(
        [
            paragraph(explained),
            _heat_map(results, matrix, support, low, high),
            _thresholds(results),
            *(_differences(results, *pair) for pair in results.claims[:1]),
        ]
    )


def _heat_range(results: StudyResults, matrix: pd.DataFrame) -> tuple[float, float]:
    """Return the lowest and highest number, without the trivial model, which is far below."""
    values = matrix[matrix.index != results.trivial].to_numpy().ravel()
    defined = values[~np.isnan(values)]
    return (float(defined.min()), float(defined.max())) if len(defined) else (0.0, 1.0)


def _heat_map(
    results: StudyResults, matrix: pd.DataFrame, support: pd.Series, low: float, high: float
) -> str:
    best = matrix.max()
    counts: Row = [f"positive {results.unit}"]
    counts += [Cell(f"{count:,}", float(count)) for count in support[matrix.columns]]
    rows: list[Row] = [
        [
            model_name(results, str(model)),
            *(
                Cell(
                    number(value),
                    float(value),
                    max(0.0, (value - low) / ((high - low) or 1.0)),
                    is_bold=bool(value == best[label]),
                )
                for label, value in zip(matrix.columns, row.to_numpy().tolist(), strict=True)
            ),
        ]
        for model, row in matrix.iterrows()
    ]
    caption = f"ROC-AUC of each model on the {results.label_unit}."
    return _matrix(["model", *map(str, matrix.columns)], [counts, *rows], caption)


def _thresholds(results: StudyResults) -> str:
    """Return the thresholds of the first split."""
    comparison = results.comparison
    split = comparison.splits[0]
    rows: list[Row] = [
        [
            model_name(results, model),
            *(
                Cell(threshold_text(value), float(value))
                for value in np.asarray(split.thresholds[model]).tolist()
            ),
        ]
        for model in comparison.models
    ]
    of_split = " of the first split" if len(comparison.splits) > 1 else ""
    explained = (
        "A label is predicted if its score is at least its threshold. Never: no threshold gave "
        "better results than not predicting the label at all, so the model does not predict it "
        "for any row. Always: the model predicts it for every row."
    )
    caption = f"Thresholds{of_split}."
    return paragraph(explained) + _matrix(["model", *comparison.labels], rows, caption)


def _matrix(header: list[str], rows: Sequence[Row], caption: str) -> str:
    """Return a table of models and labels, with fewer columns than rows if there are many labels.

    A phone shows about eight columns.
    """
    if _MAX_LABEL_COLUMNS < len(header) - 1 > len(rows):
        names = [row[0] if isinstance(row[0], str) else row[0].text for row in rows]
        columns = zip(*(row[1:] for row in rows), strict=True)
        rows = [[label, *cells] for label, cells in zip(header[1:], columns, strict=True)]
        header = ["label", *names]
    return table(header, rows, caption, style="matrix")


def _differences(results: StudyResults, first: str, second: str) -> str:
    """Return the paired differences of two models by label."""
    comparison = results.comparison.select([second, first])
    found = comparison.by_label("roc_auc")
    rows = sorted(
        rows_of(found[found["model"] == first]),
        key=lambda row: -np.inf if np.isnan(row.difference) else -row.difference,
    )
    dots = [
        Dot(
            row.label,
            float(row.difference),
            float(row.difference_low),
            float(row.difference_high),
            interval(row.difference, row.difference_low, row.difference_high, sign="+"),
            number_families(results.families)[first],
            filled=is_resolved(row),
        )
        for row in rows
    ]
    higher = [row.label for row in rows if row.difference_low > 0]
    lower = [row.label for row in rows if row.difference_high < 0]
    listed = [
        f"{what} on {', '.join(labels)}"
        for what, labels in (("better", higher), ("worse", lower))
        if labels
    ]
    sentence = (
        f"By label, {first} compared with {second} is {'; '.join(listed)}."
        if listed
        else f"By label, no difference between {first} and {second} is resolved."
    )
    left = [row.label for row in rows if row.label not in {*higher, *lower}]
    rest = f" Not resolved: {', '.join(left)}." if listed and left else ""
    heading = f"Difference in ROC-AUC on each of the {results.label_unit}"
    return (
        f"<h3>{escape(heading)}</h3>{paragraph(sentence + rest)}"
        f"{dot_plot(dots, line=0.0, sign=True)}"
    )
