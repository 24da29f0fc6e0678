"""Why a row of the gallery has its labels: tokens and contributions of modalities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._validation import FloatArray
from multimodal_ensemble.linear import log_odds
from multimodal_ensemble.reporting._study._gallery_row import GalleryRow

_MAX_TOKENS = 40
_N_REASONS = 3
# Tokens with a smaller share of the strongest contribution have no colour.
_LEAST_SHARE = 0.05


def tokens_html(modality: str, tokens: Mapping[str, Any]) -> str:
    """Return the tokens of a modality, those with the largest contribution to any label first."""
    names = list(tokens)
    # A modality of a single column adds nothing to its own name.
    if names in ([], [modality]):
        return ""
    values: FloatArray = np.nan_to_num(np.stack([tokens[name] for name in names]))
    strength = np.abs(values).max(axis=1)
    strongest = float(strength.max()) or 1.0
    items = []
    for token in np.argsort(-strength, kind="stable")[:_MAX_TOKENS].tolist():
        share = strength[token] / strongest
        style = f" style='background:rgb(var(--heat) / {share:.2f})'"
        items.append(
            f"<span class='token'{style if share >= _LEAST_SHARE else ''}>"
            f"{escape(names[token])}</span>"
        )
    n_left = len(names) - len(items)
    rest = f" and {n_left} more" if n_left else ""
    return f"<p>{escape(modality)}: {''.join(items)}{rest}</p>"


def why_html(row: GalleryRow, labels: Sequence[str], predicted: NDArray[np.bool_]) -> str:
    """Return what speaks for each predicted label, and against each one that was missed."""
    lines = []
    for column, label in enumerate(labels):
        is_missed = label in row.labels and not predicted[column]
        if not (predicted[column] or is_missed):
            continue
        known = {
            modality: float(values[column])
            for modality, values in row.contributions.items()
            if not np.isnan(values[column])
        }
        reasons = [
            f"{escape(modality)} {signed(known[modality])}"
            f"{_strongest(modality, row.tokens.get(modality, {}), column)}"
            for modality in sorted(known, key=lambda name: -abs(known[name]))
        ]
        if reasons:
            question = "Why not" if is_missed else "Why"
            total = float(log_odds(row.y_score[column]))
            reasons.append(f"start {signed(total - sum(known.values()))}")
            threshold = float(row.thresholds[column])
            needed = f"; needed {signed(float(log_odds(threshold)))}" if 0 < threshold < 1 else ""
            answer = f"{'; '.join(reasons)}: in all {signed(total)}{needed}"
            lines.append(f"<li>{question} <b>{escape(label)}</b>? {answer}</li>")
    return f"<ul class='why'>{''.join(lines)}</ul>" if lines else ""


def signed(value: float) -> str:
    """Return a contribution with its sign; 0.0 has none."""
    text = f"{value:+.1f}"
    return text[1:] if float(text) == 0 else text


def _strongest(modality: str, tokens: Mapping[str, Any], column: int) -> str:
    """Return the tokens with the largest contributions to a label, in parentheses."""
    values = {
        token: float(of_labels[column]) for token, of_labels in tokens.items() if token != modality
    }
    # Contributions that are unknown or shown as 0.0 are no reasons.
    named = [
        token for token, value in values.items() if not np.isnan(value) and signed(value) != "0.0"
    ]
    named = sorted(named, key=lambda token: -abs(values[token]))[:_N_REASONS]
    listed = ", ".join(f"{escape(token)} {signed(values[token])}" for token in named)
    return f" ({listed})" if listed else ""
