"""One row of the gallery of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, eq=False)
class GalleryRow:
    """A test row as the gallery of a report shows it.

    `make_gallery` makes such rows from an estimator.

    Parameters
    ----------
    title : str
        The name of the row.
    labels : sequence of str
        The true labels.
    y_score : array-like of shape (n_labels,)
        The score of each label, 0..1.
    thresholds : array-like of shape (n_labels,)
        The threshold of each label. ``inf`` never predicts it, and ``-inf`` always does.
    classes : sequence of n_labels str
        The names of all labels, in the order of the arrays.
    tokens : mapping of str to mapping of str to ndarray of shape (n_labels,), default={}
        For each modality of tokens or columns, the contribution of each of them to the log-odds of
        each label. NaN stands for an unknown contribution.
    contributions : mapping of str to array-like of shape (n_labels,), default={}
        The contribution of each modality to the log-odds of each label. NaN stands for a modality
        that the row lacks.
    picture : bytes, optional
        A small JPEG file.
    picture_map : ndarray of shape (height, width), float, optional
        How much each part of the picture speaks for the label `map_label`.
    map_label : str, default=""
        The label of `picture_map`.

    Examples
    --------
    >>> from multimodal_ensemble.reporting import GalleryRow
    >>> row = GalleryRow("Heat", ["Crime"], [0.7, 0.2], [0.5, 0.5], ["Crime", "Drama"],
    ...                  tokens={"tags": {"heist": [1.2, 0.1]}})
    >>> row.title
    'Heat'
    """

    title: str
    labels: Sequence[str]
    y_score: Any
    thresholds: Any
    classes: Sequence[str]
    tokens: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    contributions: Mapping[str, Any] = field(default_factory=dict)
    picture: bytes | None = None
    picture_map: Any = None
    map_label: str = ""
