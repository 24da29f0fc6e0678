"""Figures without a window, and names in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# What speaks for a label and against it; they differ in lightness, so that they differ in print.
FOR, AGAINST = "#1f5f99", "#e0a458"


def shorten(text: str, length: int) -> str:
    """Return a text of at most `length` characters that Matplotlib does not read as a formula."""
    # Matplotlib would read a dollar sign as the start of a formula.
    text = text.replace("$", r"\$")
    return text if len(text) <= length else text[: length - 1] + "…"


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of a size in inches, or raise an ImportError without Matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        msg = "Figures need Matplotlib. Install it with `pip install matplotlib`."
        raise ImportError(msg) from error
    return Figure(figsize=(width, height), layout="constrained")
