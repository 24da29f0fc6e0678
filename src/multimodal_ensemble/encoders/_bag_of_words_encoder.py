"""Tags or words as a bag."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Self

import keras
import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.preprocessing import normalize

from multimodal_ensemble._keras import PACKAGE
from multimodal_ensemble._validation import check_at_least
from multimodal_ensemble.encoders._dense_head import DenseHead
from multimodal_ensemble.encoders._encoder import Encoder
from multimodal_ensemble.encoders._words import compose, find_words, fold
from multimodal_ensemble.exceptions import ModalityError


@keras.saving.register_keras_serializable(package=PACKAGE)
class BagOfWordsEncoder(Encoder):
    """A bag of the most frequent tags or words, through one dense layer.

    A row that holds no token of the vocabulary becomes a row of zeros. Tokens are compared in
    Unicode's normal form C, so "é" as one character and as "e" with an accent are equal; upper and
    lower case differ unless a tokenizer removes the difference.

    Parameters
    ----------
    name : str
        Name of the modality and of the Keras input.
    column : str, optional
        The column of token lists, delimited strings or texts. Default: `name`.
    max_tokens : int, default=400
        Maximum size of the vocabulary.
    min_count : int, default=1
        Minimum number of occurrences of a token in the training rows.
    binary : bool, default=True
        Whether a token counts once per row, however often the row holds it.
    tfidf : bool, default=False
        Whether a token that df of n training rows hold has the weight
        ``ln((1 + n) / (1 + df)) + 1``, and each row is scaled to length 1, as in
        `sklearn.feature_extraction.text.TfidfTransformer`.
    delimiter : str, optional
        Splits values that are strings, for example ``"|"``. Spaces around tokens are removed.
    tokenizer : {"words"} or callable, optional
        Splits values that are free text. ``"words"`` takes runs of letters with their marks,
        digits and underscores, in Unicode's normal form KC and without differences of case:
        "Straße" becomes "strasse", and "İ" becomes "i". A callable maps a string in normal form C
        to tokens; to save the encoder, register it with
        `keras.saving.register_keras_serializable`.
    drop : sequence of str, default=()
        Tokens to leave out, for example tags that name a label, in any normal form.
    head : callable, optional
        The trainable layers; see `Encoder`. Default: ``DenseHead(input_dropout="auto")``.
    optional : bool, default=False
        Whether rows may lack this modality; see `Encoder`. An empty list is not missing: it means
        that the row has no tags.

    Attributes
    ----------
    vocabulary_ : list of str
        The tokens, from the most to the least frequent in the training rows; tokens of equal
        frequency are in alphabetical order.
    idf_ : ndarray of shape (n_tokens,)
        Weight of each token; only with ``tfidf=True``.

    Raises
    ------
    ValueError
        If an option is out of range.

    Examples
    --------
    >>> from multimodal_ensemble import BagOfWordsEncoder
    >>> encoder = BagOfWordsEncoder("tags", max_tokens=2)
    >>> encoder = encoder.fit([["space", "war"], ["war", "love"], ["love", "war"]])
    >>> encoder.vocabulary_
    ['war', 'love']
    >>> encoder.encode([["war", "unheard of"], []]).tolist()
    [[1.0, 0.0], [0.0, 0.0]]
    """

    def __init__(
        self,
        name: str,
        *,
        column: str | None = None,
        max_tokens: int = 400,
        min_count: int = 1,
        binary: bool = True,
        tfidf: bool = False,
        delimiter: str | None = None,
        tokenizer: str | Callable[[str], Iterable[str]] | None = None,
        drop: Sequence[str] = (),
        head: Callable[[tuple[int, ...]], keras.Layer] | None = None,
        optional: bool = False,
    ) -> None:
        head = DenseHead(input_dropout="auto") if head is None else head
        super().__init__(name, column=column, head=head, optional=optional)
        check_at_least(max_tokens, 1, name="max_tokens")
        check_at_least(min_count, 1, name="min_count")
        if isinstance(drop, str) or not all(isinstance(token, str) for token in drop):
            msg = f"drop must be a sequence of tokens, which are strings. Received drop={drop!r}."
            raise ValueError(msg)
        if delimiter is not None and tokenizer is not None:
            msg = "Pass delimiter= (for delimited strings) or tokenizer= (for text), not both."
            raise ValueError(msg)
        if delimiter is not None and (not isinstance(delimiter, str) or not delimiter):
            msg = f"delimiter must be a string that is not empty. Received delimiter={delimiter!r}."
            raise ValueError(msg)
        if tokenizer is not None and tokenizer != "words" and not callable(tokenizer):
            msg = f"tokenizer must be 'words' or a callable. Received tokenizer={tokenizer!r}."
            raise ValueError(msg)
        self.max_tokens = max_tokens
        self.min_count = min_count
        self.binary = binary
        self.tfidf = tfidf
        self.delimiter = delimiter
        self.tokenizer = tokenizer
        self.drop = drop

    def fit(self, values: Any) -> Self:
        """Choose the vocabulary from the training rows: lists of tokens, or strings.

        Raises
        ------
        ModalityError
            If a row is no list of tokens, or no token is left to use.
        """
        rows = [self._tokenize(value, row) for row, value in enumerate(values)]
        counts = Counter(token for tokens in rows for token in tokens)
        dropped = {compose(token) for token in self.drop}
        if self.tokenizer == "words":
            dropped |= {fold(token) for token in self.drop}
        kept = {token for token in counts.keys() - dropped if counts[token] >= self.min_count}
        ranked = sorted(kept, key=lambda token: (-counts[token], token))
        if not ranked:
            msg = (
                f"Modality {self.name!r} has no token left. The {len(rows)} training rows hold "
                f"{len(counts)} distinct tokens; all of them are in drop= or occur less than "
                f"min_count={self.min_count} times."
            )
            raise ModalityError(msg)
        self.vocabulary_ = ranked[: self.max_tokens]
        if self.tfidf:
            document_frequency = (self._count(rows) > 0).sum(axis=0)
            self.idf_ = np.log((1 + len(rows)) / (1 + np.asarray(document_frequency).ravel())) + 1
        return self

    @property
    def input_shape(self) -> tuple[int]:
        """Size of the vocabulary."""
        return (len(self._learned("vocabulary_")),)

    def prepare(self, values: Any) -> Any:
        """Return the bags as a sparse matrix of shape (n, n_tokens), float32."""
        rows = [self._tokenize(value, row) for row, value in enumerate(values)]
        bags = self._count(rows)
        if self.tfidf:
            bags = normalize(bags.multiply(self.idf_[np.newaxis]).tocsr())
        return bags.astype(np.float32)

    def encode(self, values: Any) -> NDArray[np.float32]:
        """Return the bags as a dense float32 array: 0 or 1, counts, or tf-idf weights."""
        bags = values if hasattr(values, "toarray") else self.prepare(values)
        dense: NDArray[np.float32] = bags.toarray()
        return dense

    def _tokenize(self, value: Any, row: int) -> list[str]:
        if isinstance(value, str) and self.delimiter is not None:
            parts = compose(value).split(compose(self.delimiter))
            return [part.strip() for part in parts if part.strip()]
        if isinstance(value, str) and self.tokenizer is None:
            delimiter = next((each for each in "|;," if each in value), "|")
            msg = (
                f"Modality {self.name!r} expects lists of tokens. Received the string "
                f"{value[:80]!r} in row {row}. Pass delimiter={delimiter!r} for delimited strings "
                "or tokenizer='words' for free text."
            )
            raise ModalityError(msg, row=row)
        tokens = self._split(value)
        if not all(isinstance(token, str) for token in tokens):
            msg = (
                f"Modality {self.name!r} expects a list of strings in each row. Received "
                f"{repr(value)[:80]} in row {row}. Use an empty list for a row without tokens. "
                "If the tokens are unknown, use None and pass optional=True to the encoder."
            )
            raise ModalityError(msg, row=row)
        return [compose(token) for token in tokens]

    def _split(self, value: Any) -> list[Any]:
        if isinstance(value, str):
            tokenize = self.tokenizer if callable(self.tokenizer) else find_words
            return list(tokenize(compose(value)))
        try:
            # The keys of a mapping are not its tokens, and an iterator is empty after one pass.
            return [value] if isinstance(value, Iterator | Mapping) else list(value)
        except TypeError:
            return [value]

    def _count(self, rows: Sequence[Sequence[str]]) -> Any:
        vocabulary = self._learned("vocabulary_")
        counter = CountVectorizer(analyzer=list, vocabulary=vocabulary, binary=self.binary)
        return counter.transform(rows)
