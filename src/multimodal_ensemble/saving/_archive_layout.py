"""The layout of an archive: a zip file of one JSON document and ``.npy`` arrays."""

from __future__ import annotations

import re

MANIFEST = "manifest.json"
MAX_MEMBERS = 100_000
# A parsed document takes about 20 times the memory of its text.
MAX_MANIFEST_BYTES = 64 * 2**20
MAX_NAME_LENGTH = 200
# Space for MAX_MEMBERS names of MAX_NAME_LENGTH characters in the zip file's list of members.
MAX_DIRECTORY_BYTES = MAX_MEMBERS * (MAX_NAME_LENGTH + 128)
# Booleans, signed and unsigned integers, floats.
NUMERIC_KINDS = "biuf"

_ARRAY_NAME = re.compile(r"[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*")
_MEMBER_NAME = re.compile(r"arrays/(.+)\.npy")


def is_array_name(name: object) -> bool:
    """Return whether an archive may hold an array of this name."""
    return (
        isinstance(name, str)
        and len(name) <= MAX_NAME_LENGTH
        and _ARRAY_NAME.fullmatch(name) is not None
        and not {".", ".."} & set(name.split("/"))
    )


def member_name(array_name: str) -> str:
    """Return the name of the zip member that holds an array."""
    return f"arrays/{array_name}.npy"


def array_name(member: str) -> str | None:
    """Return the name of the array that a zip member holds; None if the name is not allowed."""
    match = _MEMBER_NAME.fullmatch(member)
    return match[1] if match is not None and is_array_name(match[1]) else None
