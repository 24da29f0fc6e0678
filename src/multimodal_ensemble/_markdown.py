"""Tables in Markdown."""

from __future__ import annotations

from collections.abc import Sequence


def markdown_table(
    header: Sequence[str], body: Sequence[Sequence[str]], *, is_text: Sequence[bool]
) -> str:
    """Return the lines of a table whose columns of text are aligned to the left.

    The cells must not have line breaks. Bars in them are escaped.
    """
    lines = [[cell.replace("|", "\\|") for cell in cells] for cells in [header, *body]]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]

    def line(cells: Sequence[str]) -> str:
        padded = [
            cell.ljust(width) if left else cell.rjust(width)
            for cell, width, left in zip(cells, widths, is_text, strict=True)
        ]
        return f"| {' | '.join(padded)} |"

    rule = [
        ":" + "-" * (width + 1) if left else "-" * (width + 1) + ":"
        for width, left in zip(widths, is_text, strict=True)
    ]
    return "\n".join([line(lines[0]), f"|{'|'.join(rule)}|", *map(line, lines[1:])])
