"""What was found wrong in input files, and what was done about it."""

import pandas as pd

MAX_EXAMPLE = 60


def make_printable(text: str) -> str:
    """Return a text of a file so that it cannot give a terminal orders."""
    return "".join(char if char.isprintable() else "?" for char in text)


class Findings:
    """Collects what was found wrong in input files; each problem of a file is one row.

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
        """Add one problem.

        Parameters
        ----------
        file : str
            Name of the file.
        problem : str
            What is wrong.
        rows : int
            How many rows it concerns.
        rule : str
            What was done about them, such as "dropped".
        example : str
            One of them; cut to 60 characters, unprintable ones made question marks.
        """
        if len(example) > MAX_EXAMPLE:
            example = example[: MAX_EXAMPLE - 1] + "…"
        row = (file, problem, int(rows), rule, make_printable(example))
        # Two commands may read one file after the other.
        if row not in self._rows:
            self._rows.append(row)

    def table(self) -> pd.DataFrame:
        """Return all problems in the order in which they were found."""
        return pd.DataFrame(self._rows, columns=["file", "problem", "rows", "rule", "example"])
