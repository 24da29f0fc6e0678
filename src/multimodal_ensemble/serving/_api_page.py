"""The description of the API as a page for people."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from multimodal_ensemble.serving._fields import Field
from multimodal_ensemble.serving._page import example_number, html_page
from multimodal_ensemble.serving._serving_limits import ServingLimits

REASONS = {
    "400": "The body cannot be parsed.",
    "403": "The request comes from a page of another server.",
    "408": "The body did not arrive in time.",
    "413": "The body is too large, or has too many rows, images or pixels.",
    "415": "The content type is not accepted, or the body is compressed.",
    "422": "A value does not fit the model; the reason names the row and the column.",
    "429": "Too many requests at the same time.",
    "500": "The server failed; its log says why.",
    "503": "The request was not answered in time, or the server is shutting down.",
}


def api_page(api: Mapping[str, Any], fields: Mapping[str, Field], limits: ServingLimits) -> str:
    """Return the description of the API as a page for people."""
    operations = [
        (method.upper(), path, operation["summary"])
        for path, methods in api["paths"].items()
        for method, operation in methods.items()
    ]
    columns = [
        (field.column, field.kind, "yes" if field.is_required else "no", _meaning(field))
        for field in fields.values()
    ]
    example = {"rows": [{field.column: _example(field) for field in fields.values()}]}
    bounds = [(name.replace("_", " "), f"{value:,}") for name, value in vars(limits).items()]
    command = (
        "curl -H 'Content-Type: application/json' \\\n"
        f"  -d {shlex.quote(json.dumps(example, indent=1))} \\\n  http://127.0.0.1:8000/predict"
    )
    body = "\n".join(
        [
            "<p><a href='./'>Form</a> &middot; "
            "<a href='openapi.json'>OpenAPI document for programs</a></p>",
            _table("Requests", ("Method", "Path", "Answer"), operations),
            _table("Columns of a row", ("Column", "Kind", "Required", "Value"), columns),
            "<h2>Example</h2>",
            "<div class='scroll' tabindex='0' role='region' aria-label='Example'>"
            f"<pre>{escape(command)}</pre></div>",
            "<p>A form (<code>multipart/form-data</code>) has the columns of one row as fields, "
            "with images as files; or a field <code>rows</code> with the JSON list of several "
            'rows, in which <code>{"upload": "a"}</code> is the file of the part '
            "<code>a</code>.</p>",
            _table("Errors", ("Status", "Reason"), [*REASONS.items()]),
            _table("Limits", ("Limit", "Value"), bounds),
        ]
    )
    return html_page(f"{api['info']['title']}: API", body)


def _meaning(field: Field) -> str:
    if field.kind == "category":
        shown = ", ".join(map(str, field.choices[:10]))
        return f"{shown}{', ...' if len(field.choices) > 10 else ''}"
    return {
        "image": "data URI or base64 of a picture",
        "images": "list of data URIs or base64",
        "tags": "list of strings",
        "texts": "list of strings",
        "text": "string",
        "number": f"number, or text such as {example_number(field)} or 3 %"
        if field.takes_text
        else "number",
        "date": "date as in training",
        "vector": f"list of {field.length} numbers",
    }.get(field.kind, "JSON value")


def _example(field: Field) -> Any:
    examples: dict[str, Any] = {
        "image": "data:image/jpeg;base64,...",
        "images": ["data:image/jpeg;base64,..."],
        "tags": ["one", "two"],
        "texts": ["one", "two"],
        "text": "words",
        "number": 1.5,
        "date": "2024-12-31",
        "vector": [0.5] * min(field.length or 0, 3),
        "category": field.choices[0] if field.choices else "",
    }
    return examples.get(field.kind)


def _table(caption: str, names: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f"<th scope='col'>{escape(name)}</th>" for name in names)
    lines = [
        f"<tr><th scope='row'>{escape(first)}</th>"
        f"{''.join(f'<td>{escape(cell)}</td>' for cell in others)}</tr>"
        for first, *others in rows
    ]
    return (
        f"<h2>{escape(caption)}</h2>\n<div class='scroll' tabindex='0' role='region' "
        f"aria-label='{escape(caption)}'><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )
