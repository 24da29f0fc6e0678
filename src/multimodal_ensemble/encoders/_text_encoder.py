"""Texts through a pretrained language model."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import keras
import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._keras import PACKAGE
from multimodal_ensemble._tables import as_object_array, counted
from multimodal_ensemble._validation import check_at_least, check_choice
from multimodal_ensemble._warnings import warn
from multimodal_ensemble.encoders._dense_head import DenseHead
from multimodal_ensemble.encoders._image_backbone import check_trainable_layers
from multimodal_ensemble.encoders._language_model_encoder import LanguageModelEncoder
from multimodal_ensemble.encoders._text_source import POOLINGS, TextSource
from multimodal_ensemble.encoders._token_ids import count_ids, digest_ids, is_tokenized, pad_ids
from multimodal_ensemble.exceptions import ModalityError

# The most parts of a text in an explanation, each of which is one more pass of the backbone.
_MOST_PARTS = 64


@keras.saving.register_keras_serializable(package=PACKAGE)
class TextEncoder(LanguageModelEncoder):
    """Texts, through a frozen pretrained language model and one dense layer.

    It needs the extra ``text``: ``pip install keras-hub tokenizers safetensors``.

    Parameters
    ----------
    name : str
        Name of the modality and of the Keras input.
    column : str, optional
        The column of texts. Without `items`, a list of strings, such as tags, is read as one text
        with commas between them. Default: `name`.
    backbone : str, path or keras.Model
        A folder in the layout of Hugging Face (``config.json``, ``model.safetensors`` and
        ``tokenizer.json``) or of KerasHub; the name of a KerasHub preset, such as
        ``"bert_tiny_en_uncased"``, which is downloaded once; a handle such as
        ``"hf://sentence-transformers/all-MiniLM-L6-v2"``; or a KerasHub backbone, of which the
        encoder uses a copy.
    tokenizer : str, path or tokenizer, optional
        A ``tokenizer.json``, a folder or preset with a tokenizer, a ``tokenizers.Tokenizer`` or a
        tokenizer of KerasHub. Default: that of the backbone's folder or preset.
    weights : str or path, optional
        A folder or preset whose weights replace those of the backbone. Default: its own.
    max_length : int, optional
        Maximum number of tokens of a text, including the special ones at its ends. Default: the
        length that the model was trained with, or 512 if its folder does not name it. Texts are
        padded to the longest of a batch, so short ones take no longer with a high limit.
    pooling : {"mean", "cls", "max", "last"}, optional
        How the vectors of the tokens become one vector: their mean, the first one, their maximum
        or the last one. Default: what the folder of a sentence-transformers model names, otherwise
        the mean.
    normalize : bool, default=True
        Whether the vector of a text is scaled to length 1. It suits linear models: long and short
        texts then count the same.
    windows : bool, default=False
        Whether a text of more than `max_length` tokens is read in parts of that length, whose
        vectors are averaged by their number of tokens. Otherwise the rest is left out, and a
        warning is issued.
    trainable_layers : int or "all", default=0
        Number of the backbone's last layers that training changes; see ``unfreeze``.
    items : {None, "mean", "max", "attention"}, default=None
        With ``"mean"`` or ``"max"``, each row is a list of texts, such as tags, or a mapping from
        text to count, and its features are the mean or the maximum over its texts. A store computes
        each different text once. ``"attention"`` learns the weights of a mean.
    max_items : int, default=8
        Maximum number of texts per row with ``items="attention"``.
    head : callable, optional
        The trainable layers; see `Encoder`. Default:
        ``DenseHead(input_dropout=0.8, scaling="log")``.
    optional : bool, default=False
        Whether rows may lack this modality; see `Encoder`. An empty text is not missing.

    Raises
    ------
    ValueError
        If an option is out of range; the message lists the values that are allowed.

    Notes
    -----
    The backbone and the tokenizer are read when they are first needed. A saved estimator holds
    both, so that loading it needs no folder and no download. Features are stored under a key of
    the weights, the pooling and the token ids.

    Examples
    --------
    A tiny model of random weights, for texts of the words in its vocabulary::

        import keras_hub
        from tokenizers import Tokenizer, models, pre_tokenizers

        vocabulary = {"<pad>": 0, "<unk>": 1, "a": 2, "cat": 3}
        tokenizer = Tokenizer(models.WordLevel(vocabulary, "<unk>"))
        tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
        backbone = keras_hub.models.DistilBertBackbone(
            vocabulary_size=4, num_layers=1, num_heads=2, hidden_dim=8, intermediate_dim=16)
        encoder = TextEncoder("title", backbone=backbone, tokenizer=tokenizer)
        encoder.encode(["a cat", "cat"])  # [[2, 3], [3, 0]]

    With a folder, nothing else is needed:

    >>> from multimodal_ensemble import TextEncoder
    >>> encoder = TextEncoder("title", backbone="models/all-MiniLM-L6-v2")
    >>> encoder.input_shape, encoder.columns
    ((None,), ['title'])
    """

    input_dtype = "int32"
    unit = "text"
    part_kind = "word"

    def __init__(
        self,
        name: str,
        *,
        column: str | None = None,
        backbone: str | Path | keras.Model,
        tokenizer: Any = None,
        weights: str | Path | None = None,
        max_length: int | None = None,
        pooling: str | None = None,
        normalize: bool = True,
        windows: bool = False,
        trainable_layers: int | str = 0,
        items: str | None = None,
        max_items: int = 8,
        head: Callable[[tuple[int, ...]], keras.Layer] | None = None,
        optional: bool = False,
    ) -> None:
        head = DenseHead(input_dropout=0.8, scaling="log") if head is None else head
        super().__init__(
            name, column=column, head=head, optional=optional, items=items, max_items=max_items
        )
        if not isinstance(backbone, str | os.PathLike | keras.Model):
            msg = (
                "backbone must be a folder, the name of a KerasHub preset or a KerasHub backbone. "
                f"Received {backbone!r} of type {type(backbone).__name__}."
            )
            raise ValueError(msg)
        if max_length is not None:
            check_at_least(max_length, 4, name="max_length")
        check_choice(pooling, (None, *POOLINGS), name="pooling")
        check_choice(normalize, (True, False), name="normalize")
        check_choice(windows, (True, False), name="windows")
        check_trainable_layers(trainable_layers, mirror=False, items=items)
        self.backbone = backbone
        self.tokenizer = tokenizer
        self.weights = weights
        self.max_length = max_length
        self.pooling = pooling
        self.normalize = normalize
        self.windows = windows
        self.trainable_layers = trainable_layers
        # The largest number of shortened texts that a warning has reported.
        self._n_reported = 0

    @property
    def _item_shape(self) -> tuple[int | None, ...]:
        return (None, None) if self.windows else (None,)

    def fit(self, values: Any) -> Self:
        """Read the backbone and the tokenizer, so that errors come early; learn nothing.

        Parameters
        ----------
        values : sequence of length n
            Not used.

        Returns
        -------
        TextEncoder
            The encoder itself.
        """
        del values
        self._length_limit(self._get_source())
        return self

    def prepare(self, values: Any) -> Any:
        """Return the token ids of each text; with `windows` a tuple of those of each window.

        With `items`, return the texts of all rows as `ItemLists`.

        Parameters
        ----------
        values : sequence of length n
            Texts; lists of texts with `items`.

        Returns
        -------
        ndarray of shape (n,), object, or ItemLists of n rows
            Arrays of token ids, or the texts of each row.

        Raises
        ------
        ModalityError
            If a value is no text.
        """
        return self._tokenize(values) if self.items is None else super().prepare(values)

    def encode(self, values: Any) -> NDArray[np.int32]:
        """Return token ids, padded to the longest text of the batch.

        Parameters
        ----------
        values : sequence of length n
            Raw values, or rows of what `prepare` returned.

        Returns
        -------
        ndarray of shape (n, ..., n_tokens), int32
            Whole numbers of at least 0, or -1 throughout an absent text of a list. At most
            `max_length` tokens; axes for texts and windows are in front of them.
        """
        return self._encode_items(values) if self.items is None else super().encode(values)

    def content_digests(self, values: Any) -> list[bytes]:
        """Return a digest of the token ids of each text, or of those of a row.

        Parameters
        ----------
        values : array-like of length n
            What `prepare` returned.

        Returns
        -------
        list of n bytes
            SHA-256 digests.
        """
        return self._digest_items(values) if self.items is None else super().content_digests(values)

    def lengths(self, values: Any) -> NDArray[np.intp]:
        """Return the number of tokens of each text; with `items`, the number of texts.

        Parameters
        ----------
        values : array-like of length n
            What `prepare` returned.

        Returns
        -------
        ndarray of shape (n,), int
            Numbers of tokens, or of texts.
        """
        if self.items is not None:
            return np.asarray(values.counts, dtype=np.intp)
        return np.array([count_ids(row) for row in values], dtype=np.intp)

    def without_each_part(self, value: Any) -> tuple[list[str], list[Any]]:
        """Return the texts of a list, or the words of a text, and the value without each of them.

        A text of more than 64 words has 64 parts of neighbouring words.

        Parameters
        ----------
        value : str or list of str
            A text, or the texts of a row.

        Returns
        -------
        (list of str, list of str or list of list of str)
            The parts, and the value without each of them; both of the same length.
        """
        texts = [value] if isinstance(value, str) else list(value)
        if len(texts) > 1:
            return texts, [[*texts[:at], *texts[at + 1 :]] for at in range(len(texts))]
        words = "".join(texts).split()
        n_parts = max(1, min(_MOST_PARTS, len(words)))
        parts = [" ".join(part) for part in np.array_split(np.array(words, dtype=object), n_parts)]
        rest = [" ".join([*parts[:at], *parts[at + 1 :]]) for at in range(len(parts))]
        return parts, rest if isinstance(value, str) else [[text] for text in rest]

    def _tokenize(self, values: Any) -> NDArray[Any]:
        if is_tokenized(values):
            return as_object_array(values)
        texts = [self._read_text(value, row) for row, value in enumerate(values)]
        source = self._get_source()
        parts = source.tokenizer.split(texts, self._length_limit(source))
        if not self.windows:
            self._report_shortened(parts, source.tokenizer.n_special)
        return as_object_array([tuple(each) if self.windows else each[0] for each in parts])

    def _encode_items(self, items: Any) -> NDArray[np.int32]:
        padded = pad_ids(self._tokenize(items), self._get_source().tokenizer.pad_id)
        return padded if self.windows else padded[:, 0]

    def _digest_items(self, items: Any) -> list[bytes]:
        return [digest_ids(row) for row in self._tokenize(items)]

    def encoding_config(self) -> dict[str, Any]:
        """Return the id of padding; all else is part of the token ids or of the backbone.

        Returns
        -------
        dict of str to JSON value
            Part of the key of stored features.
        """
        return {"pad_id": self._get_source().tokenizer.pad_id}

    def input_description(self) -> dict[str, Any]:
        """Return what the ids are and how they are padded.

        Returns
        -------
        dict of str to JSON value
            The ``meaning`` of the numbers, ``pad_id`` and ``max_length``.
        """
        source = self._get_source()
        texts = "a text" if self.items is None else "several texts"
        parts = "parts, of at most max_length tokens, of " if self.windows else ""
        absent = "" if self.items is None else "; -1 throughout absent texts"
        return {
            "meaning": f"token ids of {parts}{texts}, padded with pad_id at the end{absent}",
            "pad_id": source.tokenizer.pad_id,
            "max_length": self._length_limit(source),
        }

    def companion_files(self) -> dict[str, bytes]:
        """Return the files of the tokenizer.

        Returns
        -------
        dict of str to bytes
            Contents by file name.
        """
        return self._get_source().tokenizer.files()

    def without_backbone(self) -> Self:
        """Return a copy with the tokenizer and without the network.

        Returns
        -------
        TextEncoder
            A copy that encodes texts in the same way.
        """
        small = copy.copy(self)
        source = self._get_source()
        small.backbone, small._backbone, small.tokenizer = "none", None, None
        small._list_backbone = None
        small._source = replace(source, config={}, weights=None)
        return small

    def _length_limit(self, source: TextSource) -> int:
        wanted = source.max_length if self.max_length is None else self.max_length
        if source.limit is not None and wanted > source.limit:
            msg = (
                f"The backbone of {self.name!r} takes texts of at most {source.limit} tokens. "
                f"Received max_length={wanted}. Pass windows=True to read longer texts in parts."
            )
            raise ModalityError(msg)
        return wanted

    def _read_text(self, value: Any, row: int) -> str:
        # A column of lists in a Parquet file becomes arrays.
        is_list = isinstance(value, list | tuple) or getattr(value, "ndim", 0) == 1
        if is_list and all(isinstance(item, str) for item in value):
            value = ", ".join(value)
        if isinstance(value, str):
            # No tokenizer takes half a surrogate pair.
            return value.encode(errors="replace").decode()
        msg = (
            f"Modality {self.name!r} expects a text, or a list of strings, in each row. Received "
            f"{value!r:.80} in row {row}. If the text is unknown, use None and pass optional=True "
            "to the encoder; leave unknown texts out of lists."
        )
        raise ModalityError(msg, row=row)

    def _report_shortened(
        self, parts: Sequence[Sequence[NDArray[np.int32]]], n_special: int
    ) -> None:
        """Warn of texts that were shortened, unless as many were reported before."""
        shortened = [each for each in parts if len(each) > 1]
        if len(shortened) <= self._n_reported:
            return
        self._n_reported = len(shortened)
        longest = max(sum(len(ids) - n_special for ids in each) for each in shortened) + n_special
        limit = self._length_limit(self._get_source())
        warn(
            f"{len(shortened)} of {counted(len(parts), 'text')} in {self.name!r} exceed {limit} "
            f"tokens (the longest has {longest}), and the rest of each is left out. Pass "
            "windows=True to read all of it, or a larger max_length if the model can take it."
        )
