"""From the body of a request to rows."""

from __future__ import annotations

import json
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, NoReturn

from multimodal_ensemble.serving._fields import Field
from multimodal_ensemble.serving._image_values import ImageReader
from multimodal_ensemble.serving._multipart import Part, parse_multipart
from multimodal_ensemble.serving._request_error import RequestError
from multimodal_ensemble.serving._row_values import Row, check_value, parse_text
from multimodal_ensemble.serving._serving_limits import ServingLimits

_ROWS = "rows"
# Parsing holds up all other requests, for seconds with the millions of lists of a large body.
_MAX_CONTAINERS = 500_000
_ImageOf = Callable[[Any, Field], Any]


class RowReader:
    """Reads and checks the rows of requests.

    Parameters
    ----------
    fields : mapping of str to Field
        The columns of the model.
    limits : ServingLimits
        Bounds of a request.
    images : ImageReader
        Reads images.
    """

    def __init__(
        self, fields: Mapping[str, Field], limits: ServingLimits, images: ImageReader
    ) -> None:
        self._fields = fields
        self._limits = limits
        self._images = images
        # Browsers replace these characters in the names of the fields of a form.
        self._names = {
            column.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A"): column
            for column in fields
        }

    def read(
        self, body: bytes, content_type: str, max_rows: int, given_up: threading.Event
    ) -> list[Row]:
        """Return the rows of a body, ready for the model.

        When `given_up` is set, nobody waits for the rows, and no further image is read.

        Raises
        ------
        RequestError
            If it is no JSON or form with rows of the model's columns, within the limits.
        """
        kind = content_type.partition(";")[0].strip().lower()
        uploads: dict[str, bytes] = {}
        if kind == "application/json":
            given = _rows_of(_parse_json(body))
        elif kind == "multipart/form-data":
            given, uploads = self._read_form(parse_multipart(body, content_type))
        else:
            kinds = "application/json or multipart/form-data"
            raise RequestError(415, f"the content type must be {kinds}, not {kind!r:.80}")
        if not given:
            raise RequestError(422, "there are no rows; at least one is needed")
        if len(given) > max_rows:
            raise RequestError(413, f"{len(given)} rows; at most {max_rows} are allowed")
        self._check_number_of_images(given)
        read_image = partial(self._read_image, uploads, given_up)
        return [self._check_row(row, number, read_image) for number, row in enumerate(given)]

    def _read_form(self, parts: list[Part]) -> tuple[list[Any], dict[str, bytes]]:
        if _ROWS not in self._fields and any(part.name == _ROWS for part in parts):
            return _rows_and_uploads(parts)
        by_name: dict[str, list[Part]] = defaultdict(list)
        for part in parts:
            by_name[self._names.get(part.name, part.name)].append(part)
        row: Row = {}
        for name, found in by_name.items():
            field = self._fields.get(name)
            with _located(0, name):
                row[name] = None if field is None else _form_value(found, field)
        return [row], {}

    def _check_number_of_images(self, rows: list[Any]) -> None:
        columns = [column for column, field in self._fields.items() if field.is_image]
        values = [row.get(column) for row in rows if isinstance(row, dict) for column in columns]
        n_images = sum(
            len(value) if isinstance(value, list) else value is not None for value in values
        )
        if n_images > self._limits.max_images:
            most = self._limits.max_images
            raise RequestError(413, f"{n_images} images; at most {most} are allowed")

    def _check_row(self, row: Any, number: int, read_image: _ImageOf) -> Row:
        if not isinstance(row, dict):
            reason = f"a row must be an object with the columns {[*self._fields]}"
            raise RequestError(422, reason, row=number)
        if unknown := [column for column in row if column not in self._fields]:
            reason = f"there is no such column; the model reads {[*self._fields]}"
            raise RequestError(422, reason, row=number, column=str(unknown[0])[:80])
        checked: Row = {}
        for column, field in self._fields.items():
            with _located(number, column):
                if field.is_required and column not in row:
                    raise RequestError(422, "it is missing")
                checked[column] = _check_value(row.get(column), field, read_image)
        return checked

    def _read_image(
        self, uploads: Mapping[str, bytes], given_up: threading.Event, value: Any, field: Field
    ) -> Any:
        if given_up.is_set():
            raise RequestError(503, "nobody waits for the answer")
        return self._images.read(value, field, uploads)


def _check_value(value: Any, field: Field, read_image: _ImageOf) -> Any:
    if value is None:
        if field.is_required and not field.takes_null:
            raise RequestError(422, "it is null, and the model needs a value")
        return None
    if field.kind == "image":
        return read_image(value, field)
    if field.kind == "images":
        if not isinstance(value, list):
            raise RequestError(422, "it must be a list of images")
        return [read_image(item, field) for item in value]
    return check_value(value, field)


def _rows_and_uploads(parts: list[Part]) -> tuple[list[Any], dict[str, bytes]]:
    """Return the rows of a form that has them as JSON, and its files."""
    contents: dict[str, bytes] = {}
    for part in parts:
        if part.name in contents:
            raise RequestError(422, f"the form has the field {part.name!r:.80} several times")
        if not part.is_file and part.name != _ROWS:
            reason = f"a form with the field 'rows' has only files besides, not {part.name!r:.80}"
            raise RequestError(422, reason)
        contents[part.name] = part.content
    given = _parse_json(contents.pop(_ROWS))
    return given if isinstance(given, list) else _rows_of(given), contents


def _form_value(parts: list[Part], field: Field) -> Any:
    if field.is_image:
        given = [part for part in parts if part.content or part.is_chosen]
        contents = [part.content if part.is_file else part.text for part in given]
        if field.kind == "images":
            return contents or None
        if len(contents) > 1:
            raise RequestError(422, f"{len(contents)} images; the model takes one")
        return contents[0] if contents else None
    if any(part.is_file for part in parts):
        raise RequestError(422, "it is no image, so it cannot be a file")
    return parse_text([part.text for part in parts], field)


def _parse_json(body: bytes) -> Any:
    if body.count(b"[") + body.count(b"{") > _MAX_CONTAINERS:
        raise RequestError(413, f"the body has more than {_MAX_CONTAINERS:,} lists and objects")
    try:
        return json.loads(
            body, parse_constant=_refuse_constant, object_pairs_hook=_refuse_repeated_keys
        )
    except (ValueError, RecursionError) as error:
        why = "nested too deeply" if isinstance(error, RecursionError) else error
        raise RequestError(400, f"the body is no valid JSON: {why}") from error


def _refuse_constant(name: str) -> NoReturn:
    msg = f"{name} is no JSON value"
    raise ValueError(msg)


def _refuse_repeated_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        (key, _), *_ = Counter(key for key, _ in pairs).most_common(1)
        msg = f"an object has the key {key!r:.80} several times"
        raise ValueError(msg)
    return made


def _rows_of(document: Any) -> list[Any]:
    if isinstance(document, dict) and set(document) == {_ROWS}:
        document = document[_ROWS]
        if isinstance(document, list):
            return document
    raise RequestError(422, 'the body must be {"rows": [{column: value, ...}, ...]}')


@contextmanager
def _located(row: int, column: str) -> Iterator[None]:
    """Add the row and the column to an error."""
    try:
        yield
    except RequestError as error:
        error.row, error.column = row, column
        raise
