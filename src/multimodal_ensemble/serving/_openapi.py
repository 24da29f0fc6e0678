"""The description of the API, as OpenAPI document and as page."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from multimodal_ensemble._version import __version__
from multimodal_ensemble.serving._fields import Field
from multimodal_ensemble.serving._page import html_page
from multimodal_ensemble.serving._served_model import ServedModel
from multimodal_ensemble.serving._serving_limits import ServingLimits

_STRINGS = {"type": "array", "items": {"type": "string"}}
_IMAGE = {
    "description": "A data URI or base64, or in a form the name of a part with a file.",
    "oneOf": [
        {"type": "string", "format": "byte"},
        {
            "type": "object",
            "properties": {"upload": {"type": "string"}},
            "required": ["upload"],
            "additionalProperties": False,
        },
    ],
}
_SCORES = {"type": "object", "additionalProperties": {"type": "number"}}
_THRESHOLDS = {
    "type": "object",
    "description": 'A label is predicted where its score reaches its threshold; "inf" never is, '
    '"-inf" always. Of two classes, the second one has a threshold. Of several classes, the one '
    "whose score exceeds its threshold by the largest factor is predicted.",
    "additionalProperties": {"oneOf": [{"type": "number"}, {"enum": ["inf", "-inf"]}]},
}
_PREDICTION = {
    "type": "object",
    "properties": {
        "target_type": {"enum": ["multilabel", "binary", "multiclass"]},
        "rows": {
            "type": "array",
            "items": {"type": "object", "properties": {"labels": _STRINGS, "scores": _SCORES}},
        },
        "thresholds": _THRESHOLDS,
    },
}
_ERROR = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {
                "status": {"type": "integer"},
                "reason": {"type": "string"},
                "row": {"type": "integer", "description": "Position of the row, from 0."},
                "column": {"type": "string"},
            },
            "required": ["status", "reason"],
        }
    },
}
_PARTS = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "part": {"type": "string"},
            "columns": {"type": "string"},
            "contribution": {"type": "number"},
        },
    },
}
_MODALITIES = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            "modality": {"type": "string"},
            "contribution": {"type": "number"},
            "is_missing": {"type": "boolean"},
        },
    },
}
_EXPLAINED = {
    "type": "object",
    "description": "Contributions to the log-odds; base and those of all modalities add up.",
    "properties": {
        "label": {"type": "string"},
        "score": {"type": "number"},
        "log_odds": {"type": "number"},
        "base": {"type": "number"},
        "modalities": _MODALITIES,
        "parts": _PARTS,
    },
}
_EXPLANATION = {
    "type": "object",
    "properties": {
        "rows": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"labels": {"type": "array", "items": _EXPLAINED}},
            },
        }
    },
}
_REASONS = {
    "400": "The body cannot be parsed.",
    "403": "The request comes from a page of another server.",
    "408": "The body did not arrive in time.",
    "413": "The body, its rows, its images or the pixels of one are too many.",
    "415": "The content type is another one.",
    "422": "A value does not fit the model; the reason names the row and the column.",
    "429": "Too many requests at the same time.",
    "500": "The server failed; its log says why.",
    "503": "The request was not answered in time, or the server is shutting down.",
}


def describe_api(model: ServedModel, limits: ServingLimits) -> dict[str, Any]:
    """Return the OpenAPI document of a server."""
    row = {
        "type": "object",
        "properties": {column: _schema(field) for column, field in model.fields.items()},
        "required": [column for column, field in model.fields.items() if field.is_required],
        "additionalProperties": False,
    }
    explain = [
        {
            "name": "label",
            "in": "query",
            "description": "A label to explain; it may be repeated. Default: the predicted ones.",
            "schema": _STRINGS,
        },
        {
            "name": "n_parts",
            "in": "query",
            "description": "Number of parts per label.",
            "schema": {"type": "integer", "minimum": 1, "maximum": 100, "default": 10},
        },
    ]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"{model.kind} with {len(model.labels)} labels",
            "version": __version__,
        },
        "paths": {
            "/predict": {
                "post": _operation("Scores and labels of rows.", "Prediction", limits.max_rows)
            },
            "/explain": {
                "post": _operation(
                    "What the scores of rows rest on.", "Explanation", limits.max_explained_rows
                )
                | {"parameters": explain}
            },
            "/health": {"get": _plain("Whether the server answers, and what it serves.")},
            "/metrics": {"get": _plain("Counts in the text format of Prometheus.", "text/plain")},
        },
        "components": {
            "schemas": {
                "Row": row,
                "Prediction": _PREDICTION,
                "Explanation": _EXPLANATION,
                "Error": _ERROR,
            }
        },
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
        f"  -d '{json.dumps(example, indent=1)}' \\\n  http://127.0.0.1:8000/predict"
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
            _table("Errors", ("Status", "Reason"), [*_REASONS.items()]),
            _table("Limits", ("Limit", "Value"), bounds),
        ]
    )
    return html_page(f"{api['info']['title']}: API", body)


def _operation(summary: str, answer: str, max_rows: int) -> dict[str, Any]:
    rows = {
        "type": "object",
        "properties": {
            "rows": {
                "type": "array",
                "items": {"$ref": "#/components/schemas/Row"},
                "minItems": 1,
                "maxItems": max_rows,
            }
        },
        "required": ["rows"],
        "additionalProperties": False,
    }
    errors = {
        status: {"description": reason, "content": _content("Error")}
        for status, reason in _REASONS.items()
    }
    return {
        "summary": summary,
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": rows},
                "multipart/form-data": {"schema": {"$ref": "#/components/schemas/Row"}},
            },
        },
        "responses": {"200": {"description": summary, "content": _content(answer)}, **errors},
    }


def _plain(summary: str, kind: str = "application/json") -> dict[str, Any]:
    return {
        "summary": summary,
        "responses": {"200": {"description": summary, "content": {kind: {}}}},
    }


def _content(name: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}


def _schema(field: Field) -> dict[str, Any]:
    schemas: dict[str, Any] = {
        "image": _IMAGE,
        "images": {"type": "array", "items": _IMAGE},
        "tags": _STRINGS,
        "texts": _STRINGS,
        "text": {"type": "string"},
        "number": {"type": "number"},
        "date": {"type": "string"},
        "vector": {
            "type": "array",
            "items": {"type": "number"},
            "minItems": field.length,
            "maxItems": field.length,
        },
        "category": {"examples": [*field.choices[:20]]},
        "value": {},
    }
    schema = schemas[field.kind]
    return {"oneOf": [schema, {"type": "null"}]} if field.takes_null and schema else schema


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
        "number": "number",
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
