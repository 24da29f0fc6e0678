"""The most confident mistakes among the rows of a gallery."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from multimodal_ensemble.reporting._study._gallery_row import GalleryRow
from multimodal_ensemble.reporting._study._row_answers import read_answers

_N_MISTAKES = 5


def mistakes_html(gallery: Sequence[GalleryRow], labels: Sequence[str], unit: str) -> str:
    """Return the wrong answers of the highest confidence, with links to their cards."""
    found = []
    for place, row in enumerate(gallery):
        is_true, predicted, confidence = read_answers(row, labels)
        found += [
            (float(confidence[column]), place, int(column), bool(predicted[column]))
            for column in np.flatnonzero(is_true != predicted)
        ]
    if not found:
        return ""
    items = []
    most_confident = sorted(found, key=lambda each: -each[0])[:_N_MISTAKES]
    for _, place, column, is_predicted in most_confident:
        row = gallery[place]
        what = "predicted, but not true" if is_predicted else "true, but not predicted"
        items.append(
            f"<li><a href='#row-{place}'>{escape(row.title)}</a>: {escape(labels[column])} is "
            f"{what}; score {float(row.y_score[column]):.3f}</li>"
        )
    shown = f"{len(items)} of {len(found):,}"
    return (
        f"<h3>The most confident mistakes</h3><p>{shown} wrong answers on the {escape(unit)} "
        f"below.</p><ul>{''.join(items)}</ul>"
    )
