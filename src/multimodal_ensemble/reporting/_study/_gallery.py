"""The gallery of test rows with their explanation."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from multimodal_ensemble.reporting._study._gallery_row import GalleryRow
from multimodal_ensemble.reporting._study._jpeg_size import jpeg_size
from multimodal_ensemble.reporting._study._mistakes import mistakes_html
from multimodal_ensemble.reporting._study._parts import threshold_text
from multimodal_ensemble.reporting._study._reasons import signed, tokens_html, why_html
from multimodal_ensemble.reporting._study._row_answers import read_answers
from multimodal_ensemble.reporting._study._study_results import StudyResults
from multimodal_ensemble.reporting._study._tiny_png import shade_png

# What an answer is: its code for the script, its text, and its style.
_ANSWERS = {
    (True, True): ("c", "correct", "hit"),
    (False, True): ("f", "wrong", "miss"),
    (True, False): ("m", "missed", "miss"),
    (False, False): ("n", "", ""),
}
# The largest opacity over the parts of a picture that do not speak for a label.
_SHADE = 0.8
# The largest size of a picture on the page, in CSS pixels.
_WIDTH, _HEIGHT = 92, 138


def gallery_html(results: StudyResults) -> str:
    """Return the filters and one card per row."""
    unit = escape(results.unit)
    labels = results.comparison.labels
    cards = [_card(number, row, labels) for number, row in enumerate(results.gallery)]
    has_maps = any(row.picture_map is not None for row in results.gallery)
    has_contributions = any(row.contributions for row in results.gallery)
    explained = [
        f"Test {unit} as <q>{escape(str(results.model))}</q> predicts them. The bar is the score "
        "of a label from 0 to 1, and the line on it the threshold: a label is predicted if its "
        "score is at least the threshold. Correct: predicted, and true. Wrong: predicted, but not "
        "true. Missed: true, but not predicted.",
        *(
            [
                "The columns of modalities are their contributions to the log-odds of the score: "
                "above 0 for the label, below 0 against it. The text says why each label was "
                "predicted, and why a true one was not, with the strongest tokens. The start is "
                "what is left of the log-odds, mostly how frequent the label is; all parts add up "
                "to the log-odds of the score, and those of the threshold are needed. A coloured "
                "token names the label that it changes most: + for it, - against it; the "
                "stronger the colour, the larger the change."
            ]
            if has_contributions
            else []
        ),
        *(
            [
                "In the second picture, grey covers what does not speak for the named label; the "
                "clearer a part, the more it speaks for it."
            ]
            if has_maps
            else []
        ),
        "Confidence is the score of a predicted label, and 1 minus the score of a label that is "
        "not predicted.",
        f"Shown are {len(results.gallery):,} of the {unit}, in the order of the results.",
    ]
    return (
        f"<ul class='explained'>{''.join(f'<li>{text}</li>' for text in explained)}</ul>"
        f"{mistakes_html(results.gallery, labels, results.unit)}"
        f"{_filters(labels)}<div class='gallery'>{''.join(cards)}</div>"
    )


def _filters(labels: Sequence[str]) -> str:
    def select(name: str, options: Mapping[str, str]) -> str:
        items = "".join(
            f"<option value='{value}'>{escape(text)}</option>" for value, text in options.items()
        )
        return f"<label>{name}<select>{items}</select></label>"

    by_label = {"": "all", **{str(place): label for place, label in enumerate(labels)}}
    kinds = {
        "": "all",
        "fm": "with an error",
        "f": "wrong: predicted, not true",
        "m": "missed: true, not predicted",
        "c": "correct",
    }
    orders = {
        "": "as in the data",
        "most": "most confident first",
        "least": "least confident first",
    }
    return (
        "<div class='filters' role='group' aria-label='Filters of the gallery' hidden>"
        f"{select('label', by_label)}{select('answer', kinds)}{select('order', orders)}</div>"
        "<p class='soft' id='shown' role='status'></p>"
    )


def _card(number: int, row: GalleryRow, labels: Sequence[str]) -> str:
    true, predicted, confidence = read_answers(row, labels)
    answers = [_ANSWERS[bool(t), bool(p)] for t, p in zip(true, predicted, strict=True)]
    kinds = "".join(code for code, _, _ in answers)
    named = [label for label, is_predicted in zip(labels, predicted, strict=True) if is_predicted]
    return (
        f"<article id='row-{number}' data-k='{kinds}' "
        f"data-c='{' '.join(f'{value:.3g}' for value in confidence)}'>"
        f"<h3>{escape(row.title)}</h3>{_pictures(number, row)}"
        f"<p>True: <b>{_join(row.labels)}</b><br>Predicted: <b>{_join(named)}</b></p>"
        f"{''.join(tokens_html(name, tokens, labels) for name, tokens in row.tokens.items())}"
        f"{why_html(row, labels, predicted)}"
        f"{_table(row, labels, answers)}</article>"
    )


def _join(labels: Sequence[str]) -> str:
    return escape(", ".join(labels)) or "none"


def _pictures(number: int, row: GalleryRow) -> str:
    if row.picture is None:
        return ""
    width, height = jpeg_size(row.picture) or (1, 1)
    scale = min(1, _WIDTH / width, _HEIGHT / height)
    size = f"width='{max(1, round(scale * width))}' height='{max(1, round(scale * height))}'"
    image = _image("jpeg", row.picture, f"id='p{number}' {size}")
    pictures = [_picture(f"Picture of {row.title}", size, image)]
    caption = ""
    if row.picture_map is not None:
        # Only what speaks for the label stays clear.
        support = np.clip(row.picture_map, 0, None)
        opacity = _SHADE * (1 - support / (support.max() or 1))
        shade = _image("png", shade_png(opacity), f"{size} preserveAspectRatio='none'")
        alt = f"Picture of {row.title}: the parts that speak for {row.map_label} are clear"
        pictures.append(_picture(alt, size, f"<use href='#p{number}'/>{shade}"))
        caption = f"<p>Not grey: speaks for {escape(row.map_label)}</p>"
    return f"<div class='pictures'>{''.join(pictures)}</div>{caption}"


def _picture(alt: str, size: str, content: str) -> str:
    return f"<svg role='img' aria-label='{escape(alt)}' {size}>{content}</svg>"


def _image(kind: str, content: bytes, attributes: str) -> str:
    data = base64.b64encode(content).decode("ascii")
    return f"<image {attributes} href='data:image/{kind};base64,{data}'/>"


def _table(row: GalleryRow, labels: Sequence[str], answers: Sequence[tuple[str, str, str]]) -> str:
    modalities = list(row.contributions)
    names = ["label", "score", "threshold", *modalities]
    header = "".join(f"<th scope='col'>{escape(name)}</th>" for name in names)
    lines = []
    for column, (label, (_, text, style)) in enumerate(zip(labels, answers, strict=True)):
        score, threshold = float(row.y_score[column]), float(row.thresholds[column])
        parts = [float(row.contributions[name][column]) for name in modalities]
        cells = "".join(
            f"<td>{'missing' if np.isnan(part) else signed(part)}</td>" for part in parts
        )
        kind = f" class='{style}'" if style else ""
        answer = f" <i>{text}</i>" if text else ""
        digits = _digits(score, threshold)
        limit = f"{threshold:.{digits}f}" if np.isfinite(threshold) else threshold_text(threshold)
        lines.append(
            f"<tr{kind}><th scope='row'>{escape(label)}{answer}</th>"
            f"<td>{score:.{digits}f}{_bar(score, threshold)}</td><td>{limit}</td>{cells}</tr>"
        )
    return (
        f"<table aria-label='Scores of {escape(row.title)}'><thead><tr>{header}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table>"
    )


def _digits(score: float, threshold: float) -> int:
    """Return two decimal places, or more where a score and its threshold would look equal."""
    if score == threshold:
        return 2
    return next((n for n in (2, 3, 4, 5) if f"{score:.{n}f}" != f"{threshold:.{n}f}"), 6)


def _bar(score: float, threshold: float) -> str:
    line = ""
    if 0 <= threshold <= 1:
        x = f"{100 * threshold:.0f}%"
        line = f"<line x1='{x}' x2='{x}' y1='-2' y2='15'/>"
    return (
        "<svg class='bar' aria-hidden='true'><rect class='all' width='100%' height='100%'/>"
        f"<rect width='{100 * score:.0f}%' height='100%'/>{line}</svg>"
    )
