"""The answer of a study in sentences."""

from __future__ import annotations

from html import escape

from multimodal_ensemble._resamples import is_resolved
from multimodal_ensemble._text import metric_title
from multimodal_ensemble.model_selection import ComparisonResult
from multimodal_ensemble.reporting._study._parts import (
    interval,
    rows_of,
)
from multimodal_ensemble.reporting._study._study_results import StudyResults


def answer_html(results: StudyResults) -> str:
    """Return one sentence per claim, the first one in large letters, and the notes."""
    comparison = results.comparison
    metric = comparison.metrics[0]
    sentences = [
        _sentence(comparison.select([other, model]), model, other)
        for model, other in results.claims
    ]
    first, rest = sentences[0] if sentences else _only_score(results), sentences[1:]
    items = f"<ul>{''.join(f'<li>{sentence}</li>' for sentence in rest)}</ul>" if rest else ""
    notes = "".join(f"<p class='note'>{escape(note)}</p>" for note in results.notes)
    n_splits, n_rows = len(comparison.splits), len(tested_rows(comparison))
    splits = f" in {n_splits} splits" if n_splits > 1 else ""
    level = f"{100 * comparison.level:g} %"
    return (
        f"<div class='answer'><p class='first'>{first}</p>{items}</div>{notes}"
        f"<p class='soft'>Measured as {metric_title(metric)} on {n_rows:,} test "
        f"{escape(results.unit)}{splits}, with {len(comparison.labels)} "
        f"{escape(results.label_unit)}. Brackets are {level} intervals over which test "
        f"{escape(results.unit)} were drawn: {comparison.n_resamples:,} bootstrap resamples, the "
        "same ones for all models. A difference is not resolved if its interval contains 0. The "
        "intervals do not cover other training rows, and they hold for one comparison at a "
        "time.</p>"
    )


def tested_rows(comparison: ComparisonResult) -> set[int]:
    """Return the positions of the rows that any split tests."""
    return {int(row) for split in comparison.splits for row in split.rows}


def _sentence(pair: ComparisonResult, first: str, second: str) -> str:
    metric = pair.metrics[0]
    row = next(row for row in rows_of(pair.table) if row.metric == metric and row.model == first)
    title = metric_title(metric)
    if not is_resolved(row):
        found = interval(row.difference, row.difference_low, row.difference_high, sign="+")
        return f"{_name(first)} against {_name(second)} is <b>not resolved</b> in {title}: {found}."
    better, worse = (first, second) if row.difference > 0 else (second, first)
    low, high = sorted((abs(row.difference_low), abs(row.difference_high)))
    by = interval(abs(row.difference), low, high)
    return f"{_name(better)} is better than {_name(worse)} by <b>{by}</b> in {title}."


def _only_score(results: StudyResults) -> str:
    table = results.comparison.table
    row = rows_of(table[table["model"] == results.model])[0]
    score = interval(row.score, row.low, row.high)
    return f"{_name(row.model)} has a {metric_title(row.metric)} of <b>{score}</b>."


def _name(model: str) -> str:
    return f"<q>{escape(model)}</q>"
