"""Problems in input files and how they are handled."""

import pandas as pd

MAX_EXAMPLE = 60


def make_printable(text: str) -> str:
    """Return a text without characters that could control a terminal."""
    return "".join(char if char.isprintable() else "?" for char in text)


class Findings:
    """Collects the problems in input files, one row per problem and file.

    Examples
    --------
    >>> findings = Findings()
    >>> findings.add("tags.csv", "empty tag", 2, "dropped", "15,4973,")
    >>> findings.table()
           file    problem  rows     rule   example
    0  tags.csv  empty tag     2  dropped  15,4973,
    """

    def __init__(self) -> None:
        self._rows: list[tuple[str, str, int, str, str]] = []

    def add(self, file: str, problem: str, rows: int, rule: str, example: str = "") -> None:
        """Add one problem."""
        if len(example) > MAX_EXAMPLE:
            example = example[: MAX_EXAMPLE - 1] + "…"
        row = (file, problem, int(rows), rule, make_printable(example))
        # A file may be read twice.
        if row not in self._rows:
            self._rows.append(row)

    def table(self) -> pd.DataFrame:
        """Return all problems in the order of their discovery."""
        return pd.DataFrame(self._rows, columns=["file", "problem", "rows", "rule", "example"])
