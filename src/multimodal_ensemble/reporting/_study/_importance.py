"""The sections on what the predictions rest on: modalities and tokens."""

from __future__ import annotations

import numpy as np
import pandas as pd

from multimodal_ensemble.reporting._study._dot_plot import Dot, dot_plot
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

_KINDS = {
    "missing": "without {}",
    "shuffled": "{} of other rows",
    "alone": "{} alone",
}
_MAX_TOKENS = 12


def importance_html(results: StudyResults) -> str:
    """Return how the score changes without each modality: the mean, then label by label."""
    importance = results.importance
    if importance is None:
        return ""
    labels = results.comparison.labels
    means = importance[~importance["label"].isin(labels)]
    by_label = importance[importance["label"].isin(labels)]
    explained = (
        "How the score of the model changes if it does not receive a modality (without), receives "
        "the modality of other rows instead (of other rows), or receives nothing else (alone). The "
        "farther to the left, the more the model depends on what it loses."
    )
    parts = [paragraph(explained)]
    if dots := _dots(means):
        parts += ["<h3>Mean over labels</h3>", dot_plot(dots, line=0.0, sign=True)]
    parts += [_by_label(by_label)] if len(by_label) else []
    return "".join(parts)


def _dots(rows: pd.DataFrame) -> list[Dot]:
    changed = rows[rows["kind"].isin(_KINDS)]
    return [
        Dot(
            _title(row.kind, row.modality),
            float(row.difference),
            float(row.low),
            float(row.high),
            interval(row.difference, row.low, row.high, sign="+"),
            filled=not row.low <= 0 <= row.high,
        )
        for row in rows_of(changed)
    ]


def _title(kind: str, modality: str) -> str:
    return _KINDS[kind].format(modality)


def _by_label(rows: pd.DataFrame) -> str:
    """Return a heat map of the losses: one row per change, one column per label."""
    changed = rows[rows["kind"].isin(_KINDS)]
    labels = list(dict.fromkeys(rows["label"]))
    strongest = float(np.nanmax(-changed["difference"].to_numpy(), initial=0.0)) or 1.0
    body: list[Row] = []
    for (kind, modality), part in changed.groupby(["kind", "modality"], sort=False):
        found = part.set_index("label")["difference"].reindex(labels)
        body.append(
            [
                _title(str(kind), str(modality)),
                *(
                    Cell(number(value, sign="+"), value, max(0.0, -value / strongest))
                    for value in found.to_numpy().tolist()
                ),
            ]
        )
    caption = "Change of the score by label; the stronger the colour, the larger the loss."
    return table(["the model sees", *labels], body, caption, style="matrix")


def label_tokens_html(results: StudyResults) -> str:
    """Return the tokens that mark each label."""
    tokens = results.label_tokens
    if tokens is None:
        return ""
    rows: list[Row] = [
        [
            str(label),
            ", ".join(
                f"{row.token} ({number(row.weight, 2, '+')})"
                for row in rows_of(part.head(_MAX_TOKENS))
            ),
        ]
        for label, part in tokens.groupby("label", sort=False)
    ]
    caption = f"The strongest tokens of each label, at most {_MAX_TOKENS}, with their weights."
    return table(["label", "tokens"], rows, caption)
