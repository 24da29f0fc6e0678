"""Choosing encoders by looking at a table's columns."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from multimodal_ensemble._tables import is_missing
from multimodal_ensemble.encoders._bag_of_words_encoder import BagOfWordsEncoder
from multimodal_ensemble.encoders._dense_encoder import DenseEncoder
from multimodal_ensemble.encoders._encoder import Encoder
from multimodal_ensemble.encoders._image_encoder import ImageEncoder
from multimodal_ensemble.exceptions import ModalityError
from multimodal_ensemble.images import IMAGE_SUFFIXES, looks_like_image

_NUMBERS = {"boolean", "decimal", "floating", "integer", "integer-na", "mixed-integer-float"}
_DATES = {"date", "datetime", "datetime64", "period", "timedelta", "timedelta64"}
_DELIMITERS = ("|", ";")
# So many values are looked at to find out what a column holds; more would not say more.
_LOOKED_AT = 200
# Up to so many distinct short strings are categories; more are words to split.
_MAX_CATEGORIES = 50
# Pieces of more words than that, on average, are clauses of a text and no tokens.
_MAX_WORDS = 5
# What `fuse_encoders` calls its own layers, which no encoder may be called.
_LAYERS = {"embeddings", "embeddings_dropout", "modality_dropout", "scores"}


@dataclass
class _Choice:
    """What is made of one column, or of several columns of numbers."""

    columns: list[str]
    why: str
    kind: type[Encoder] | None = None
    options: dict[str, Any] = field(default_factory=dict)

    def encoder(self, taken: set[str]) -> Encoder | None:
        if self.kind is None:
            return None
        several = len(self.columns) > 1
        name = _free_name("numbers" if several else self.columns[0], taken)
        column = self.columns if several else self.columns[0]
        options = self.options if name == column else {"column": column, **self.options}
        return self.kind(name, **options)

    def line(self, encoder: Encoder | None) -> str:
        if encoder is None:
            return f"  {', '.join(self.columns)}: left out; {self.why}"
        options = "".join(f", {key}={value!r}" for key, value in self.options.items())
        made = f"{type(encoder).__name__}({encoder.name!r}{options})"
        return f"  {', '.join(self.columns)}: {made}; {self.why}"


def infer_encoders(
    data: Any,
    *,
    exclude: Collection[str] = (),
    root: str | PathLike[str] | None = None,
    verbose: int = 1,
) -> list[Encoder]:
    """Choose an encoder for each column of a table, and say why.

    Paths of image files that exist (or images themselves) get an `ImageEncoder`, lists of tokens,
    strings delimited by ``|`` or ``;``, categories and texts a `BagOfWordsEncoder`, vectors a
    `DenseEncoder`, and all columns of numbers together another one. What looks like an id, is one
    number or text in each row, or fits none of these is left out. A column with missing values
    is made `optional`.

    Parameters
    ----------
    data : DataFrame, mapping of str to sequence, or ndarray of shape (n, n_features)
        The raw columns of the training rows. An array is one modality, ``"features"``.
    exclude : collection of str, default=()
        Columns to leave out, such as those of the labels.
    root : path, optional
        Folder that relative paths of images start from. Default: the working directory.
    verbose : {0, 1}, default=1
        Whether the choices are printed.

    Returns
    -------
    list of Encoder
        Not fitted yet. Change what you like, and pass them on.

    Raises
    ------
    ModalityError
        If no column can be used, or the names of columns are not distinct strings.

    See Also
    --------
    MultimodalClassifier : Uses it for ``encoders="auto"``.

    Examples
    --------
    >>> from multimodal_ensemble import infer_encoders
    >>> data = {"tags": [["space", "war"], ["love"]], "year": [1977, 1997], "movieId": [7, 8]}
    >>> tags, year = infer_encoders(data)
    Encoders for 3 columns:
      tags: BagOfWordsEncoder('tags'); lists of tokens
      movieId: left out; a whole number of its own in each row, as an id has
      year: DenseEncoder('year'); numbers
    """
    if isinstance(data, np.ndarray) and data.ndim == 2:
        choices = [_Choice(["features"], "an array of numbers", DenseEncoder)]
        n_columns = 1
    else:
        columns = data if isinstance(data, Mapping | pd.DataFrame) else None
        if columns is None:
            shape = f" of shape {data.shape}" if isinstance(data, np.ndarray) else ""
            msg = (
                "data must be a DataFrame, a mapping of columns, or an array of shape "
                f"(n, n_features). Received {type(data).__name__}{shape}."
            )
            raise ModalityError(msg)
        choices = _choose(columns, exclude, Path("." if root is None else root))
        n_columns = len(list(columns))
    taken = set(_LAYERS)
    chosen = [(choice, choice.encoder(taken)) for choice in choices]
    lines = "\n".join(choice.line(encoder) for choice, encoder in chosen)
    encoders = [encoder for _, encoder in chosen if encoder is not None]
    if not encoders:
        msg = f"No column can be used, so pass encoders=[...] yourself:\n{lines}"
        raise ModalityError(msg)
    if verbose:
        print(f"Encoders for {n_columns} columns:\n{lines}")
    return encoders


def _choose(data: Any, exclude: Collection[str], root: Path) -> list[_Choice]:
    if isinstance(exclude, str):
        msg = f"exclude must be a collection of names. Received the string {exclude!r}."
        raise ModalityError(msg)
    exclude = set(exclude)
    if unknown := sorted(exclude - set(data), key=str):
        msg = f"exclude names {unknown}, which the data lacks. It has {list(data)}."
        raise ModalityError(msg)
    names = list(data)
    if repeated := sorted({str(name) for name in names if names.count(name) > 1}):
        msg = f"The columns of data must have distinct names. Received {repeated} repeatedly."
        raise ModalityError(msg)
    choices: list[_Choice] = []
    numbers: list[str] = []
    for column in names:
        if not isinstance(column, str):
            msg = (
                f"The names of columns must be strings. Received {column!r} of type "
                f"{type(column).__name__}; try data.rename(columns=str)."
            )
            raise ModalityError(msg)
        if column in exclude:
            choices.append(_Choice([column], "not to be used"))
            continue
        choice = _choose_column(column, data[column], root)
        # Numbers that are always there make one modality; the others may be missing one by one.
        if choice.kind is DenseEncoder and choice.why == "numbers":
            numbers.append(column)
        else:
            choices.append(choice)
    if numbers:
        choices.append(_Choice(numbers, "numbers", DenseEncoder))
    return choices


def _choose_column(column: str, values: Any, root: Path) -> _Choice:
    known = [value for value in values if not is_missing(value)]
    n_missing = len(values) - len(known)
    if not known:
        return _Choice([column], "no row has a value")
    kind, why, options = _look_at(column, known, root)
    if kind is None:
        return _Choice([column], why)
    if n_missing:
        options = {**options, "optional": True}
        why += f"; missing in {n_missing} of {len(values)} rows"
    return _Choice([column], why, kind, options)


def _look_at(
    column: str, known: list[Any], root: Path
) -> tuple[type[Encoder] | None, str, dict[str, Any]]:
    # Bytes that cannot be opened are damaged files if other values of the column are images.
    if any(looks_like_image(value) for value in known) and all(
        isinstance(value, bytes) or looks_like_image(value) for value in known
    ):
        return ImageEncoder, "images", {}
    if all(_is_list(value) for value in known):
        return _look_at_lists(known)
    inferred = pd.api.types.infer_dtype(known, skipna=True)
    if inferred in _NUMBERS:
        return _look_at_numbers(column, known)
    if inferred in _DATES:
        return None, "dates and times; turn them into numbers, such as the year, to use them", {}
    if all(isinstance(value, str | PathLike) for value in known):
        return _look_at_strings(known, root)
    types = sorted({type(value).__name__ for value in known})
    return None, f"values of the type {' or '.join(types)}", {}


def _look_at_lists(known: Sequence[Any]) -> tuple[type[Encoder] | None, str, dict[str, Any]]:
    items = [item for value in known[:_LOOKED_AT] for item in value]
    if all(isinstance(item, str) for item in items):
        if not any(len(value) for value in known):
            return None, "empty lists", {}
        return BagOfWordsEncoder, "lists of tokens", {}
    number = int | float | np.integer | np.floating | np.bool_
    if not all(isinstance(item, number) for item in items):
        return None, "lists of neither tokens nor numbers", {}
    if any(isinstance(value, set | frozenset) for value in known):
        return None, "sets of numbers, which have no order", {}
    lengths = {len(value) for value in known}
    if len(lengths) > 1:
        return None, "lists of numbers that differ in length", {}
    if not _are_finite([list(value) for value in known]):
        return None, "vectors with NaN or infinite numbers; replace these to use it", {}
    return DenseEncoder, f"vectors of {lengths.pop()} numbers", {}


def _look_at_numbers(
    column: str, known: Sequence[Any]
) -> tuple[type[Encoder] | None, str, dict[str, Any]]:
    distinct = set(known)
    if len(distinct) == 1:
        # As a Python value: numpy's own representation differs between its versions.
        value = known[0].item() if isinstance(known[0], np.generic) else known[0]
        return None, f"the same in each row, {value!r}", {}
    if not _are_finite(known):
        return None, "numbers of which some are infinite or too large; replace these to use it", {}
    is_whole = all(float(value).is_integer() for value in known[:_LOOKED_AT])
    is_id = re.search(r"(?:^|[^A-Za-z])(?:id|ID|Id)$|Id$|ID$|^index$|^Unnamed", column)
    if is_whole and is_id and len(distinct) == len(known):
        return None, "a whole number of its own in each row, as an id has", {}
    return DenseEncoder, "numbers", {}


def _look_at_strings(
    known: Sequence[Any], root: Path
) -> tuple[type[Encoder] | None, str, dict[str, Any]]:
    some = [str(value) for value in known[:_LOOKED_AT]]
    if sum(Path(value).suffix.lower() in IMAGE_SUFFIXES for value in some) > len(some) / 2:
        if any(_is_file(root, value) for value in some):
            options = {} if root == Path() else {"root": str(root)}
            return ImageEncoder, "paths of image files", options
        return (
            None,
            f"paths of image files that do not exist under {str(root)!r}; pass root=...",
            {},
        )
    if not all(isinstance(value, str) for value in known):
        return None, "paths of files that are no images", {}
    distinct = set(known)
    if len(distinct) == 1:
        return None, f"the same in each row, {some[0][:80]!r}", {}
    why, options = _how_to_split(known, distinct)
    delimiter = options.get("delimiter")
    is_token = r"\w" if delimiter is None else rf"[^\s{re.escape(delimiter)}]"
    if not any(re.search(is_token, value) for value in distinct):
        return None, f"{why} without a token", {}
    if len(distinct) == len(known) and "tokenizer" in options:
        if not any(" " in value.strip() for value in some):
            return None, "a word of its own in each row, as an id is", {}
    return BagOfWordsEncoder, why, options


def _how_to_split(known: Sequence[str], distinct: Collection[str]) -> tuple[str, dict[str, Any]]:
    """Return what the strings of a column are, and the options of the encoder that splits them."""
    some = known[:_LOOKED_AT]
    for delimiter in _DELIMITERS:
        pieces = [piece.split() for value in some for piece in value.split(delimiter)]
        is_text = sum(map(len, pieces)) > _MAX_WORDS * len(pieces)
        if sum(delimiter in value for value in some) > len(some) / 10 and not is_text:
            return f"strings delimited by {delimiter!r}", {"delimiter": delimiter}
    if len(distinct) <= min(_MAX_CATEGORIES, len(known) / 2):
        # A delimiter that does not occur keeps each string whole.
        for delimiter in (*_DELIMITERS, "\n"):
            if not any(delimiter in value for value in distinct):
                return f"{len(distinct)} categories", {"delimiter": delimiter}
    return "texts", {"tokenizer": "words"}


def _is_list(value: Any) -> bool:
    is_array = isinstance(value, np.ndarray) and value.ndim > 0
    return is_array or isinstance(value, list | tuple | set | frozenset)


def _are_finite(numbers: Sequence[Any]) -> bool:
    try:
        return bool(np.isfinite(np.array(numbers, dtype=np.float64)).all())
    except (OverflowError, TypeError, ValueError):
        return False


def _is_file(root: Path, value: str) -> bool:
    try:
        return (root / value).is_file()
    except (OSError, ValueError):
        # A name that is too long, or has NUL in it.
        return False


def _free_name(column: str, taken: set[str]) -> str:
    """Return a name that an encoder may have and no other one has yet."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "_", column).strip("._-") or "modality"
    name = next(name for name in _numbered(plain) if not _layers(name) & taken)
    taken.update(_layers(name))
    return name


def _layers(name: str) -> set[str]:
    """Return the names of the layers that `fuse_encoders` makes of an encoder."""
    return {name} | {f"{name}_{layer}" for layer in ("features", "head", "or_missing", "present")}


def _numbered(name: str) -> Iterable[str]:
    yield name
    number = 2
    while True:
        yield f"{name}_{number}"
        number += 1
