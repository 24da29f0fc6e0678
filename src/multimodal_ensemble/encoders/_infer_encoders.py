"""Encoders chosen from the columns of a table."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from multimodal_ensemble._layer_names import SHARED_NAMES, names_of
from multimodal_ensemble._tables import check_columns, from_arrow
from multimodal_ensemble.encoders._column_kinds import NUMBERS, ColumnKind, find_column_kind
from multimodal_ensemble.encoders._columns import is_plain_string
from multimodal_ensemble.encoders._dense_encoder import DenseEncoder
from multimodal_ensemble.encoders._encoder import Encoder
from multimodal_ensemble.encoders._tag_embedding_encoder import TagEmbeddingEncoder
from multimodal_ensemble.encoders._text_encoder import TextEncoder
from multimodal_ensemble.exceptions import ModalityError

_Choice: TypeAlias = tuple[list[str], ColumnKind]


def infer_encoders(
    data: Any,
    *,
    exclude: Collection[str] = (),
    embed_tags: bool = False,
    text_backbone: str | PathLike[str] | None = None,
    root: str | PathLike[str] | None = None,
    verbose: int = 1,
) -> list[Encoder]:
    """Choose an encoder for each column of a table, and print the reasons.

    Images, or paths of image files that exist, get an `ImageEncoder`, and lists of them one with
    ``items="mean"``. Lists or counts of tokens, strings delimited by ``|`` or ``;``, categories and
    texts get a `BagOfWordsEncoder`; sentences and titles get a `TextEncoder` where `text_backbone`
    names its language model. Vectors get a `DenseEncoder`, and all columns of numbers share another
    one. A column is left out if it looks like an id, holds the same value in each row, or is of
    none of these kinds. A column with missing values, or with empty lists of images, gets an
    encoder with ``optional=True``.

    Parameters
    ----------
    data : DataFrame, mapping of str to sequence, or ndarray of shape (n, n_features)
        The raw columns of the training rows. An array is one modality, ``"features"``.
    exclude : collection of str, default=()
        Columns to leave out, such as those of the labels.
    embed_tags : bool, default=False
        Whether each column of lists or counts of tokens, or of delimited strings, also gets a
        `TagEmbeddingEncoder`, which is named after the column with "_embedding" behind it. These
        encoders are the last ones.
    text_backbone : str or path, optional
        The language model for columns of sentences or titles: the ``backbone`` of a `TextEncoder`,
        such as a folder. Default: their words are counted.
    root : path, optional
        Folder that relative paths of images start from. Default: the working directory.
    verbose : {0, 1}, default=1
        Whether the choices are printed.

    Returns
    -------
    list of Encoder
        Encoders that are not fitted yet and can be changed.

    Raises
    ------
    ModalityError
        If no column can be used, or the names of the columns are not distinct strings.

    Examples
    --------
    >>> from multimodal_ensemble import infer_encoders
    >>> data = {"tags": [["space", "war"], ["love"]], "year": [1977, 1997],
    ...         "movieId": [7, 8]}
    >>> tags, year = infer_encoders(data)
    Encoders for 3 columns:
      tags: BagOfWordsEncoder('tags'); lists of tokens
      movieId: left out; a different whole number in each row, like an id
      year: DenseEncoder('year'); numbers
    """
    data = from_arrow(data, name="data")
    if isinstance(data, np.ndarray) and data.ndim == 2:
        kinds = [(["features"], ColumnKind("an array of numbers", DenseEncoder))]
        n_columns = 1
    elif isinstance(data, Mapping | pd.DataFrame):
        kinds = _find_kinds(data, exclude, Path("." if root is None else root))
        n_columns = len(list(data))
    else:
        shape = f" of shape {data.shape}" if isinstance(data, np.ndarray) else ""
        msg = (
            "data must be a DataFrame, a mapping of columns, or an array of shape "
            f"(n, n_features). Received {type(data).__name__}{shape}."
        )
        raise ModalityError(msg)
    taken = set(SHARED_NAMES)
    kinds = [(columns, _with_text_backbone(kind, text_backbone)) for columns, kind in kinds]
    if embed_tags:
        kinds += [
            (columns, replace(kind, encoder=TagEmbeddingEncoder))
            for columns, kind in kinds
            if kind.is_tags
        ]
    made = [_make_encoder(columns, kind, taken) for columns, kind in kinds]
    report = "\n".join(map(_describe, kinds, made))
    encoders = [encoder for encoder in made if encoder is not None]
    if not encoders:
        msg = f"No column can be used, so pass encoders=[...] instead:\n{report}"
        raise ModalityError(msg)
    if verbose:
        print(f"Encoders for {n_columns} columns:\n{report}")
    return encoders


def _find_kinds(data: Any, exclude: Collection[str], root: Path) -> list[_Choice]:
    """Return the kind of each column, and one kind for all columns of numbers at the end."""
    if isinstance(exclude, str):
        msg = f"exclude must be a collection of names. Received the string {exclude!r}."
        raise ModalityError(msg)
    exclude = set(exclude)
    if unknown := sorted(exclude - set(data), key=str):
        msg = f"exclude names {unknown}, which the data lacks. It has {list(data)}."
        raise ModalityError(msg)
    check_columns(data)
    kinds: list[_Choice] = []
    numeric: list[str] = []
    for column in data:
        if not is_plain_string(column):
            msg = (
                f"The names of columns must be strings. Received {column!r} of type "
                f"{type(column).__name__}; try data.rename(columns=str)."
            )
            raise ModalityError(msg)
        if column in exclude:
            kinds.append(([column], ColumnKind("excluded")))
            continue
        kind = find_column_kind(column, data[column], root)
        # Columns of numbers without missing values make one modality.
        if kind is NUMBERS:
            numeric.append(column)
        else:
            kinds.append(([column], kind))
    if numeric:
        kinds.append((numeric, NUMBERS))
    return kinds


def _with_text_backbone(kind: ColumnKind, backbone: str | PathLike[str] | None) -> ColumnKind:
    """Return the kind of a column of sentences with a language model, or with advice to use one."""
    if not kind.is_text:
        return kind
    if backbone is None:
        advice = "a language model reads more from them, with text_backbone='folder'"
        return replace(kind, description=f"{kind.description}; {advice}")
    options = {key: value for key, value in kind.options.items() if key == "optional"}
    return replace(kind, encoder=TextEncoder, options={"backbone": backbone, **options})


def _make_encoder(columns: list[str], kind: ColumnKind, taken: set[str]) -> Encoder | None:
    if kind.encoder is None:
        return None
    column = columns[0] if len(columns) == 1 else columns
    wanted = columns[0] if len(columns) == 1 else "numbers"
    # Short enough for a suffix and a number behind it.
    base = re.sub(r"[^A-Za-z0-9._-]+", "_", wanted).strip("._-")[:80] or "modality"
    if kind.encoder is TagEmbeddingEncoder:
        base += "_embedding"
    numbered = (f"{base}_{number}" for number in itertools.count(2))
    # The first name whose layers clash with no others.
    name = next(name for name in itertools.chain([base], numbered) if not names_of(name) & taken)
    taken.update(names_of(name))
    options = kind.options if name == column else {"column": column, **kind.options}
    return kind.encoder(name, **options)


def _describe(choice: _Choice, encoder: Encoder | None) -> str:
    columns, kind = choice
    listed = ", ".join(columns)
    if encoder is None:
        return f"  {listed}: left out; {kind.description}"
    options = "".join(f", {key}={value!r}" for key, value in kind.options.items())
    return f"  {listed}: {type(encoder).__name__}({encoder.name!r}{options}); {kind.description}"
