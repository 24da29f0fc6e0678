"""Tokenizers of KerasHub."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble.encoders._keras_hub import import_keras_hub
from multimodal_ensemble.encoders._token_ids import NO_ID
from multimodal_ensemble.exceptions import ArtefactError, ModalityError

# The arguments of tokenizers that may be paths of files.
_FILES = ("vocabulary", "merges", "proto")


class HubTokenizer:
    """A tokenizer of KerasHub, with the special tokens that its models expect around a text."""

    # The length of texts in training is not part of a tokenizer of KerasHub.
    max_length: int | None = None

    def __init__(self, tokenizer: Any) -> None:
        if (length := getattr(tokenizer, "sequence_length", None)) is not None:
            msg = (
                "The tokenizer must not pad texts itself. Make it with sequence_length=None. "
                f"Received a {type(tokenizer).__name__} with sequence_length={length}."
            )
            raise ModalityError(msg)
        self.tokenizer = tokenizer
        first, last = (getattr(tokenizer, f"{end}_token_id", None) for end in ("start", "end"))
        self._before = [] if first is None else [int(first)]
        self._behind = [] if last is None else [int(last)]
        pad_id = getattr(tokenizer, "pad_token_id", None)
        # Some models end each text with the token that they also use as padding.
        is_usable = pad_id not in [None, *self._before, *self._behind]
        self.pad_id: int = int(pad_id or 0) if is_usable else NO_ID

    @property
    def largest_id(self) -> int:
        """The largest id of a token."""
        return int(self.tokenizer.vocabulary_size()) - 1

    @property
    def n_special(self) -> int:
        """Number of special tokens around a text."""
        return len(self._before) + len(self._behind)

    def split(self, texts: Sequence[str], max_length: int) -> list[list[NDArray[np.int32]]]:
        """Return the token ids of each text, in parts of at most `max_length` ids.

        Every text has at least one part, and each part has its special tokens.
        """
        size = max_length - self.n_special
        # Tokenizers of KerasHub fail for an empty list.
        found: Any = self.tokenizer(list(texts)) if texts else []
        rows = found.to_list() if hasattr(found, "to_list") else found
        return [
            [
                np.array([*self._before, *row[start : start + size], *self._behind], dtype=np.int32)
                for start in range(0, max(1, len(row)), size)
            ]
            for row in map(list, rows)
        ]

    def get_state(self) -> dict[str, Any]:
        """Return what `from_state` takes: the configuration and the files."""
        files = {
            name: np.frombuffer(content, dtype=np.uint8) for name, content in self.files().items()
        }
        config = json.dumps(keras.saving.serialize_keras_object(self.tokenizer))
        return {"config": config, "files": files}

    @classmethod
    def from_state(cls, state: Mapping[str, Any], *, where: str) -> HubTokenizer:
        """Return a tokenizer from what `get_state` returned."""
        hub = import_keras_hub()
        described = json.loads(state["config"])
        kind = keras.saving.get_registered_object(described["registered_name"])
        is_known = isinstance(kind, type) and issubclass(kind, hub.models.Tokenizer)
        options = described["config"]
        # What is not in the configuration but in files of its own could be the path of any file.
        if not is_known or any(isinstance(options.get(name), str) for name in _FILES):
            msg = f"{where} is no tokenizer of KerasHub with files of its own. It is damaged."
            raise ArtefactError(msg)
        tokenizer = kind.from_config(options)
        with tempfile.TemporaryDirectory() as folder:
            for name in tokenizer.file_assets:
                content = np.ascontiguousarray(state["files"][name], dtype=np.uint8)
                (Path(folder) / name).write_bytes(content.data)
            tokenizer.load_assets(folder)
        return cls(tokenizer)

    def files(self) -> dict[str, bytes]:
        """Return the files that a program needs to turn text into ids."""
        with tempfile.TemporaryDirectory() as folder:
            self.tokenizer.save_assets(folder)
            return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}

    def __getstate__(self) -> dict[str, Any]:
        """Return the state for a pickle, because layers of TensorFlow have none."""
        return self.get_state()

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Take over the state of a pickle."""
        restored = self.from_state(state, where="The tokenizer")
        self.__dict__.update(vars(restored))
