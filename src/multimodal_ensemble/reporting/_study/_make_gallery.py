"""The gallery of a report from an estimator and test rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from multimodal_ensemble._labels import read_labels
from multimodal_ensemble._tables import abbreviate, check_same_index, from_arrow, to_frame
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
    maps: Sequence[Any] = (),
    n_rows: int = 200,
) -> list[GalleryRow]:
    """Return the first test rows, with their explanation, as the gallery of a report shows them.

    The rows are explained by ``estimator.explain``, if the estimator has it. Modalities that read
    the same columns are added, as in `modality_importance`.

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
    maps : sequence of ImageMap, default=()
        Results of ``estimator.explain_image`` for some of the rows, at most one per row. They are
        paired with the rows by the index of `X`, and shown beside the pictures.
    n_rows : int, default=200
        The largest number of rows.

    Returns
    -------
    list of GalleryRow
        One per row, in the order of `X`.

    Raises
    ------
    TypeError
        If `estimator`, the values of the column `images` or `maps` are of another kind.
    ValueError
        If `X`, `y` and `titles` have different rows, there is no column `images`, or a map is of
        another row, or if `estimator` predicts one class per row.

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
    if isinstance(estimator, type) or not hasattr(estimator, "predict_proba"):
        msg = (
            f"estimator must be a fitted classifier with predict_proba. Received {estimator!r:.80}."
        )
        raise TypeError(msg)
    if getattr(estimator, "target_type_", "multilabel") != "multilabel":
        msg = (
            "A gallery shows the labels of rows, and this estimator predicts one of "
            f"{len(estimator.classes_)} classes per row. explain and errors show these."
        )
        raise ValueError(msg)
    for number, each in enumerate(maps):
        if not hasattr(each, "row"):
            msg = (
                "maps must be results of explain_image. Received "
                f"{type(each).__name__} at position {number}."
            )
            raise TypeError(msg)
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
    y_score = y_score.astype(np.float64, copy=False)
    thresholds = np.broadcast_to(getattr(estimator, "thresholds_", 0.5), len(classes))
    # Explanations name rows by the index, whose names may be equal.
    numbered = shown.reset_index(drop=True)
    explanation = estimator.explain(numbered) if hasattr(estimator, "explain") else None
    contributions, tokens = _read_explanation(explanation, len(shown), classes)
    pictures = [None] * len(shown) if images is None else _read_pictures(shown[images])
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
    for given in maps:
        place = _place_of(given.row, table.index)
        if place < len(rows) and rows[place].picture is not None:
            rows[place] = replace(rows[place], map_label=str(given.label), picture_map=given.values)
    return rows


def _place_of(row: Any, index: pd.Index) -> int:
    """Return the position of a row that an `ImageMap` names: in the index, or by its number."""
    names = list(index) if index.is_unique else list(range(len(index)))
    if row not in names:
        msg = f"maps must be of rows of X, {abbreviate(names)}. Received one of the row {row!r}."
        raise ValueError(msg)
    return names.index(row)


def _read_pictures(column: pd.Series) -> list[bytes | None]:
    pictures: list[bytes | None] = []
    for row, source in enumerate(column):
        try:
            pictures.append(make_thumbnail(source))
        except ImageReadError:
            pictures.append(None)
        except TypeError as error:
            msg = (
                f"images must name a column of images. The column {column.name!r} has something "
                f"else in row {row}. {error}"
            )
            raise TypeError(msg) from error
    return pictures


def _read_explanation(
    explanation: Any, n_rows: int, classes: Sequence[str]
) -> tuple[list[dict[str, FloatArray]], list[dict[str, dict[str, FloatArray]]]]:
    """Return contributions by row and modality, and by row, modality and token or column."""
    contributions: list[dict[str, FloatArray]] = [{} for _ in range(n_rows)]
    tokens: list[dict[str, dict[str, FloatArray]]] = [{} for _ in range(n_rows)]
    if explanation is None:
        return contributions, tokens
    place = {label: column for column, label in enumerate(classes)}

    def add(of_row: dict[str, FloatArray], name: Any, label: Any, value: float) -> None:
        values = of_row.setdefault(str(name), np.full(len(classes), np.nan))
        if not np.isnan(value):
            column = place[str(label)]
            values[column] = value + np.nan_to_num(values[column])

    modalities = explanation.modalities
    names = _name_modalities(modalities)
    values = modalities["contribution"].where(~modalities["is_missing"].astype(bool))
    for row, label, modality, value in _columns(
        modalities.assign(contribution=values), ["modality"]
    ):
        add(contributions[row], names[modality], label, value)
    for table in (explanation.tokens, explanation.columns.rename(columns={"column": "token"})):
        # The rest comes last; a token may have the same name.
        is_last = ~table.duplicated(["row", "label", "modality"], keep="last")
        named = table[~(is_last & (table["token"] == _REST))]
        for row, label, modality, token, value in _columns(named, ["modality", "token"]):
            name = names.get(modality, str(modality))
            add(tokens[row].setdefault(name, {}), token, label, value)
    return contributions, tokens


def _name_modalities(modalities: pd.DataFrame) -> dict[Any, str]:
    """Return what each modality is called: several that read the same columns, by these columns."""
    columns = modalities.drop_duplicates("modality").set_index("modality")["columns"]
    shared = columns.duplicated(keep=False)
    return {name: str(columns[name] if shared[name] else name) for name in columns.index}


def _columns(table: pd.DataFrame, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Return the rows of a table of an explanation."""
    columns = ["row", "label", *names, "contribution"]
    return zip(*(table[column].tolist() for column in columns), strict=True)
