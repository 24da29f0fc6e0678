"""The size of the picture in a JPEG file."""

from __future__ import annotations

# Markers of frames, ISO/IEC 10918-1, table B.1.
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})


def jpeg_size(content: bytes) -> tuple[int, int] | None:
    """Return width and height in pixels, or None for anything but a JPEG file."""
    if content[:2] != b"\xff\xd8":
        return None
    place = 2
    # A segment has a marker of two bytes, its own length, and for a frame precision and size.
    while place + 9 <= len(content) and content[place] == 0xFF:
        marker = content[place + 1]
        if marker in _FRAMES:
            height = int.from_bytes(content[place + 5 : place + 7], "big")
            width = int.from_bytes(content[place + 7 : place + 9], "big")
            return (width, height) if width and height else None
        place += 2 + int.from_bytes(content[place + 2 : place + 4], "big")
    return None
