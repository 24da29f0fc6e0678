"""The OpenAPI document of a server."""

from __future__ import annotations

from typing import Any

from multimodal_ensemble._version import __version__
from multimodal_ensemble.serving._api_page import REASONS
from multimodal_ensemble.serving._fields import Field
from multimodal_ensemble.serving._served_model import ServedModel
from multimodal_ensemble.serving._serving_limits import ServingLimits


def _list_of(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _object(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


_NUMBER, _STRING = {"type": "number"}, {"type": "string"}
_STRINGS = _list_of(_STRING)
_IMAGE = {
    "description": "A data URI or base64, or in a form the name of a part with a file.",
    "oneOf": [
        {"type": "string", "format": "byte"},
        {**_object(upload=_STRING), "required": ["upload"], "additionalProperties": False},
    ],
}
_SCORES = {"type": "object", "additionalProperties": _NUMBER}
_THRESHOLDS = {
    "type": "object",
    "description": 'A label is predicted where its score reaches its threshold; "inf" never is, '
    '"-inf" always. Of two classes, the second one has a threshold. Of several classes, the one '
    "whose score exceeds its threshold by the largest factor is predicted.",
    "additionalProperties": {"oneOf": [_NUMBER, {"enum": ["inf", "-inf"]}]},
}
_PREDICTION = _object(
    target_type={"enum": ["multilabel", "binary", "multiclass"]},
    rows=_list_of(_object(labels=_STRINGS, scores=_SCORES)),
    thresholds=_THRESHOLDS,
)
_ERROR = _object(
    error={
        **_object(
            status={"type": "integer"},
            reason=_STRING,
            row={"type": "integer", "description": "Position of the row, from 0."},
            column=_STRING,
        ),
        "required": ["status", "reason"],
    }
)
_EXPLAINED = {
    **_object(
        label=_STRING,
        score=_NUMBER,
        log_odds=_NUMBER,
        base=_NUMBER,
        modalities=_list_of(
            _object(modality=_STRING, contribution=_NUMBER, is_missing={"type": "boolean"})
        ),
        parts=_list_of(_object(part=_STRING, columns=_STRING, contribution=_NUMBER)),
    ),
    "description": "Contributions to the log-odds; base and those of all modalities add up.",
}
_IMAGE_MAP = {
    **_object(column=_STRING, label=_STRING, values=_list_of(_list_of(_NUMBER))),
    "description": "The fall in log-odds if a region of the image is covered, from the upper left.",
}
_EXPLANATION = _object(
    rows=_list_of(_object(labels=_list_of(_EXPLAINED), image_maps=_list_of(_IMAGE_MAP)))
)


def describe_api(model: ServedModel, limits: ServingLimits) -> dict[str, Any]:
    """Return the OpenAPI document of a server."""
    row = {
        **_object(**{column: _schema(field) for column, field in model.fields.items()}),
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
        {
            "name": "image_maps",
            "in": "query",
            "description": "Whether to map the images of each row, for its first label.",
            "schema": {"type": "boolean", "default": False},
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


def _operation(summary: str, answer: str, max_rows: int) -> dict[str, Any]:
    several = {
        **_list_of({"$ref": "#/components/schemas/Row"}),
        "minItems": 1,
        "maxItems": max_rows,
    }
    rows = {
        **_object(rows=several),
        "required": ["rows"],
        "additionalProperties": False,
    }
    errors = {
        status: {"description": reason, "content": _content("Error")}
        for status, reason in REASONS.items()
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
        "images": _list_of(_IMAGE),
        "tags": _STRINGS,
        "texts": _STRINGS,
        "text": _STRING,
        "number": {"type": ["number", "string"] if field.takes_text else "number"},
        "date": _STRING,
        "vector": {
            **_list_of(_NUMBER),
            "minItems": field.length,
            "maxItems": field.length,
        },
        "category": {"examples": [*field.choices[:20]]},
        "value": {},
    }
    schema = schemas[field.kind]
    return {"oneOf": [schema, {"type": "null"}]} if field.takes_null and schema else schema
