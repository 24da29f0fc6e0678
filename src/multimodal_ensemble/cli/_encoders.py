"""The encoders of the columns that a command names, or of all."""

from __future__ import annotations

import argparse
import itertools
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from multimodal_ensemble.cli._arguments import KINDS
from multimodal_ensemble.cli._console import Console
from multimodal_ensemble.cli._errors import CommandError, UsageError
from multimodal_ensemble.cli._values import as_column, find_list_delimiter, read_numbers

if TYPE_CHECKING:
    import pandas as pd

    from multimodal_ensemble.encoders import Encoder


def choose_encoders(
    table: pd.DataFrame,
    values: argparse.Namespace,
    console: Console,
    *,
    excluded: Iterable[str],
    root: str,
    embed_tags: bool,
    verbose: int,
) -> list[Encoder]:
    """Return an encoder for each column to read, and turn texts that show numbers into numbers.

    Rows may lack any image, text or keyword, and images that cannot be read count as missing.
    """
    named = {kind: list(getattr(values, kind) or ()) for kind in KINDS}
    given = [column for columns in named.values() for column in columns]
    excluded = [*excluded, *(values.exclude or ())]
    check_columns(table, [*given, *excluded])
    if both := [column for column in given if column in excluded or given.count(column) > 1]:
        msg = f"The column {both[0]!r} is named for two purposes; name it once."
        raise UsageError(msg)
    if given:
        _read_named_numbers(table, named["numbers"], console)
        encoders = _make_encoders(table, named, values, embed_tags=embed_tags)
    else:
        from multimodal_ensemble.encoders import infer_encoders

        read_numbers(
            table, [name for name in map(str, table) if name not in excluded], only_whole=True
        )
        encoders = infer_encoders(
            table,
            exclude=excluded,
            embed_tags=embed_tags,
            text_backbone=values.text_backbone,
            root=root,
            verbose=verbose,
        )
    _set_image_options(encoders, values, root)
    _allow_missing(encoders)
    return encoders


def check_columns(table: pd.DataFrame, columns: Iterable[str]) -> None:
    """Raise a CommandError if a table lacks one of the columns."""
    for column in columns:
        if column not in table:
            msg = f"There is no column {column!r}. The file has {', '.join(map(str, table))}."
            raise CommandError(msg)


def _read_named_numbers(table: pd.DataFrame, columns: Iterable[str], console: Console) -> None:
    """Turn texts into numbers, in place; texts that show none count as missing."""
    read_numbers(table, columns, only_whole=False)
    for column in columns:
        values = table[column].tolist()
        texts = [place for place, value in enumerate(values) if isinstance(value, str)]
        if texts:
            first = texts[0]
            console.warn(
                f"{column}: {len(texts):,} values are no numbers and count as missing, such as "
                f"{values[first]!r} in row {table.index[first]}."
            )
            numbers = [None if isinstance(value, str) else value for value in values]
            table[column] = as_column(numbers, table)


def _make_encoders(
    table: pd.DataFrame,
    named: dict[str, list[str]],
    values: argparse.Namespace,
    *,
    embed_tags: bool,
) -> list[Encoder]:
    from multimodal_ensemble.encoders import (
        BagOfWordsEncoder,
        CategoryEncoder,
        DenseEncoder,
        ImageEncoder,
        TagEmbeddingEncoder,
        TextEncoder,
    )

    names = _names()
    encoders: list[Encoder] = [
        ImageEncoder(names(column), column=column) for column in named["image"]
    ]
    for column in named["text"]:
        name = names(column)
        if values.text_backbone is None:
            encoders.append(BagOfWordsEncoder(name, column=column, tokenizer="words"))
        else:
            encoders.append(TextEncoder(name, column=column, backbone=values.text_backbone))
    for column in named["tags"]:
        is_text = any(isinstance(value, str) for value in table[column])
        # A text without any delimiter is one keyword.
        delimiter = (find_list_delimiter(table[column]) or ",") if is_text else None
        options: dict[str, Any] = {"column": column, "delimiter": delimiter}
        encoders.append(BagOfWordsEncoder(names(column), **options))
        if embed_tags:
            encoders.append(TagEmbeddingEncoder(names(f"{column}_embedding"), **options))
    if named["numbers"]:
        encoders.append(DenseEncoder(names("numbers"), column=named["numbers"]))
    if named["categories"]:
        encoders.append(CategoryEncoder(names("categories"), column=named["categories"]))
    return encoders


def _names() -> Any:
    """Return a function from columns to names of encoders, which are distinct and simple."""
    taken: set[str] = set()

    def name(column: str) -> str:
        base = re.sub(r"[^A-Za-z0-9._-]+", "_", column).strip("._-")[:80] or "column"
        numbered = (f"{base}_{number}" for number in itertools.count(2))
        found = next(each for each in itertools.chain([base], numbered) if each not in taken)
        taken.add(found)
        return found

    return name


def _set_image_options(encoders: Sequence[Encoder], values: argparse.Namespace, root: str) -> None:
    from multimodal_ensemble.encoders import ImageEncoder

    images = [encoder for encoder in encoders if isinstance(encoder, ImageEncoder)]
    options: dict[str, Any] = {"root": root, "on_error": "missing", "optional": True}
    options |= {
        name: getattr(values, name)
        for name in ("backbone", "image_size")
        if getattr(values, name) is not None
    }
    for encoder in images:
        encoder.set_params(**options)
    for given in values.weights or ():
        name, sign, weights = given.rpartition("=")
        chosen = [encoder for encoder in images if not sign or name in _names_of(encoder)]
        if not chosen:
            msg = f"--weights {given} is for no column of images; name these with --image."
            raise UsageError(msg)
        for encoder in chosen:
            # Commands with the same seed share features of random weights.
            random = {"weights": None, "seed": values.seed}
            encoder.set_params(**(random if weights == "random" else {"weights": weights}))


def _names_of(encoder: Any) -> set[str]:
    return {encoder.name, *encoder.columns, str(encoder.backbone)}


def _allow_missing(encoders: Sequence[Encoder]) -> None:
    """Let rows lack any modality for which no other value stands in."""
    from multimodal_ensemble.encoders import CategoryEncoder, DenseEncoder

    for encoder in encoders:
        if not isinstance(encoder, CategoryEncoder | DenseEncoder):
            encoder.set_params(optional=True)
