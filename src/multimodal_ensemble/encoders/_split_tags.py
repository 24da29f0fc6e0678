"""Tags from strings: delimited ones, lists as text, and hash-tags."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from multimodal_ensemble.encoders._printed_lists import is_bracketed, read_strings
from multimodal_ensemble.encoders._words import compose, find_hashtags
from multimodal_ensemble.exceptions import ModalityError


def split_tags(
    value: str,
    row: int,
    modality: str,
    delimiter: str | None,
    tokenizer: str | Callable[[str], Any] | None,
) -> list[str]:
    """Return the tags of a string, or raise a ModalityError that says which option splits it."""
    if tokenizer == "hashtags":
        return find_hashtags(value)
    if tokenizer == "list":
        parts = read_strings(value) if value.strip() else []
        if parts is None:
            msg = (
                f"Modality {modality!r} expects lists of strings as text, such as "
                f'\'["a", "b"]\'. Received {value[:80]!r} in row {row}.'
            )
            raise ModalityError(msg, row=row)
        parts = [compose(part) for part in parts]
    elif delimiter is not None:
        parts = compose(value).split(compose(delimiter))
    else:
        suggested = next((each for each in "|;," if each in value), "|")
        fix = f"delimiter={suggested!r} for delimited strings or tokenizer='words' for free text"
        if is_bracketed(value):
            fix = "tokenizer='list' for lists as text"
        msg = (
            f"Modality {modality!r} expects lists of tokens. Received the string {value[:80]!r} in "
            f"row {row}. Pass {fix}."
        )
        raise ModalityError(msg, row=row)
    return [part.strip() for part in parts if part.strip()]
