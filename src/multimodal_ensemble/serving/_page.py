"""The page for people: a form with the columns of the model, and its answer."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from multimodal_ensemble.serving._fields import Field
from multimodal_ensemble.serving._page_script import SCRIPT
from multimodal_ensemble.serving._page_style import STYLE

_HINTS = {
    "image": "Choose a picture or drop it here.",
    "images": "Choose pictures or drop them here.",
    "tags": "Separate them by commas.",
    "texts": "Separate them by commas.",
    "text": "Text.",
    "category": "",
    "number": "A number.",
    "number as text": "A number, such as {number} or 3 %.",
    "date": "A date.",
    "vector": "{length} numbers, separated by commas.",
    "value": "A JSON value.",
}


def html_page(title: str, body: str, *, script: str = "") -> str:
    """Return a page of one file, which loads nothing."""
    return "\n".join(
        [
            "<!DOCTYPE html>",
            "<html lang='en'>",
            "<head>",
            "<meta charset='utf-8'>",
            "<meta name='viewport' content='width=device-width, initial-scale=1'>",
            f"<title>{escape(title)}</title>",
            "<link rel='icon' href='data:,'>",
            f"<style>{STYLE}</style>",
            "</head>",
            "<body>",
            f"<main>\n<h1>{escape(title)}</h1>\n{body}\n</main>",
            *([f"<script>{script}</script>"] if script else []),
            "</body>",
            "</html>",
            "",
        ]
    )


def model_page(title: str, fields: Mapping[str, Field]) -> str:
    """Return the page with the form of a model."""
    inputs = "\n".join(
        _field_html(field, f"field-{number}") for number, field in enumerate(fields.values())
    )
    body = f"""<p class='soft'>Nothing that you send is kept. For programs, see the
<a href='docs'>description of the API</a>.</p>
<div class='both'>
<form aria-label='Row'>
{inputs}
<button>Predict</button>
</form>
<section aria-label='Prediction'>
<p id='status' role='status'></p>
<div id='result'></div>
</section>
</div>
<noscript><p>The page needs JavaScript.</p></noscript>"""
    return html_page(title, body, script=SCRIPT)


def example_number(field: Field) -> str:
    """Return a number as text, as a column takes it."""
    return "1.234,5" if field.decimal == "," else "1,234.5"


def _field_html(field: Field, identifier: str) -> str:
    name = escape(field.column)
    is_text = field.kind == "number" and field.takes_text
    hint = _HINTS["number as text" if is_text else field.kind].format(
        length=field.length, number=example_number(field)
    )
    if not field.is_required:
        hint = f"{hint} It may be left empty.".strip()
    described = f" aria-describedby='{identifier}-hint'" if hint else ""
    common = f"id='{identifier}' name='{name}'{described}"
    needed = " required" if field.is_required and not field.takes_null else ""
    label = f"<label for='{identifier}'>{name}</label>"
    note = f"<small id='{identifier}-hint'>{escape(hint)}</small>" if hint else ""
    if field.is_image:
        several = " multiple" if field.kind == "images" else ""
        control = f"<input type='file' accept='image/*' {common}{several}{needed}>"
        return (
            f"<div class='field drop'>{label}{note}{control}"
            "<div class='shown' aria-live='polite'></div></div>"
        )
    if field.kind == "category":
        # Without value=, a browser would send the text with its spaces collapsed.
        names = [escape(str(choice)) for choice in field.choices]
        options = "".join(f"<option value='{name}'>{name}</option>" for name in names)
        control = f"<select {common}><option value=''></option>{options}</select>"
    elif is_text:
        control = f"<input inputmode='decimal' autocomplete='off' {common}>"
    elif field.kind == "number":
        control = f"<input type='number' step='any' {common}>"
    elif field.kind == "text":
        control = f"<textarea rows='4' {common}{needed}></textarea>"
    else:
        control = f"<input autocomplete='off' {common}>"
    return f"<div class='field'>{label}{note}{control}</div>"
