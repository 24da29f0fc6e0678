"""Encoders chosen from the columns of a table."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multimodal_ensemble._layer_names import SHARED_NAMES, names_of
from multimodal_ensemble._tables import check_columns, counted, from_arrow, is_missing
from multimodal_ensemble._warnings import warn
from multimodal_ensemble.encoders._column_kind import ColumnKind
from multimodal_ensemble.encoders._columns import is_plain_string
from multimodal_ensemble.encoders._date_encoder import DateEncoder
from multimodal_ensemble.encoders._dense_encoder import DenseEncoder
from multimodal_ensemble.encoders._encoder import Encoder
from multimodal_ensemble.encoders._encoder_code import Choice, left_out, write_code
from multimodal_ensemble.encoders._image_encoder import ImageEncoder
from multimodal_ensemble.encoders._inspect_column import inspect_column
from multimodal_ensemble.encoders._named_kinds import as_named, check_kinds
from multimodal_ensemble.encoders._tag_embedding_encoder import TagEmbeddingEncoder
from multimodal_ensemble.encoders._text_encoder import TextEncoder
from multimodal_ensemble.exceptions import ModalityError


def infer_encoders(
    data: Any,
    *,
    exclude: Collection[str] = (),
    kinds: Mapping[str, str] | None = None,
    allow_missing: bool = False,
    embed_tags: bool = False,
    backbone: str | PathLike[str] | keras.Model | None = None,
    weights: str | PathLike[str] | None = "imagenet",
    image_options: Mapping[str, Any] | None = None,
    text_backbone: str | PathLike[str] | None = None,
    root: str | PathLike[str] | None = None,
    verbose: int = 1,
) -> list[Encoder]:
    """Choose an encoder for each column of a table, and print the choices as code with reasons.

    Values may be strings, as `pandas.read_csv` returns them. The printed code creates the same
    encoders, so that it can be pasted and changed.

    - Images, paths of image files that exist, data URIs, and the records of Hugging Face with
      "bytes" and "path" get an `ImageEncoder`. Lists of them, also delimited paths, get one with
      ``items="mean"``. Web addresses are left out, because they are not fetched unless you ask for
      it.
    - Lists or counts of tokens, lists as text, hash-tags, and delimited strings get a
      `BagOfWordsEncoder`. Possible delimiters are ``|``, ``;``, tabs, line breaks, commas and
      slashes; they are weighed by the rows that have them and the words between them, so that
      sentences with commas stay texts.
    - Texts get a `BagOfWordsEncoder` of their words; sentences and titles get a `TextEncoder` where
      `text_backbone` names its language model.
    - Vectors, also as text, get a `DenseEncoder`. All columns of numbers share another one, also
      of numbers as text, such as "1,234.5", "3 %" and "$ 5". Those with a decimal comma have
      one of their own.
    - Dates, also as text of one format, get a `DateEncoder` per column.
    - All columns of categories share a `CategoryEncoder`: strings of at most 50 distinct values,
      each in two rows on average, "yes" and "no", and the categorical type of pandas.

    A column is left out if it looks like an id, holds the same value in each row, or is of none of
    these kinds. A warning is issued if it holds paths of images of which none has a file. If some
    row lacks all columns of an encoder, or has an empty list of images, the encoder gets
    ``optional=True``. Long tables are inspected at 1,000 rows at equal distances where that
    suffices.

    Parameters
    ----------
    data : DataFrame, mapping of str to sequence, or ndarray of shape (n, n_features)
        The raw columns of the training rows. An array is one modality, ``"features"``.
    exclude : collection of str, default=()
        Columns to leave out, such as those of the labels.
    kinds : mapping of str to {"image", "text", "tags", "numbers", "categories", "dates"}, optional
        Columns whose kind you know, whatever their values look like.
    allow_missing : bool, default=False
        Whether later rows may lack what all of these rows have. Encoders then get
        ``optional=True``, except those that have a number or category for missing values, and
        images that cannot be read count as missing.
    embed_tags : bool, default=False
        Whether each column of lists or counts of tokens, or of delimited strings, also gets a
        `TagEmbeddingEncoder`, which is named after the column with "_embedding" behind it. These
        encoders are the last ones.
    backbone : str, path or keras.Model, optional
        The network of each `ImageEncoder`. Default: that of `ImageEncoder`.
    weights : str, path or None, default="imagenet"
        The weights of each `ImageEncoder`; None for random ones.
    image_options : mapping of str to object, optional
        Further arguments of each `ImageEncoder`, such as ``{"image_size": 224}``. With ``"fetch"``,
        web addresses are images.
    text_backbone : str or path, optional
        The language model for columns of sentences or titles: the ``backbone`` of a `TextEncoder`,
        such as a folder. Default: their words are counted.
    root : path, optional
        Folder that relative paths of images start from, such as that of a file in CSV format.
        Default: the working directory.
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
    >>> data = {"tags": [["space", "war"], ["love"]], "year": ["1977", "1997"],
    ...         "movieId": [7, 8]}
    >>> tags, year = infer_encoders(data)
    # Encoders for 3 columns:
    from multimodal_ensemble import BagOfWordsEncoder, DenseEncoder
    encoders = [
        BagOfWordsEncoder('tags'),  # lists of tokens
        # movieId: left out; a different whole number in each row, like an id
        DenseEncoder('year', decimal='.'),  # numbers as text, such as '1977'
    ]
    """
    data = from_arrow(data, name="data")
    if isinstance(data, np.ndarray) and data.ndim == 2:
        choices = [(["features"], ColumnKind("an array of numbers", DenseEncoder))]
        n_columns = 1
    elif isinstance(data, Mapping | pd.DataFrame):
        fetches = (image_options or {}).get("fetch") is not None
        root = Path("." if root is None else root)
        choices = _find_kinds(data, exclude, kinds or {}, root, fetches=fetches)
        n_columns = len(list(data))
    else:
        shape = f" of shape {data.shape}" if isinstance(data, np.ndarray) else ""
        msg = (
            "data must be a DataFrame, a mapping of columns, or an array of shape "
            f"(n, n_features). Received {type(data).__name__}{shape}."
        )
        raise ModalityError(msg)
    taken = set(SHARED_NAMES)
    image: dict[str, Any] = {} if backbone is None else {"backbone": backbone}
    if weights != "imagenet":
        image["weights"] = weights
    image |= image_options or {}
    choices = [(columns, _with_backbone(kind, image, text_backbone)) for columns, kind in choices]
    if allow_missing:
        choices = [(columns, _with_gaps(kind)) for columns, kind in choices]
    if embed_tags:
        choices += [
            (columns, replace(kind, encoder=TagEmbeddingEncoder))
            for columns, kind in choices
            if kind.is_tags
        ]
    made = [_make_encoder(columns, kind, taken) for columns, kind in choices]
    report = write_code(choices, made)
    encoders = [encoder for encoder in made if encoder is not None]
    if not encoders:
        reasons = "\n".join(left_out(columns, kind) for columns, kind in choices)
        msg = f"No column can be used, so pass encoders=[...] instead:\n{reasons}"
        raise ModalityError(msg)
    for columns, kind in choices:
        if kind.encoder is None and kind.warning:
            warn(
                f"The column {columns[0]!r} is left out: {kind.warning}. Pass the folder that its "
                "paths start from as root= to infer_encoders, or as --root on the command line. "
                "If the column is not needed, exclude it."
            )
    if verbose:
        print(f"# Encoders for {counted(n_columns, 'column')}:\n{report}")
    return encoders


def _find_kinds(
    data: Any, exclude: Collection[str], kinds: Mapping[str, str], root: Path, *, fetches: bool
) -> list[Choice]:
    """Return the kind of each column; those of all categories and of all numbers are at the end."""
    if isinstance(exclude, str):
        msg = f"exclude must be a collection of names. Received the string {exclude!r}."
        raise ModalityError(msg)
    exclude = set(exclude)
    if unknown := sorted(exclude - set(data), key=str):
        msg = f"exclude names {unknown}, which the data lacks. It has {list(data)}."
        raise ModalityError(msg)
    check_columns(data)
    check_kinds(kinds, list(data))
    missing: dict[str, NDArray[np.bool_]] = {}
    separate: list[Choice] = []
    joined: dict[str, list[Choice]] = {}
    for column in data:
        if not is_plain_string(column):
            msg = (
                f"The names of columns must be strings. Received {column!r} of type "
                f"{type(column).__name__}; try data.rename(columns=str)."
            )
            raise ModalityError(msg)
        if column in exclude:
            separate.append(([column], ColumnKind("excluded")))
            continue
        values = data[column]
        missing[column] = np.array([is_missing(value) for value in values], dtype=bool)
        known = [*itertools.compress(values, ~missing[column])]
        kind = inspect_column(column, known, root, dtype=getattr(values, "dtype", None))
        if fetches and kind.if_fetched is not None:
            kind = kind.if_fetched
        if column in kinds:
            kind = as_named(kinds[column], kind, known, root)
        missing[column][np.flatnonzero(~missing[column])[list(kind.faulty)]] = True
        same = separate if kind.joint_name is None else joined.setdefault(kind.joint_name, [])
        same.append(([column], kind))
    return [
        _with_missing(columns, kind, missing)
        for columns, kind in [*separate, *(_join(joined[name]) for name in sorted(joined))]
    ]


def _join(choices: Sequence[Choice]) -> Choice:
    """Return one choice for all columns of a kind."""
    if len(choices) == 1:
        return choices[0]
    columns = [column for columns, _ in choices for column in columns]
    first = choices[0][1]
    notes = [f"{columns[0]}: {kind.note}" for columns, kind in choices if kind.note]
    options: dict[str, Any] = {}
    for _, kind in choices:
        options |= kind.options
    description = "; ".join([str(first.joint_name).replace("_", " "), *notes])
    return columns, replace(first, description=description, options=options)


def _with_missing(
    columns: list[str], kind: ColumnKind, missing: Mapping[str, NDArray[np.bool_]]
) -> Choice:
    """Return a choice that says how many rows or values are missing."""
    if kind.encoder is None:
        return columns, kind
    masks = [missing[column] for column in columns]
    n_rows, n_lacking = len(masks[0]), int(np.all(masks, axis=0).sum())
    description, options = kind.description, kind.options
    if n_lacking:
        description += f"; missing in {n_lacking} of {n_rows} rows"
        options = {**options, "optional": True}
    elif n_missing := int(np.sum(masks)):
        description += f"; {n_missing} of {n_rows * len(masks)} values are missing"
    return columns, replace(kind, description=description, options=options)


def _with_gaps(kind: ColumnKind) -> ColumnKind:
    """Return the kind for rows that may lack it."""
    if kind.encoder is None or kind.joint_name is not None or kind.encoder is DateEncoder:
        return kind
    options = {**kind.options, "optional": True}
    if kind.encoder is ImageEncoder:
        options["on_error"] = "missing"
    return replace(kind, options=options)


def _with_backbone(
    kind: ColumnKind, image: Mapping[str, Any], text_backbone: str | PathLike[str] | None
) -> ColumnKind:
    """Return the kind with the networks for images and texts, or with advice to use one."""
    if kind.encoder is ImageEncoder:
        return replace(kind, options={**image, **kind.options})
    if not kind.is_text:
        return kind
    if text_backbone is None:
        advice = "a language model reads more from them, with text_backbone='folder'"
        return replace(kind, description=f"{kind.description}; {advice}")
    options = {key: value for key, value in kind.options.items() if key == "optional"}
    return replace(kind, encoder=TextEncoder, options={"backbone": text_backbone, **options})


def _make_encoder(columns: list[str], kind: ColumnKind, taken: set[str]) -> Encoder | None:
    if kind.encoder is None:
        return None
    column = columns[0] if len(columns) == 1 else columns
    wanted = columns[0] if len(columns) == 1 else str(kind.joint_name)
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
