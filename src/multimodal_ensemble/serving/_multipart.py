"""Forms with files, which stay in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from multimodal_ensemble.serving._request_error import RequestError

_MAX_PARTS = 1000
# Old versions of the parser have no such limit, and take long to read the options of long headers.
_MAX_HEADER = 4096


@dataclass(frozen=True)
class Part:
    """A field of a form.

    Parameters
    ----------
    name : str
        Its name.
    content : bytes
        Its value, or the content of a file.
    is_file : bool
        Whether it is a file.
    is_chosen : bool
        Whether the file has a name. Browsers send one without where no file was chosen.
    """

    name: str
    content: bytes
    is_file: bool
    is_chosen: bool = False

    @property
    def text(self) -> str:
        """The value as text."""
        try:
            return self.content.decode()
        except UnicodeDecodeError as error:
            raise RequestError(422, "it is no UTF-8 text") from error


def parse_multipart(body: bytes, content_type: str) -> list[Part]:
    """Return the parts of a ``multipart/form-data`` body.

    Starlette writes large parts to temporary files; here, nothing leaves the memory.

    Raises
    ------
    RequestError
        If the body is malformed or has too many parts.
    """
    boundary = parse_options_header(content_type)[1].get(b"boundary")
    if not boundary:
        raise RequestError(400, "the content type multipart/form-data has no boundary")
    collected = _Collected()
    try:
        parser = MultipartParser(boundary, collected.callbacks())
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise RequestError(400, f"the form is malformed: {error}") from error
    if not collected.is_complete:
        raise RequestError(400, "the form is malformed: its last boundary is missing")
    return collected.parts


class _Collected:
    """The parts that the parser has found."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.is_complete = False
        self._header = bytearray(), bytearray()
        self._headers: dict[bytes, bytes] = {}
        self._content = bytearray()

    def callbacks(self) -> Any:
        """Return the methods that the parser calls."""
        return {
            "on_part_begin": self._begin,
            "on_header_field": self._add_field,
            "on_header_value": self._add_value,
            "on_header_end": self._end_header,
            "on_part_data": self._add_content,
            "on_part_end": self._end,
            "on_end": self._complete,
        }

    def _begin(self) -> None:
        if len(self.parts) == _MAX_PARTS:
            raise RequestError(413, f"the form has more than {_MAX_PARTS} parts")
        self._headers, self._content = {}, bytearray()

    def _add_field(self, data: bytes, start: int, end: int) -> None:
        self._extend(0, data[start:end])

    def _add_value(self, data: bytes, start: int, end: int) -> None:
        self._extend(1, data[start:end])

    def _extend(self, position: int, data: bytes) -> None:
        if len(self._header[position]) + len(data) > _MAX_HEADER:
            raise RequestError(400, f"a header of a part has more than {_MAX_HEADER:,} bytes")
        self._header[position].extend(data)

    def _end_header(self) -> None:
        field, value = map(bytes, self._header)
        self._headers[field.lower()] = value
        self._header = bytearray(), bytearray()

    def _add_content(self, data: bytes, start: int, end: int) -> None:
        self._content.extend(data[start:end])

    def _end(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        if b"name" not in options:
            raise RequestError(400, "the form is malformed: a part has no name")
        name = options[b"name"].decode("utf-8", "replace")
        content, file_name = bytes(self._content), options.get(b"filename")
        self.parts.append(Part(name, content, file_name is not None, bool(file_name)))

    def _complete(self) -> None:
        self.is_complete = True
