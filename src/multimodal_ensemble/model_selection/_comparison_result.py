"""The result of a comparison of models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from os import PathLike
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multimodal_ensemble._tables import counted
from multimodal_ensemble._validation import check_choice, find_repeated
from multimodal_ensemble.model_selection._comparison_figure import plot_differences
from multimodal_ensemble.model_selection._comparison_file import (
    read_comparison,
    write_comparison,
)
from multimodal_ensemble.model_selection._comparison_inputs import (
    check_options,
    read_comparison_inputs,
)
from multimodal_ensemble.model_selection._comparison_split import (
    ComparisonSplit,
    select_models,
)
from multimodal_ensemble.model_selection._comparison_statistics import (
    LABEL_METRICS,
    SplitBootstrap,
)
from multimodal_ensemble.model_selection._comparison_text import to_latex, to_markdown, to_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False, repr=False)
class ComparisonResult:
    """Scores of models on test rows, and how sure their differences are.

    `compare` returns it. `from_scores` makes one from scores that exist already. ``print`` shows
    the table, and a sentence for each difference.

    Parameters
    ----------
    y_true : ndarray of shape (n_samples, n_labels), bool
        The labels of all rows.
    splits : tuple of ComparisonSplit
        The scores, thresholds and seconds of each model, by repeat and fold.
    labels : list of str
        The names of the labels.
    rows : ndarray of shape (n_samples,)
        The names of the rows: whole numbers or strings.
    groups : ndarray of shape (n_samples,), int, or None
        The number of each row's group.
    metrics : tuple of str
        The metrics of the table.
    baseline : str
        The model that the others are compared with.
    n_resamples : int
        The number of bootstrap resamples.
    level : float
        The coverage of the intervals.
    random_state : int
        The seed of the resamples.

    Notes
    -----
    A score is the mean over splits of the score on the test rows of a split. The scores of several
    folds are not pooled: the models of two folds may use the range of scores differently, so that
    pairs of rows from two folds say little about ROC-AUC. A label without rows of both classes in
    a split is left out of the mean of that split.

    The intervals are percentile intervals [1]_. Each resample draws from all tested rows, or whole
    groups of them. A row counts in the test set of each split as often as it was drawn. All models
    are scored on the same resamples. The trained models stay the same, so the intervals cover
    other test rows, but not other training rows. ``sd_rows`` is the standard deviation over
    resamples; ``sd_repeats`` is that over repeats, on the same rows if the repeats have the same
    folds.

    References
    ----------
    .. [1] B. Efron and R. J. Tibshirani, "An Introduction to the Bootstrap", Chapman & Hall, 1993.

    Examples
    --------
    >>> from multimodal_ensemble.model_selection import ComparisonResult, ComparisonSplit
    >>> both, tags = [[0.1], [0.2], [0.8], [0.9]], [[0.1], [0.8], [0.2], [0.9]]
    >>> split = ComparisonSplit(
    ...     range(4), {"tags": tags, "both": both}, {"tags": 0.5, "both": 0.5})
    >>> result = ComparisonResult.from_scores([[0], [0], [1], [1]], [split])
    >>> result.table[["metric", "model", "score", "difference"]].values.tolist()
    [['mean_roc_auc', 'tags', 0.75, nan], ['mean_roc_auc', 'both', 1.0, 0.25],
     ['mean_accuracy', 'tags', 0.5, nan], ['mean_accuracy', 'both', 1.0, 0.5]]
    """

    y_true: NDArray[np.bool_]
    splits: tuple[ComparisonSplit, ...]
    labels: list[str]
    rows: NDArray[Any]
    groups: NDArray[np.intp] | None
    metrics: tuple[str, ...]
    baseline: str
    n_resamples: int
    level: float
    random_state: int

    @classmethod
    def from_scores(
        cls,
        y_true: Any,
        splits: Sequence[ComparisonSplit],
        *,
        labels: Sequence[str] | None = None,
        rows: Sequence[Any] | None = None,
        groups: Any = None,
        metrics: Sequence[str] = ("mean_roc_auc", "mean_accuracy"),
        baseline: str | None = None,
        n_resamples: int = 2000,
        level: float = 0.95,
        random_state: int = 0,
    ) -> Self:
        """Make a comparison from the scores of models that are already trained.

        Parameters
        ----------
        y_true : array-like or DataFrame of shape (n_samples, n_labels), or label lists
            The labels of all rows to which the splits refer.
        splits : sequence of ComparisonSplit
            The scores of the same models in each split. Splits may have different test rows. Scores
            that are DataFrames are paired with `y_true` by the names of rows and labels.
        labels : sequence of str of length n_labels, optional
            Names of the labels. Default: those of `y_true`, or column numbers.
        rows : sequence of length n_samples, optional
            Names of the rows. Default: the index of `y_true`, or row numbers.
        groups : sequence of length n_samples, optional
            The group of each row; resamples draw whole groups.
        metrics : sequence of str, default=("mean_roc_auc", "mean_accuracy")
            ``"mean_roc_auc"``, ``"mean_average_precision"``, ``"mean_accuracy"``, ``"macro_f1"``
            or ``"micro_f1"``; see `resample_scores`.
        baseline : str, optional
            The model that the others are compared with. Default: the first one.
        n_resamples : int, default=2000
            The number of bootstrap resamples.
        level : float, default=0.95
            The coverage of each interval, between 0 and 1.
        random_state : int, default=0
            The seed of the resamples.

        Returns
        -------
        ComparisonResult
            The comparison.

        Raises
        ------
        ValueError
            If the splits do not have the same models, or an argument is invalid.
        """
        return cls(
            **read_comparison_inputs(
                y_true,
                splits,
                labels=labels,
                rows=rows,
                groups=groups,
                metrics=metrics,
                baseline=baseline,
                n_resamples=n_resamples,
                level=level,
                random_state=random_state,
            )
        )

    @property
    def models(self) -> list[str]:
        """The names of the models."""
        return list(self.splits[0].y_scores)

    @property
    def table(self) -> pd.DataFrame:
        """One row per metric and model.

        The columns are ``metric``, ``model``, ``score``, ``low``, ``high``; ``difference`` to the
        baseline on the same resamples, ``difference_low``, ``difference_high``, NaN for the
        baseline; the standard deviations ``sd_rows`` over resamples, ``sd_repeats`` and
        ``difference_sd_repeats`` over repeats, NaN for a single repeat; and ``n_incomplete``, the
        number of resamples in which a label was left out of a split's mean, because the resample
        lacks one of its classes there.
        """
        return self._table.copy()

    def select(
        self,
        models: Sequence[str],
        *,
        baseline: str | None = None,
        metrics: Sequence[str] | None = None,
    ) -> Self:
        """Return the comparison of some of the models, on the same resamples.

        Parameters
        ----------
        models : sequence of str
            The models, in the order that they shall have.
        baseline : str, optional
            The model that the others are compared with. Default: the first one.
        metrics : sequence of str, optional
            The metrics of the table; see `from_scores`. Default: those of this comparison.

        Returns
        -------
        ComparisonResult
            A comparison of these models alone.

        Raises
        ------
        ValueError
            If there is no such model or metric, or a name is repeated.
        """
        for model in models:
            check_choice(model, self.models, name="models")
        if isinstance(models, str) or not models or find_repeated(models):
            msg = f"models must name at least one model, and none twice. Received {models!r}."
            raise ValueError(msg)
        options = {name: getattr(self, name) for name in ("n_resamples", "level", "random_state")}
        options |= {"metrics": metrics or self.metrics, "baseline": baseline}
        splits = tuple(select_models(split, models) for split in self.splits)
        return replace(self, splits=splits, **check_options(models, **options))

    def by_label(self, metric: str = "roc_auc") -> pd.DataFrame:
        """Return the scores and differences of each label.

        Parameters
        ----------
        metric : {"roc_auc", "average_precision", "accuracy", "f1"}, default="roc_auc"
            The metric.

        Returns
        -------
        DataFrame
            One row per label and model: the columns of `table`, with ``label`` and ``support``, the
            number of positive rows among the tested rows, in place of ``metric``. Splits in which
            the score is undefined are left out of a label's mean.

        Raises
        ------
        ValueError
            If there is no such metric.
        """
        check_choice(metric, LABEL_METRICS, name="metric")
        support = self.y_true[self._tested].sum(axis=0)
        parts = [
            part.assign(label=self.labels, support=support)
            for part in self._bootstrap.compare(metric, self.models, self.baseline)
        ]
        # By label first, so that the models of a label are beside each other.
        table = pd.concat(parts).sort_index(kind="stable").reset_index(drop=True)
        first = ["label", "support"]
        return table[[*first, *table.columns.drop(first)]]

    def plot(self) -> Figure:
        """Draw the paired differences to the baseline with their intervals.

        Returns
        -------
        matplotlib.figure.Figure
            One panel per metric, with the baseline at 0. Resolved differences are filled.

        Raises
        ------
        ImportError
            If Matplotlib is not installed.
        """
        return plot_differences(self.table, self.baseline, self.level)

    def to_markdown(self, *, digits: int = 3) -> str:
        """Return the table in Markdown.

        Parameters
        ----------
        digits : int, default=3
            Number of decimal places.

        Returns
        -------
        str
            The lines of a table, without a final line break.
        """
        return to_markdown(self.table, self.baseline, digits)

    def to_latex(self, *, digits: int = 3) -> str:
        """Return the table in LaTeX, for the package booktabs.

        Parameters
        ----------
        digits : int, default=3
            Number of decimal places.

        Returns
        -------
        str
            A ``tabular`` environment, in which special characters of names are escaped.
        """
        return to_latex(self.table, self.baseline, digits)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the comparison, with all scores, to one file.

        Parameters
        ----------
        path : path
            The file; an existing one is replaced once the new one is complete.

        Raises
        ------
        OSError
            If the file cannot be written. An existing file is unchanged.
        """
        write_comparison(path, {name: getattr(self, name) for name in self.__dataclass_fields__})

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Read a comparison that `save` wrote, without running code from the file.

        Parameters
        ----------
        path : path
            The file.

        Returns
        -------
        ComparisonResult
            The same comparison.

        Raises
        ------
        ArtefactError
            If the file is damaged, is of another kind, or was written by a newer version.
        OSError
            If it cannot be read.
        """
        return cls(**read_comparison(path))

    def __str__(self) -> str:
        """Return the comparison as text."""
        n_incomplete = int(self.table["n_incomplete"].max())
        note = (
            f"\n\nUp to {n_incomplete:,} resamples lack a class of a label in a split. There, the "
            "label is left out of the mean of that split, for all models."
        )
        return (
            f"{self._description}, {self.n_resamples:,} resamples, {100 * self.level:g} % "
            f"intervals\n\n{to_text(self.table, self.baseline)}{note if n_incomplete else ''}"
        )

    def __repr__(self) -> str:
        """Return a short description."""
        return f"{type(self).__name__}({self._description})"

    @property
    def _description(self) -> str:
        n_repeats = len({split.repeat for split in self.splits})
        return (
            f"{counted(len(self.models), 'model')}, {counted(len(self._tested), 'tested row')}, "
            f"{counted(len(self.labels), 'label')}, {counted(len(self.splits), 'split')} in "
            f"{counted(n_repeats, 'repeat')}"
        )

    @property
    def _tested(self) -> NDArray[np.intp]:
        return np.unique(np.concatenate([split.rows for split in self.splits]))

    @cached_property
    def _table(self) -> pd.DataFrame:
        tables = [
            part.assign(metric=metric)
            for metric in self.metrics
            for part in self._bootstrap.compare(metric, self.models, self.baseline)
        ]
        table = pd.concat(tables, ignore_index=True)
        return table[["metric", *table.columns.drop("metric")]]

    @cached_property
    def _bootstrap(self) -> SplitBootstrap:
        return SplitBootstrap(
            self.y_true,
            self.splits,
            groups=self.groups,
            n_resamples=self.n_resamples,
            level=self.level,
            random_state=self.random_state,
        )
