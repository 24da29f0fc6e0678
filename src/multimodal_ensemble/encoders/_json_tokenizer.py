"""Tokenizers of the library `tokenizers`, which Hugging Face's models come with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble.encoders._keras_hub import import_of_extra
from multimodal_ensemble.encoders._token_ids import NO_ID

# The names of the padding token in models whose file sets no padding.
_PADDING_TOKENS = ("[PAD]", "<pad>")


class JsonTokenizer:
    """A tokenizer from the text of its `tokenizer.json`."""

    def __init__(self, text: str) -> None:
        self._tokenizer: Any = _import_tokenizers().Tokenizer.from_str(text)
        padding = self._tokenizer.padding
        truncation = self._tokenizer.truncation
        # The length of texts in the training of the model, if the file names it.
        self.max_length: int | None = None if truncation is None else truncation["max_length"]
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        # By the maximum length of a text.
        self._limited: dict[int, Any] = {}
        names = [padding["pad_token"]] if padding else _PADDING_TOKENS
        known = [self._tokenizer.token_to_id(name) for name in names]
        pad_id = next((number for number in known if number is not None), NO_ID)
        # Some models end each text with the token that they also use as padding.
        self.pad_id: int = NO_ID if pad_id in self._tokenizer.encode("").ids else pad_id

    @property
    def largest_id(self) -> int:
        """The largest id of a token, without tokens that were added to the vocabulary."""
        return max(self._tokenizer.get_vocab(with_added_tokens=False).values(), default=0)

    @property
    def n_special(self) -> int:
        """Number of special tokens around a text."""
        return int(self._tokenizer.num_special_tokens_to_add(is_pair=False))

    def split(self, texts: Sequence[str], max_length: int) -> list[list[NDArray[np.int32]]]:
        """Return the token ids of each text, in parts of at most `max_length` ids.

        Every text has at least one part, and each part has its special tokens.
        """
        # Copies of an encoder in other threads may have other limits and share this object.
        tokenizer = self._limited.get(max_length)
        if tokenizer is None:
            tokenizer = _import_tokenizers().Tokenizer.from_str(self._tokenizer.to_str())
            tokenizer.enable_truncation(max_length)
            self._limited[max_length] = tokenizer
        return [
            [np.array(part.ids, dtype=np.int32) for part in (encoding, *encoding.overflowing)]
            for encoding in tokenizer.encode_batch(list(texts))
        ]

    def get_state(self) -> dict[str, Any]:
        """Return the state for a saved file."""
        return {"json": self.to_json()}

    def to_json(self) -> str:
        """Return the text of `tokenizer.json`, without truncation."""
        text: str = self._tokenizer.to_str()
        # A program that pads with the library uses the right id.
        document = json.loads(text)
        if self.pad_id >= 0:
            document["padding"] = {
                "strategy": "BatchLongest",
                "direction": "Right",
                "pad_to_multiple_of": None,
                "pad_id": self.pad_id,
                "pad_type_id": 0,
                "pad_token": self._tokenizer.id_to_token(self.pad_id),
            }
        return json.dumps(document, ensure_ascii=False)

    def files(self) -> dict[str, bytes]:
        """Return the files that a program needs to turn text into ids."""
        return {"tokenizer.json": self.to_json().encode()}


def is_json_tokenizer(value: Any) -> bool:
    """Return whether a value is a `tokenizers.Tokenizer`; this does not import the library."""
    return type(value).__module__.partition(".")[0] == "tokenizers" and hasattr(value, "to_str")


def _import_tokenizers() -> Any:
    need = "Reading tokenizer.json needs the package tokenizers"
    return import_of_extra("tokenizers", need=need)
