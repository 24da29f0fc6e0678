"""The gallery of a report from an estimator and test rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from multimodal_ensemble._labels import read_labels
from multimodal_ensemble._tables import check_same_index, from_arrow, to_frame
from multimodal_ensemble._validation import FloatArray, check_at_least, check_scores
from multimodal_ensemble.exceptions import ImageReadError
from multimodal_ensemble.images import make_thumbnail
from multimodal_ensemble.reporting._study._gallery_row import GalleryRow

# The name of what the tokens of a modality do not explain, in the tables of an explanation.
_REST = "(rest)"


def make_gallery(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    titles: Sequence[str] | None = None,
    images: str | None = None,
    explanation: Any = None,
    maps: Sequence[tuple[str, Any] | None] | None = None,
    n_rows: int = 200,
) -> list[GalleryRow]:
    """Return the first test rows as the gallery of a report shows them.

    Parameters
    ----------
    estimator : MultimodalClassifier, MultimodalEnsemble or another fitted classifier
        It has ``predict_proba``, ``classes_`` and, unless all thresholds are 0.5, ``thresholds_``.
    X : DataFrame or mapping of columns, n_samples rows
        The test rows.
    y : array-like of shape (n_samples, n_labels), or label lists
        Their true labels.
    titles : sequence of n_samples str, optional
        The name of each row. Default: its name in the index of `X`.
    images : str, optional
        The column of `X` with images to show. Thumbnails of at most 8 KiB are kept; rows whose
        image cannot be read have none. Default: no pictures.
    explanation : Explanation, optional
        The result of ``estimator.explain(X)``, in which positions of rows are those in `X`.
        Default: the shown rows are explained here if the estimator can do that.
    maps : sequence of (str, ndarray of shape (height, width)) or None, optional
        For each shown row with a picture, a label and how much each part of the picture speaks for
        it, such as an occlusion map; None for no map. Default: no maps.
    n_rows : int, default=200
        The largest number of rows.

    Returns
    -------
    list of GalleryRow
        One per row, in the order of `X`.

    Raises
    ------
    ValueError
        If `X`, `y` and `titles` have different rows, or there is no column `images`.

    Examples
    --------
    >>> import pandas as pd
    >>> from multimodal_ensemble import BagOfWordsEncoder, MultimodalEnsemble
    >>> from multimodal_ensemble.reporting import make_gallery
    >>> movies = pd.DataFrame({
    ...     "tags": [["space", "war"], ["love"], ["war"], ["love", "paris"]] * 25,
    ...     "genres": [["Action"], ["Romance"], ["Action"], ["Romance"]] * 25,
    ... })
    >>> tags = BagOfWordsEncoder("tags")
    >>> ensemble = MultimodalEnsemble([tags], random_state=0, verbose=0)
    >>> ensemble = ensemble.fit(movies, movies["genres"])
    >>> rows = make_gallery(ensemble, movies, movies["genres"], n_rows=2)
    >>> [(row.title, row.labels) for row in rows]
    [('0', ['Action']), ('1', ['Romance'])]
    """
    check_at_least(n_rows, 1, name="n_rows")
    X, y = from_arrow(X), from_arrow(y, name="y")
    check_same_index(X=X, y=y, titles=titles)
    table = X if isinstance(X, pd.DataFrame) else to_frame(X)
    positive, _ = read_labels(y, np.asarray(estimator.classes_))
    names = [str(name) for name in (table.index if titles is None else titles)]
    for name, length in {"y": len(positive), "titles": len(names)}.items():
        if length != len(table):
            msg = f"{name} must have {len(table)} rows, as X. Received {length}."
            raise ValueError(msg)
    if images is not None and images not in table.columns:
        msg = f"images must be one of the columns {list(table.columns)}. Received {images!r}."
        raise ValueError(msg)
    shown = table.iloc[:n_rows]
    classes = [str(label) for label in estimator.classes_]
    y_score = check_scores(estimator.predict_proba(shown), (len(shown), len(classes)))
    thresholds = np.broadcast_to(getattr(estimator, "thresholds_", 0.5), len(classes))
    if explanation is None and hasattr(estimator, "explain"):
        explanation = estimator.explain(shown)
    contributions, tokens = _read_explanation(explanation, len(shown), classes)
    pictures = [None] * len(shown) if images is None else [*map(_picture, shown[images])]
    maps = [None] * len(shown) if maps is None else list(maps)
    if len(maps) != len(shown):
        msg = f"maps must have one entry for each of the {len(shown)} rows. Received {len(maps)}."
        raise ValueError(msg)
    rows = [
        GalleryRow(
            names[row],
            [label for label, is_true in zip(classes, positive[row], strict=True) if is_true],
            y_score[row],
            thresholds,
            classes=classes,
            tokens=tokens[row],
            contributions=contributions[row],
            picture=pictures[row],
        )
        for row in range(len(shown))
    ]
    return [
        row
        if given is None or row.picture is None
        else replace(row, map_label=str(given[0]), picture_map=given[1])
        for row, given in zip(rows, maps, strict=True)
    ]


def _picture(source: Any) -> bytes | None:
    try:
        return make_thumbnail(source)
    except ImageReadError:
        return None


def _read_explanation(
    explanation: Any, n_rows: int, classes: Sequence[str]
) -> tuple[list[dict[str, FloatArray]], list[dict[str, dict[str, FloatArray]]]]:
    """Return contributions by row and modality, and by row, modality and token or column."""
    contributions: list[dict[str, FloatArray]] = [{} for _ in range(n_rows)]
    tokens: list[dict[str, dict[str, FloatArray]]] = [{} for _ in range(n_rows)]
    if explanation is None:
        return contributions, tokens
    place = {label: column for column, label in enumerate(classes)}

    def put(of_row: dict[str, FloatArray], name: Any, label: Any, value: float) -> None:
        values = of_row.setdefault(str(name), np.full(len(classes), np.nan))
        values[place[str(label)]] = value

    modalities = explanation.modalities
    values = modalities["contribution"].where(~modalities["is_missing"].astype(bool))
    for row, label, modality, value in _columns(
        modalities.assign(contribution=values), ["modality"], n_rows
    ):
        put(contributions[row], modality, label, value)
    for table in (explanation.tokens, explanation.columns.rename(columns={"column": "token"})):
        for row, label, modality, token, value in _columns(table, ["modality", "token"], n_rows):
            if token != _REST:
                put(tokens[row].setdefault(str(modality), {}), token, label, value)
    return contributions, tokens


def _columns(table: pd.DataFrame, names: Sequence[str], n_rows: int) -> Iterator[tuple[Any, ...]]:
    """Return the rows of a table of an explanation that explain one of the first rows."""
    shown = table[table["row"] < n_rows]
    columns = ["row", "label", *names, "contribution"]
    return zip(*(shown[column].tolist() for column in columns), strict=True)
