"""Marks of charts, which differ in shape as well as in colour."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape

# Paths around the origin, about 11 pixels wide.
_SHAPES = (
    "M-5.5 0a5.5 5.5 0 1 0 11 0a5.5 5.5 0 1 0-11 0z",
    "M-5-5h10v10h-10z",
    "M0-6.5L6.5 0L0 6.5L-6.5 0z",
    "M0-6L6 5h-12z",
    "M0 6L6-5h-12z",
    "M-2-6h4v4h4v4h-4v4h-4v-4h-4v-4h4z",
)
N_COLOURS = 6


def mark(x: float, y: str, family: int, *, filled: bool = True) -> str:
    """Return the mark of a family at `x` percent of the width and the vertical position `y`."""
    shape = _SHAPES[(family + family // N_COLOURS) % len(_SHAPES)]
    hollow = "" if filled else " hollow"
    return (
        f"<svg x='{x}%' y='{y}'><path class='m f{family % N_COLOURS}{hollow}' d='{shape}'/></svg>"
    )


def mark_in_text(family: int) -> str:
    """Return the mark of a family for a line of text."""
    return (
        "<svg class='key' width='16' height='16' aria-hidden='true'>"
        f"{mark(50, '50%', family)}</svg>"
    )


def number_families(families: Mapping[str, str]) -> dict[str, int]:
    """Return the number of the family of each model."""
    numbers = {family: number for number, family in enumerate(dict.fromkeys(families.values()))}
    return {model: numbers[family] for model, family in families.items()}


def family_key(families: Mapping[str, str], models: Iterable[str]) -> str:
    """Return a legend of families; nothing for a single one."""
    numbers = number_families(families)
    shown = dict.fromkeys((families[model], numbers[model]) for model in models)
    if len(shown) < 2:
        return ""
    items = [f"<li>{mark_in_text(number)} {escape(name)}</li>" for name, number in shown]
    return f"<ul class='legend'>{''.join(items)}</ul>"
