"""Figures without a window, and names in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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


def new_panels(
    n_panels: int, *, per_row: int, line_height: float, other_height: float
) -> tuple[Figure, list[Any]]:
    """Return a figure of panels whose axes go from 0 to 1, at most `per_row` in a line."""
    per_row = min(per_row, n_panels)
    n_lines = -(-n_panels // per_row)
    figure = new_figure(max(4.0, 3.0 * per_row), other_height + line_height * n_lines)
    axes = figure.subplots(n_lines, per_row, sharex=True, sharey=True, squeeze=False).ravel()
    for axis in axes[n_panels:]:
        axis.remove()
    for axis in axes[:n_panels]:
        axis.set_xlim(-0.02, 1.02)
        axis.set_ylim(-0.02, 1.02)
        axis.grid(alpha=0.3)
        axis.set_axisbelow(True)
        axis.spines[["top", "right"]].set_visible(False)
        # The panels share their axes, whose last line may be incomplete.
        axis.tick_params(labelbottom=True)
    return figure, list(axes[:n_panels])
