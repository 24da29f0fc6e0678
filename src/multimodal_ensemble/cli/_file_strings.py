"""Strings of a file for models that were trained in Python on lists, numbers and booleans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from multimodal_ensemble.cli._errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

_IMAGE_DELIMITERS = "|;,"


def read_file_strings(model: Any, table: pd.DataFrame) -> None:
    """Let encoders read the strings of a table where only one meaning is possible.

    Encoders that were trained on strings stay as they are. Categories become numbers
    or booleans, and "true" among numbers becomes True, in the table itself.
    """
    from multimodal_ensemble._tables import is_missing
    from multimodal_ensemble.encoders import (
        BagOfWordsEncoder,
        CategoryEncoder,
        DenseEncoder,
        ImageEncoder,
        TagEmbeddingEncoder,
    )

    for encoder in model.encoders_:
        if isinstance(encoder, CategoryEncoder):
            for column, known in zip(encoder.columns, encoder.categories_, strict=True):
                if column in table:
                    table[column] = _as_categories(table[column], known)
            continue
        columns = [column for column in encoder.columns if column in table]
        strings = [value for column in columns for value in table[column] if isinstance(value, str)]
        if isinstance(encoder, DenseEncoder):
            encoder.decimal = encoder.decimal or "."
            for column in columns:
                table[column] = _as_flags(table[column])
        elif isinstance(encoder, BagOfWordsEncoder | TagEmbeddingEncoder):
            if strings and encoder.delimiter is None and encoder.tokenizer is None:
                _read_tags(encoder, strings)
            if not encoder.optional and encoder.tokenizer != "words":
                # An empty value is a row without tags.
                for column in columns:
                    table[column] = [[] if is_missing(each) else each for each in table[column]]
        elif isinstance(encoder, ImageEncoder) and encoder.items and encoder.delimiter is None:
            # Without any delimiter, each string is one image.
            found = (each for each in _IMAGE_DELIMITERS if any(each in text for text in strings))
            encoder.delimiter = next(found, _IMAGE_DELIMITERS[0])


def _read_tags(encoder: Any, strings: Sequence[str]) -> None:
    """Choose how an encoder of lists splits strings: so that most parts are known tags."""
    from multimodal_ensemble._label_format import find_label_format

    found = find_label_format(strings, classes=encoder.vocabulary_)
    if found is None:
        msg = (
            f"The column {encoder.columns[0]!r} has lists of names in the training data, and "
            f"{strings[0][:60]!r} has no name that the model knows. Separate the names of a row by "
            "'|'."
        )
        raise CommandError(msg)
    if found.delimiter is None:
        encoder.tokenizer = "list"
    else:
        # Without any delimiter, each string is one name.
        encoder.delimiter = found.delimiter or "|"


def _as_flags(column: pd.Series) -> pd.Series:
    """Return "true" and "false" as True and False, as `pandas.read_csv` reads them."""
    flags = {"true": True, "false": False}
    strings = [value for value in column if isinstance(value, str)]
    if not strings or any(value.casefold() not in flags for value in strings):
        return column
    return column.map(lambda value: flags[value.casefold()] if isinstance(value, str) else value)


def _as_categories(column: pd.Series, known: Sequence[Any]) -> pd.Series:
    """Return strings as the numbers or booleans that a model was trained on."""
    names: dict[Any, Any] = {str(each).casefold(): each for each in known if each is not None}
    if any(isinstance(each, str) for each in names.values()):
        return column
    return column.map(
        lambda value: _find_category(value, names) if isinstance(value, str) else value
    )


def _find_category(value: str, names: dict[Any, Any]) -> Any:
    text = value.strip().casefold()
    if text in names:
        return names[text]
    try:
        number = float(text)
    except ValueError:
        return value
    return next((each for each in names.values() if each == number), number)
