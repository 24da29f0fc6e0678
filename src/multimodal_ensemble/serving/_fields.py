"""The columns that a request may have, from the encoders of a model."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from multimodal_ensemble.encoders import (
    BagOfWordsEncoder,
    CategoryEncoder,
    DateEncoder,
    DenseEncoder,
    Encoder,
    ImageEncoder,
    TagEmbeddingEncoder,
    TextEncoder,
)

# The kinds of values; of several encoders of one column, the earliest kind counts.
_KINDS = (
    "image",
    "images",
    "tags",
    "texts",
    "text",
    "vector",
    "number",
    "category",
    "date",
    "value",
)


@dataclass(frozen=True)
class Field:
    """A column of a request.

    Parameters
    ----------
    column : str
        Its name.
    kind : str
        ``"image"``, ``"images"``, ``"tags"``, ``"texts"``, ``"text"``, ``"category"``,
        ``"vector"``, ``"number"``, ``"date"`` or ``"value"``, which is any JSON value.
    is_required : bool
        Whether each row must have it.
    takes_null : bool
        Whether its value may be null.
    takes_text : bool
        Whether its value may be a string, such as tags with a delimiter, or numbers as text.
    choices : tuple
        The known categories, without None.
    decimal : {".", ","}, optional
        The decimal mark of numbers as text; None if the encoders read texts in several ways, or
        take those that are no numbers.
    length : int, optional
        Numbers of a vector.
    size : (int, int), optional
        Height and width that images are resized to; None if several encoders read them otherwise.
    resampling : str
        The filter for resizing.
    """

    column: str
    kind: str
    is_required: bool = True
    takes_null: bool = False
    takes_text: bool = False
    choices: tuple[Any, ...] = ()
    decimal: str | None = "."
    length: int | None = None
    size: tuple[int, int] | None = None
    resampling: str = "bilinear"

    @property
    def is_image(self) -> bool:
        """Whether its values are images."""
        return self.kind in ("image", "images")


def describe_fields(
    encoders: Iterable[Encoder], *, trusted_columns: Collection[str] = ()
) -> dict[str, Field]:
    """Return the columns that these encoders read, by name.

    Raises
    ------
    ValueError
        If an encoder of another package reads a column that is not trusted, because it may open
        files whose names it receives.
    """
    by_column: dict[str, list[Field]] = {}
    for encoder in encoders:
        columns = [str(column) for column in encoder.columns]
        if not is_own_encoder(encoder) and (unknown := [*set(columns) - set(trusted_columns)]):
            msg = (
                f"Modality {encoder.name!r} has an encoder of another package, "
                f"{type(encoder).__name__}, which may open files that requests name. If it does "
                f"not, pass trusted_columns={sorted(unknown)!r}."
            )
            raise ValueError(msg)
        for position, column in enumerate(columns):
            by_column.setdefault(column, []).append(_describe(encoder, column, position))
    return {column: _join(found) for column, found in by_column.items()}


def is_own_encoder(encoder: Encoder) -> bool:
    """Return whether the class of an encoder is one of this package."""
    return type(encoder).__module__.startswith("multimodal_ensemble.")


def _describe(encoder: Any, column: str, position: int) -> Field:
    kind, options = "value", {}
    takes_null = bool(encoder.optional)
    if isinstance(encoder, ImageEncoder):
        kind = "image" if encoder.items is None else "images"
        height, width = encoder.input_shape[-3:-1]
        options = {
            "size": (int(height), int(width)),
            "resampling": encoder.encoding_config()["resampling"],
        }
    elif isinstance(encoder, BagOfWordsEncoder | TagEmbeddingEncoder):
        kind = "tags" if encoder.tokenizer is None else "text"
        options = {"takes_text": encoder.delimiter is not None or kind == "text"}
    elif isinstance(encoder, TextEncoder):
        kind = "text" if encoder.items is None else "texts"
        options = {"takes_text": kind == "text"}
    elif isinstance(encoder, CategoryEncoder):
        kind, takes_null = "category", True
        known = encoder.categories_[position]
        choices = tuple(choice for choice in known if choice is not None)
        options = {"choices": choices, "takes_text": True}
    elif isinstance(encoder, DenseEncoder):
        is_vector = len(encoder.columns) == 1 and encoder.n_features_ > 1
        kind = "vector" if is_vector else "number"
        takes_null = takes_null or not is_vector
        options = {
            "length": encoder.n_features_ if is_vector else None,
            "takes_text": encoder.decimal is not None,
            "decimal": None if encoder.on_error == "missing" else encoder.decimal or ".",
        }
    elif isinstance(encoder, DateEncoder):
        kind, takes_null = "date", True
    return Field(column, kind, not encoder.optional, takes_null, **options)


def _join(found: Sequence[Field]) -> Field:
    """Return the column that several encoders read."""
    first = min(found, key=lambda field: _KINDS.index(field.kind))
    takes_text = all(field.takes_text for field in found)
    # A list of tags suits no encoder of categories or text, and a string suits all.
    is_text = first.kind == "tags" and takes_text and any(field.kind != "tags" for field in found)
    decimals = {field.decimal for field in found if field.kind == first.kind}
    readings = {(field.size, field.resampling) for field in found}
    return Field(
        first.column,
        "text" if is_text else first.kind,
        is_required=any(field.is_required for field in found),
        takes_null=all(field.takes_null for field in found),
        takes_text=takes_text,
        choices=first.choices,
        decimal=first.decimal if len(decimals) == 1 else None,
        length=first.length,
        size=first.size if len(readings) == 1 else None,
        resampling=first.resampling,
    )
