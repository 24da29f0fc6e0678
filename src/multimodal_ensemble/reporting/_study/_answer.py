"""The answer of a study in sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from multimodal_ensemble._resamples import is_resolved
from multimodal_ensemble._text import metric_title
from multimodal_ensemble.model_selection import ComparisonResult
from multimodal_ensemble.reporting._study._check_results import rank_models
from multimodal_ensemble.reporting._study._comparison import CHANCE
from multimodal_ensemble.reporting._study._parts import interval, rows_of
from multimodal_ensemble.reporting._study._study_results import StudyResults


def answer_html(results: StudyResults) -> str:
    """Return the main answer in large letters, one sentence per claim, and the notes."""
    comparison = results.comparison
    metric = comparison.metrics[0]
    order = rank_models(comparison, results.trivial)
    sentences = [
        _sentence(comparison, model, other)
        for model, other in results.claims
        if {model, other} != set(order[:2])
    ]
    listed = "".join(f"<li>{sentence}</li>" for sentence in sentences)
    items = f"<ul>{listed}</ul>" if sentences else ""
    notes = "".join(f"<p class='note'>{escape(note)}</p>" for note in results.notes)
    n_splits, n_rows = len(comparison.splits), len(tested_rows(comparison))
    splits = f" in {n_splits} splits" if n_splits > 1 else ""
    level = f"{100 * comparison.level:g} %"
    chosen = (
        f" The best model was found on the same test {escape(results.unit)}, so its score and its "
        "lead tend to be slightly too high."
        if len(comparison.models) > 1
        else ""
    )
    return (
        f"<div class='answer'><p class='first'>{_main_answer(comparison, order)}</p>{items}</div>"
        f"{notes}"
        f"<p class='soft'>Measured as {metric_title(metric)} on {n_rows:,} test "
        f"{escape(results.unit)}{splits}, with {len(comparison.labels)} "
        f"{escape(results.label_unit)}. Brackets are {level} intervals over which test "
        f"{escape(results.unit)} were drawn: {comparison.n_resamples:,} bootstrap resamples, the "
        "same ones for all models. A difference is not resolved if its interval contains 0. The "
        "intervals do not cover other training rows. All intervals of this page hold for one "
        "comparison at a time; they are not corrected for the number of comparisons: of 100 "
        f"differences by chance, about {100 * (1 - comparison.level):.3g} appear resolved.{chosen}"
        f"</p>{_terms(results)}"
    )


def tested_rows(comparison: ComparisonResult) -> set[int]:
    """Return the positions of the rows that any split tests."""
    return {int(row) for split in comparison.splits for row in split.rows}


def _main_answer(comparison: ComparisonResult, order: Sequence[str]) -> str:
    """Return which model has the highest score, and whether its lead is resolved."""
    metric = comparison.metrics[0]
    table = comparison.table
    rows = {row.model: row for row in rows_of(table[table["metric"] == metric])}
    best, title = rows[order[0]], metric_title(metric)
    score = interval(best.score, best.low, best.high)
    if len(order) == 1:
        return f"{_name(best.model)} has a {title} of <b>{score}</b>."
    lead = _sentence(comparison, *order[:2])
    if math.isnan(best.score):
        return lead
    of_all = "one of the highest values" if rows[order[1]].score == best.score else "the highest"
    if any(row.score > best.score for row in rows.values()):
        of_all = "the highest but for the trivial benchmark"
    return (
        f"{_name(best.model)} has a {title} of <b>{score}</b>, {of_all} of {len(order)} models. "
        f"{lead}"
    )


def _terms(results: StudyResults) -> str:
    """Return what the metrics and the terms of the caller mean."""
    row, label = escape(results.unit), escape(results.label_unit)
    meanings = {
        "mean_roc_auc": f"the chance that, of two {row}, one with and one without one of the "
        f"{label}, the one with it has the higher score; a mean over {label}. 1 is perfect, "
        f"{CHANCE} is chance.",
        "mean_average_precision": f"the precision averaged over the {row} that have one of the "
        f"{label}, ranked by score; a mean over {label}. 1 is perfect.",
        "mean_accuracy": f"the share of {row} whose answer, yes or no, is right; a mean over "
        f"{label}. Never predicting a rare one is nearly always right.",
        "macro_f1": "F1 is the harmonic mean of precision, how many of the predicted are true, and "
        f"recall, how many of the true are predicted; macro: a mean over {label}, frequent and "
        "rare ones alike.",
        "micro_f1": "F1 is the harmonic mean of precision, how many of the predicted are true, and "
        f"recall, how many of the true are predicted; micro: over all answers of all {label}.",
    }
    terms = {
        metric_title(metric): meanings[metric]
        for metric in results.comparison.metrics
        if metric in meanings
    } | {escape(term): escape(meaning) for term, meaning in results.terms.items()}
    items = "".join(f"<dt>{term}</dt><dd>{meaning}</dd>" for term, meaning in terms.items())
    return f"<details open><summary>Terms</summary><dl>{items}</dl></details>" if items else ""


def _sentence(comparison: ComparisonResult, first: str, second: str) -> str:
    metric = comparison.metrics[0]
    pair = comparison.select([second, first], metrics=[metric])
    row = next(row for row in rows_of(pair.table) if row.model == first)
    title = metric_title(metric)
    if not is_resolved(row):
        found = interval(row.difference, row.difference_low, row.difference_high, sign="+")
        return (
            f"{_name(first)} against {_name(second)} is <b>not resolved</b> in {title}: "
            f"<span>{found}</span>."
        )
    better, worse = (first, second) if row.difference > 0 else (second, first)
    low, high = sorted((abs(row.difference_low), abs(row.difference_high)))
    by = interval(abs(row.difference), low, high)
    return f"{_name(better)} is better than {_name(worse)} by <b>{by}</b> in {title}."


def _name(model: str) -> str:
    return f"<q>{escape(model)}</q>"
