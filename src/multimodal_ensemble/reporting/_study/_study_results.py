"""The results of a study, from which a report is written."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import pandas as pd

from multimodal_ensemble.model_selection import ComparisonResult
from multimodal_ensemble.reporting._study._check_results import check_results
from multimodal_ensemble.reporting._study._gallery_row import GalleryRow
from multimodal_ensemble.reporting._study._results_file import read_results, write_results


@dataclass(frozen=True, eq=False)
class StudyResults:
    """Everything that `write_report` shows, as one value that can be saved.

    Only the comparison is required; the page leaves out what is not given.

    Parameters
    ----------
    comparison : ComparisonResult
        The scores of the models on the test rows. Its first metric decides which model is best.
    title : str, default="Comparison of models"
        The title of the page.
    unit, label_unit : str, default="rows", "labels"
        What rows and labels are called, in the plural, such as ``"movies"`` and ``"genres"``.
    families : mapping of str to str, default={}
        The family of each model by its name. Models of one family have the same colour and mark.
        Other models belong to the family ``"models"``.
    trivial : str, optional
        The model that is the trivial benchmark.
    model : str, optional
        The model that the curves by label, `importance` and `gallery` are about. Default: the best
        one. It must be named if there are several models and one of these two.
    claims : sequence of (str, str), default=()
        Pairs of models that the first sentences compare. Default: the best model with the
        baseline, with the next best one of its family, and with the best one of each other family.
    histories : mapping of str to DataFrame, default={}
        `FitResult.history` of models, by name.
    importance : DataFrame, optional
        The result of ``modality_importance``: columns ``modality``, ``case`` (``"full"``,
        ``"missing"``, ``"alone"`` or ``"shuffled"``), ``label`` (None for the mean over labels),
        ``difference``, ``difference_low`` and ``difference_high``.
    learning_curve : DataFrame, optional
        The score by the number of training rows: columns ``n_rows``, ``model``, ``score``,
        ``low`` and ``high``.
    label_tokens : DataFrame, optional
        Which tokens mark which label: columns ``label``, ``token`` and ``weight``, the strongest
        first.
    gallery : sequence of GalleryRow, default=()
        Test rows with their explanation; see `make_gallery`.
    notes : sequence of str, default=()
        What readers must know about all figures, such as synthetic data or random weights.
    provenance : mapping of str to str, default={}
        What the results depend on: data, weights, seed, commit, versions, command.
    terms : mapping of str to str, default={}
        What words in the names of models and families mean; shown below the answer, with the
        metrics of the comparison.

    Raises
    ------
    ValueError
        If a name is not one of the models of the comparison, a table lacks a column, or the
        gallery does not fit the labels.

    See Also
    --------
    write_report : Writes the page.

    Examples
    --------
    >>> from multimodal_ensemble.model_selection import ComparisonResult, ComparisonSplit
    >>> from multimodal_ensemble.reporting import StudyResults
    >>> both, tags = [[0.1], [0.2], [0.8], [0.9]], [[0.1], [0.8], [0.2], [0.9]]
    >>> split = ComparisonSplit(
    ...     range(4), {"tags": tags, "both": both}, {"tags": 0.5, "both": 0.5})
    >>> comparison = ComparisonResult.from_scores([[0], [0], [1], [1]], [split])
    >>> StudyResults(comparison, unit="movies").model
    'both'
    """

    comparison: ComparisonResult
    title: str = "Comparison of models"
    unit: str = "rows"
    label_unit: str = "labels"
    families: Mapping[str, str] = field(default_factory=dict)
    trivial: str | None = None
    model: str | None = None
    claims: Sequence[tuple[str, str]] = ()
    histories: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    importance: pd.DataFrame | None = None
    learning_curve: pd.DataFrame | None = None
    label_tokens: pd.DataFrame | None = None
    gallery: Sequence[GalleryRow] = ()
    notes: Sequence[str] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
    terms: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the fields, and fill in the defaults that depend on the scores."""
        given = {name: getattr(self, name) for name in self.__dataclass_fields__}
        for name, value in check_results(given).items():
            object.__setattr__(self, name, value)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the results to one file.

        Parameters
        ----------
        path : path
            The file; an existing one is replaced once the new one is complete.

        Raises
        ------
        OSError
            If the file cannot be written. An existing file is unchanged.
        """
        write_results(path, {name: getattr(self, name) for name in self.__dataclass_fields__})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read results that `save` wrote, without running code from the file.

        Parameters
        ----------
        path : path
            The file.

        Returns
        -------
        StudyResults
            The same results.

        Raises
        ------
        ArtefactError
            If the file is damaged, is of another kind, or was written by a newer version.
        OSError
            If it cannot be read.
        """
        return read_results(path, lambda fields: cls(**fields))

    def __repr__(self) -> str:
        """Return a short description."""
        return f"{type(self).__name__}({self.title!r}, {self.comparison!r})"
