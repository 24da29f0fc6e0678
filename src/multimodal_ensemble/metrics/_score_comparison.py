"""Scores of several models with intervals, and their differences to a baseline."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from multimodal_ensemble._tables import counted


@dataclass(frozen=True, eq=False, repr=False)
class ScoreComparison:
    """The scores of models on the same bootstrap resamples, from `compare_scores`.

    ``print`` shows it as a table.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per metric, label and model, with the columns ``metric``, ``label`` (None for
        metrics over all labels), ``model``, ``score``, ``low``, ``high``, ``difference``,
        ``difference_low``, ``difference_high`` and ``n_incomplete``. A difference is the score of
        the model minus that of the baseline, on the same resamples; it is NaN for the baseline.
        ``n_incomplete`` is the number of resamples that left the score undefined, or left a label
        out of the mean.
    baseline : str
        The model that the others are compared with.
    method : str
        ``"percentile"``, ``"bca"`` or ``"normal"``.
    level : float
        The coverage of the intervals.
    n_resamples : int
        The number of resamples; 0 for ``"normal"``.
    n_rows : int
        The number of rows.
    n_units : int
        The number of groups of rows, or of rows if there are no groups.

    Examples
    --------
    >>> from multimodal_ensemble.metrics import compare_scores
    >>> y_true = [[0], [1], [0], [1]]
    >>> tags, both = [[0.1], [0.2], [0.3], [0.4]], [[0.1], [0.3], [0.2], [0.4]]
    >>> comparison = compare_scores(y_true, {"tags": tags, "both": both})
    >>> comparison
    ScoreComparison(2 models, 4 rows, 2000 resamples, baseline 'tags')
    >>> comparison.table[["model", "score", "difference"]].values.tolist()
    [['tags', 0.75, nan], ['both', 1.0, 0.25]]
    """

    table: pd.DataFrame
    baseline: str
    method: str
    level: float
    n_resamples: int
    n_rows: int
    n_units: int

    def __str__(self) -> str:
        """Return the comparison as text."""
        shown = pd.DataFrame(
            {
                "metric": self.table["metric"],
                "label": ["" if label is None else label for label in self.table["label"]],
                "model": self.table["model"],
                "score": self._formatted("score", "low", "high"),
                f"minus {self.baseline}": self._formatted(
                    "difference", "difference_low", "difference_high", sign="+"
                ),
            }
        )
        if not shown["label"].any():
            shown = shown.drop(columns="label")
        unit = "rows" if self.n_units == self.n_rows else f"rows in {self.n_units:,} groups"
        resamples = f"{self.n_resamples:,} resamples, " if self.n_resamples else ""
        lines = [
            f"{self.n_rows:,} {unit}, {resamples}{100 * self.level:g} % intervals ({self.method})",
            "",
            *(line.rstrip() for line in shown.to_string(index=False).splitlines()),
        ]
        n_incomplete = int(self.table["n_incomplete"].max())
        if n_incomplete:
            lines += [
                "",
                f"Up to {n_incomplete:,} resamples lack a class of a label. They are left out of "
                "that label's interval, and that label is left out of their means.",
            ]
        is_point = (self.table["low"] == self.table["high"]) & (
            self.table["model"] != self.baseline
        )
        if is_point.any():
            lines += [
                "",
                "An interval of one point says that all resamples of these rows have the same "
                "score. Other rows may have another one.",
            ]
        return "\n".join(lines)

    def __repr__(self) -> str:
        """Return a short description."""
        return (
            f"{type(self).__name__}({counted(self.table['model'].nunique(), 'model')}, "
            f"{counted(self.n_rows, 'row')}, {counted(self.n_resamples, 'resample')}, "
            f"baseline {self.baseline!r})"
        )

    def _formatted(self, value: str, low: str, high: str, *, sign: str = "") -> list[str]:
        rows = self.table[[value, low, high]].itertuples(index=False)
        return [
            "" if pd.isna(number) else f"{number:{sign}.3f} [{lower:{sign}.3f}, {upper:{sign}.3f}]"
            for number, lower, upper in rows
        ]
