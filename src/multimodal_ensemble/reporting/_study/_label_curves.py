"""Reliability curves and threshold curves of each label, for one model."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multimodal_ensemble._validation import FloatArray
from multimodal_ensemble.metrics import reliability_curve
from multimodal_ensemble.model_selection import ComparisonResult
from multimodal_ensemble.reporting._study._line_chart import Chart, Curve, draw_charts
from multimodal_ensemble.reporting._study._parts import threshold_text
from multimodal_ensemble.reporting._study._scale import make_scale
from multimodal_ensemble.reporting._study._study_results import StudyResults

_UNIT_SCALE = make_scale([0.0, 1.0])
_UNIT_SCALE_UP = make_scale([0.0, 1.0], reversed=True)
# Rates at a threshold, by their letter.
_RATES = {"A": "accuracy", "P": "precision", "R": "recall", "F": "F1"}


def label_curves_html(results: StudyResults) -> str:
    """Return both kinds of curves, or a sentence where the scores are no probabilities."""
    comparison, model = results.comparison, str(results.model)
    rows, y_score = first_scores(comparison, model)
    if y_score.min() < 0 or y_score.max() > 1:
        return (
            f"<p>The scores of <q>{escape(model)}</q> are no probabilities, so they have no "
            "reliability curves.</p>"
        )
    unit, labels = escape(results.unit), escape(results.label_unit)
    reliability = (
        f"<h3>Can the scores of <q>{escape(model)}</q> be read as probabilities?</h3>"
        f"<p>Of {unit} with a score of about 0.3, 30 % have the label if the scores are "
        "calibrated: the points then lie on the dashed diagonal. Points above it: the label "
        "occurs more often than the scores say. Each point is about a tenth of the rows, with its "
        "95 % interval.</p>"
    )
    first = comparison.splits[0]
    of_split = "of the first split " if len(comparison.splits) > 1 else ""
    curves = (
        f"<h3>What a threshold does</h3><p>Rates of <q>{escape(model)}</q> on the test {unit} "
        f"{of_split}for each possible threshold: A is accuracy, P precision, R recall and F the "
        f"F1. The vertical line is the threshold in use; {labels} without it are never or always "
        "predicted.</p>"
    )
    return "".join(
        [
            reliability,
            draw_charts(_reliability(results, comparison.y_true[rows], y_score)),
            curves,
            draw_charts(
                _threshold_curves(
                    comparison.labels,
                    comparison.y_true[first.rows],
                    np.asarray(first.y_scores[model]),
                    np.asarray(first.thresholds[model]),
                )
            ),
        ]
    )


def first_scores(comparison: ComparisonResult, model: str) -> tuple[NDArray[np.intp], FloatArray]:
    """Return rows and their scores by the first split that tests them."""
    rows = np.concatenate([split.rows for split in comparison.splits])
    y_score = np.concatenate([split.y_scores[model] for split in comparison.splits])
    distinct, first = np.unique(rows, return_index=True)
    return distinct, y_score[first]


def _reliability(results: StudyResults, y_true: Any, y_score: FloatArray) -> list[Chart]:
    curve = reliability_curve(y_true, y_score, labels=results.comparison.labels)
    charts = []
    for label, part in curve.groupby("label", sort=False):
        columns: dict[str, FloatArray] = {
            name: part[name].to_numpy(dtype=np.float64)
            for name in ("mean_score", "share", "low", "high")
        }
        points = Curve(
            columns["mean_score"],
            columns["share"],
            low=columns["low"],
            high=columns["high"],
            has_dots=True,
        )
        charts.append(
            Chart(
                str(label),
                _UNIT_SCALE,
                _UNIT_SCALE_UP,
                [points],
                "mean score",
                f"Share of {results.unit} with {label} against the mean score, "
                f"{len(part)} points from {columns['share'].min():.2f} to "
                f"{columns['share'].max():.2f}.",
                [(0.0, 0.0, 1.0, 1.0)],
                subtitle=f"share of {results.unit} with it",
            )
        )
    return charts


def _threshold_curves(
    labels: list[str], y_true: NDArray[np.bool_], y_score: FloatArray, thresholds: FloatArray
) -> list[Chart]:
    charts = []
    for column, label in enumerate(labels):
        rates = rates_by_threshold(y_true[:, column], y_score[:, column])
        threshold = float(thresholds[column])
        curves = [
            Curve(
                rates["threshold"].to_numpy(),
                rates[name].to_numpy(),
                letter,
                family=number,
                dash=number,
            )
            for number, (letter, name) in enumerate(_RATES.items())
        ]
        text = threshold_text(threshold)
        shown = np.isfinite(threshold)
        charts.append(
            Chart(
                label,
                _UNIT_SCALE,
                _UNIT_SCALE_UP,
                curves,
                "threshold",
                f"Accuracy, precision, recall and F1 of {label} at each threshold; in use: {text}.",
                lines=[(threshold, text)] if shown else [],
                subtitle="" if shown else f"predicted: {text}",
            )
        )
    return charts


def rates_by_threshold(positive: NDArray[np.bool_], y_score: FloatArray) -> pd.DataFrame:
    """Return the rates of the predictions at each distinct score as the threshold.

    The columns are ``threshold``, ``accuracy``, ``precision``, ``recall`` and ``F1``. Recall and
    F1 are NaN for a label without positive rows.
    """
    order = np.argsort(y_score, kind="stable")
    thresholds, first = np.unique(y_score[order], return_index=True)
    below = np.concatenate([[0], np.cumsum(positive[order])])[first]
    n_positive, n_rows = int(positive.sum()), len(positive)
    tp = n_positive - below
    predicted = n_rows - first
    fp = predicted - tp
    with np.errstate(invalid="ignore"):
        return pd.DataFrame(
            {
                "threshold": thresholds,
                "accuracy": (n_rows - fp - below) / n_rows,
                "precision": tp / predicted,
                "recall": tp / np.float64(n_positive),
                "F1": 2 * tp / np.float64(n_positive + predicted)
                if n_positive
                else np.full(len(thresholds), np.nan),
            }
        )
