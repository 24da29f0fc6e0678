"""The code that creates chosen encoders, with the reasons as comments."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, TypeAlias

from multimodal_ensemble._tables import to_python
from multimodal_ensemble.encoders._column_kind import ColumnKind
from multimodal_ensemble.encoders._encoder import Encoder
from multimodal_ensemble.images import FetchOptions

Choice: TypeAlias = tuple[list[str], ColumnKind]


def write_code(choices: Sequence[Choice], encoders: Sequence[Encoder | None]) -> str:
    """Return Python code that imports the classes and creates the list of encoders."""
    classes = sorted({type(encoder).__name__ for encoder in encoders if encoder is not None})
    lines = [f"from multimodal_ensemble import {', '.join(classes)}"]
    if any(isinstance(each, FetchOptions) for _, kind in choices for each in kind.options.values()):
        lines.append("from multimodal_ensemble.images import FetchOptions")
    lines.append("encoders = [")
    for (columns, kind), encoder in zip(choices, encoders, strict=True):
        if encoder is None:
            lines.append(f"    # {left_out(columns, kind).strip()}")
        else:
            call = _write_call(columns, kind, encoder)
            lines.append(f"    {call},  # {_one_line(kind.description)}")
    return "\n".join([*lines, "]"])


def left_out(columns: Sequence[str], kind: ColumnKind) -> str:
    """Return the reason for which columns have no encoder, or what they hold."""
    listed = ", ".join(map(_one_line, columns))
    return f"  {listed}: left out; {_one_line(kind.description)}"


def _write_call(columns: Sequence[str], kind: ColumnKind, encoder: Encoder) -> str:
    options = dict(kind.options)
    column = str(columns[0]) if len(columns) == 1 else [str(column) for column in columns]
    if column != encoder.name:
        options = {"column": column, **options}
    listed = [repr(encoder.name)]
    listed += [f"{key}={_write_value(key, value)}" for key, value in options.items()]
    return f"{type(encoder).__name__}({', '.join(listed)})"


def _write_value(key: str, value: Any) -> str:
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, FetchOptions):
        return "FetchOptions()" if value == FetchOptions() else repr(value)
    is_plain = value is None or isinstance(value, str | bool | int | float | list | tuple)
    # A network of the user's own is known by the name of the argument.
    return repr(to_python(value)) if is_plain else key


def _one_line(text: str) -> str:
    """Return text that fits into a comment."""
    return text if text.isprintable() else repr(text)[1:-1]
