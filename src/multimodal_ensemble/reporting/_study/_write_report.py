"""The report of a study as one HTML file."""

from __future__ import annotations

import os
from html import escape

from multimodal_ensemble.reporting._page import write_page
from multimodal_ensemble.reporting._study._answer import answer_html
from multimodal_ensemble.reporting._study._comparison import comparison_html
from multimodal_ensemble.reporting._study._gallery import gallery_html
from multimodal_ensemble.reporting._study._importance import importance_html, label_tokens_html
from multimodal_ensemble.reporting._study._label_curves import label_curves_html
from multimodal_ensemble.reporting._study._label_map import label_map_html
from multimodal_ensemble.reporting._study._script import SCRIPT
from multimodal_ensemble.reporting._study._study_results import StudyResults
from multimodal_ensemble.reporting._study._study_style import STUDY_STYLE
from multimodal_ensemble.reporting._study._training import learning_curve_html, training_html


def write_report(results: StudyResults, path: str | os.PathLike[str]) -> None:
    """Write the report of a study to one HTML file, which leads with the answer in a sentence.

    Nothing is trained or predicted; everything comes from `results`. The file loads nothing from
    elsewhere, and opens in light and dark mode, on phones and on large screens. Tables can be
    sorted and the gallery filtered by a script in the file; without scripts, the page shows the
    same in a fixed order.

    Parameters
    ----------
    results : StudyResults
        The results, for example from `StudyResults.load`.
    path : path
        The file to write. An existing file is replaced once the new one is complete.

    Raises
    ------
    TypeError
        If `results` is not a `StudyResults`.
    OSError
        If the file cannot be written; an existing file is then unchanged.

    See Also
    --------
    write_html_report : A page of any texts, tables and figures.

    Notes
    -----
    The intervals are those of `ComparisonResult`: percentile intervals of paired bootstrap
    resamples. They hold for each comparison alone, and for these trained models.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from multimodal_ensemble.model_selection import ComparisonResult, ComparisonSplit
    >>> from multimodal_ensemble.reporting import StudyResults, write_report
    >>> both, tags = [[0.1], [0.2], [0.8], [0.9]], [[0.1], [0.8], [0.2], [0.9]]
    >>> split = ComparisonSplit(
    ...     range(4), {"tags": tags, "both": both}, {"tags": 0.5, "both": 0.5})
    >>> comparison = ComparisonResult.from_scores([[0], [0], [1], [1]], [split])
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "report.html"
    >>> write_report(StudyResults(comparison, unit="movies"), path)
    >>> "<q>both</q> against <q>tags</q>" in path.read_text("utf-8")
    True
    """
    if not isinstance(results, StudyResults):
        msg = f"results must be a StudyResults. Received {type(results)!r}."  # type: ignore[unreachable]
        raise TypeError(msg)
    label_unit = results.label_unit.capitalize()
    sections = {
        "Comparison of the models": comparison_html(results),
        f"{label_unit}, one by one": label_map_html(results),
        "Scores and thresholds": label_curves_html(results),
        "Training": training_html(results) if results.histories else "",
        "More training rows": learning_curve_html(results),
        "What each modality contributes": importance_html(results),
        f"Tokens that mark the {results.label_unit}": label_tokens_html(results),
        f"Test {results.unit}": gallery_html(results) if results.gallery else "",
        "How it was made": _provenance(results),
    }
    write_page(
        path,
        results.title,
        {heading: body for heading, body in sections.items() if body},
        language="en",
        lead=answer_html(results),
        style=STUDY_STYLE,
        script=SCRIPT,
    )


def _provenance(results: StudyResults) -> str:
    items = "".join(
        f"<dt>{escape(key)}</dt><dd>{escape(value)}</dd>"
        for key, value in results.provenance.items()
    )
    return f"<dl>{items}</dl>" if items else ""
