"""The sections on what the predictions rest on: modalities and tokens."""

from __future__ import annotations

from html import escape

import numpy as np
import pandas as pd

from multimodal_ensemble._resamples import is_resolved
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

_CASES = {
    "missing": "without {modality}",
    "shuffled": "{modality} of other {unit}",
    "alone": "{modality} alone",
}
_MAX_TOKENS = 12


def importance_html(results: StudyResults) -> str:
    """Return how the score changes without each modality: the mean, then label by label."""
    importance = results.importance
    if importance is None:
        return ""
    modalities = [name for name in dict.fromkeys(importance["modality"]) if name]
    if len(modalities) == 2:
        # Without one of two modalities, the other one is alone: one line says both.
        other = dict(zip(modalities, modalities[::-1], strict=True))
        is_same = importance["case"] == "alone"
        is_same &= (
            importance["modality"]
            .map(other)
            .isin(importance.loc[importance["case"] == "missing", "modality"])
        )
        importance = importance[~is_same]
    is_mean = importance["label"] == ""
    means, by_label = importance[is_mean], importance[~is_mean]
    others = (
        ", does not receive it, or receives nothing else"
        if "alone" in set(importance["case"])
        else " or does not receive it, which leaves it the other one alone"
    )
    explained = (
        f"How the score of “{results.model}” changes if it receives a modality of other "
        f"{results.unit} instead of its own{others}. The farther to the left, the more the model "
        "depends on what it loses."
    )
    parts = [paragraph(explained)]
    if dots := _dots(means, results.unit):
        parts += [
            f"<h3>Mean over {escape(results.label_unit)}</h3>",
            dot_plot(dots, line=0.0, sign=True),
        ]
    parts += [_by_label(by_label, results.unit)] if len(by_label) else []
    return "".join(parts)


def _dots(rows: pd.DataFrame, unit: str) -> list[Dot]:
    changed = rows[rows["case"].isin(_CASES)]
    return [
        Dot(
            _title(row.case, row.modality, unit),
            float(row.difference),
            float(row.difference_low),
            float(row.difference_high),
            interval(row.difference, row.difference_low, row.difference_high, sign="+"),
            filled=is_resolved(row),
        )
        for row in rows_of(changed)
    ]


def _title(case: str, modality: str, unit: str) -> str:
    return _CASES[case].format(modality=modality, unit=unit)


def _by_label(rows: pd.DataFrame, unit: str) -> str:
    """Return a heat map of the losses: one row per change, one column per label."""
    changed = rows[rows["case"].isin(_CASES)]
    labels = list(dict.fromkeys(rows["label"]))
    strongest = float(np.nanmax(-changed["difference"].to_numpy(), initial=0.0)) or 1.0
    body: list[Row] = []
    for (case, modality), part in changed.groupby(["case", "modality"], sort=False):
        found = part.set_index("label")["difference"].reindex(labels)
        body.append(
            [
                _title(str(case), str(modality), unit),
                *(
                    Cell(number(value, sign="+"), value, max(0.0, -value / strongest))
                    for value in found.to_numpy().tolist()
                ),
            ]
        )
    caption = "Change of the score by label; the stronger the colour, the larger the loss."
    return table(["change", *labels], body, caption, style="matrix")


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
