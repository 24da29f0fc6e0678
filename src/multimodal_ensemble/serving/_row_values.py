"""Values of rows, checked against the columns of the model."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from multimodal_ensemble._number_strings import parse_number
from multimodal_ensemble._tables import as_object_array
from multimodal_ensemble.serving._fields import Field
from multimodal_ensemble.serving._request_error import RequestError

Row = dict[str, Any]


def check_value(value: Any, field: Field) -> Any:
    """Return a JSON value, which is no image and not null, as the encoder takes it.

    Raises
    ------
    RequestError
        If it is of another kind.
    """
    if field.kind == "vector":
        return _vector(value, field.length)
    _check_text(value)
    if field.kind == "number":
        return _check_number(value, field)
    if field.kind == "category":
        if isinstance(value, str | bool | int | float):
            return value
        raise RequestError(
            422, f"a category must be text, a number or true or false, not {value!r:.80}"
        )
    if field.kind in ("tags", "texts"):
        if isinstance(value, str) and field.takes_text:
            return value
        if isinstance(value, list) and all(isinstance(item, str) for item in value):
            return value
        raise RequestError(422, f"it must be a list of strings, not {value!r:.80}")
    if field.kind == "text":
        is_list = isinstance(value, list) and all(isinstance(item, str) for item in value)
        if isinstance(value, str) or is_list:
            return value
        raise RequestError(422, f"it must be a string, not {value!r:.80}")
    if field.kind == "date":
        if isinstance(value, str):
            return value
        raise RequestError(422, f"it must be a date as a string, not {value!r:.80}")
    return _as_array(value)


def parse_text(texts: Sequence[str], field: Field) -> Any:
    """Return the value of a column from the texts of a form; None for an empty field."""
    if field.kind in ("tags", "texts", "vector"):
        values: list[Any] = []
        for text in texts:
            if text.strip().startswith("["):
                values += _parse_list(text)
            elif text.strip():
                values += [part.strip() for part in text.split(",") if part.strip()]
        return None if not values and field.takes_null else values
    if len(texts) > 1:
        raise RequestError(422, f"the form has it {len(texts)} times")
    (text,) = texts
    if field.kind == "text":
        return text if text or not field.takes_null else None
    if not text.strip():
        return None
    if field.kind == "category":
        by_name = {str(choice): choice for choice in field.choices}
        return by_name.get(text, text)
    if field.kind == "value":
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    return text


def make_table(rows: Sequence[Row], fields: Mapping[str, Field]) -> pd.DataFrame:
    """Return checked rows as a table with all columns of the model."""
    columns: dict[str, Any] = {}
    for column, field in fields.items():
        values = [row.get(column) for row in rows]
        if field.kind == "number" and not any(isinstance(value, str) for value in values):
            columns[column] = np.array([np.nan if value is None else value for value in values])
        else:
            columns[column] = as_object_array(values)
    return pd.DataFrame(columns)


def _check_text(value: Any) -> None:
    """Refuse half of a surrogate pair, which JSON can write, and no encoder can read."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        character = error.object[error.start]
        raise RequestError(422, f"it has {character!a}, which is no Unicode character") from error
    except RecursionError as error:
        raise RequestError(422, "it is nested too deeply") from error


def _check_number(value: Any, field: Field) -> Any:
    """Return a number, or the text of one if the encoder has learned numbers as text."""
    if not isinstance(value, str) or not field.takes_text:
        return _number(value, field.decimal or ".")
    if field.decimal is not None:
        number = parse_number(value, field.decimal)
        if number is None or math.isinf(number):
            mark = " with a decimal comma" if field.decimal == "," else ""
            raise RequestError(422, f"it must be a finite number{mark}, not {value!r:.80}")
    return value


def _number(value: Any, decimal: str = ".") -> float:
    number: float | None = None
    if isinstance(value, str):
        number = parse_number(value, decimal)
    elif isinstance(value, int | float):
        with contextlib.suppress(OverflowError):
            number = float(value)
    if number is None or not math.isfinite(number):
        raise RequestError(422, f"it must be a finite number, not {value!r:.80}")
    return number


def _vector(value: Any, length: int | None) -> Any:
    if not isinstance(value, list) or len(value) != length:
        what = f"a list of {len(value)}" if isinstance(value, list) else f"{value!r:.80}"
        raise RequestError(422, f"it must be a list of {length} numbers, not {what}")
    return np.array([_number(number) for number in value])


def _parse_list(text: str) -> list[Any]:
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RequestError(422, f"it begins with '[' but is no JSON list: {text!r:.80}") from error
    return parsed if isinstance(parsed, list) else [parsed]


def _as_array(value: Any) -> Any:
    """Return nested lists of numbers as an array, and any other value as it is."""
    if not isinstance(value, list):
        return value
    try:
        array = np.array(value)
    except ValueError:
        return value
    return array if array.dtype.kind in "fiu" else value
