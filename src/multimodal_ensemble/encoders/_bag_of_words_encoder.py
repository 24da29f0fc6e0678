"""Tags or words as a bag."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self

import keras
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from sklearn.preprocessing import normalize

from multimodal_ensemble._keras import PACKAGE
from multimodal_ensemble._validation import check_at_least, check_choice
from multimodal_ensemble.encoders._dense_head import DenseHead
from multimodal_ensemble.encoders._token_encoder import TokenEncoder
from multimodal_ensemble.encoders._token_vectors import inverse_frequencies, less_centre


@keras.saving.register_keras_serializable(package=PACKAGE)
class BagOfWordsEncoder(TokenEncoder):
    """A bag of the most frequent tags or words, through one dense layer.

    By default, the tokens of a row of tags are the whole tags and the words in them, and they are
    weighted by tf-idf. A row that holds no token of the vocabulary becomes a row of zeros. Rows
    stay sparse until a batch of them is encoded.

    Tokens are compared in Unicode's normal form C, so "é" as one character and as "e" with an
    accent are equal; upper and lower case of tags differ unless `lowercase` is True.

    Parameters
    ----------
    name : str
        Name of the modality and of the Keras input.
    column : str, optional
        The column of token lists, mappings of tokens to counts, delimited strings or texts, such
        as ``["space", "war"]`` or ``{"space": 3, "war": 1}``. Default: `name`.
    max_tokens : int or None, default=20000
        Maximum size of the vocabulary. None is no limit.
    min_df : int or float, default=1
        Minimum number of training rows that hold a token, or a float from 0.0 to 1.0, which is a
        share of the training rows.
    words : bool, default=True
        Whether the words in a tag are tokens as well: the tag "space opera" results in the tokens
        "space opera", "word:space" and "word:opera". Words are found as with
        ``tokenizer="words"``. A word that only one tag of the training rows contains is left out,
        because it repeats that tag. This option does not change texts.
    ngram_range : tuple of int, default=(1, 1)
        The shortest and the longest sequence of words of a text that is a token: ``(1, 2)`` is
        words and pairs of neighbouring words, joined by a space. Only for texts, that is, with
        ``tokenizer="words"`` or a callable.
    binary : bool, default=False
        Whether a token counts once per row, however often the row holds it.
    sublinear_tf : bool, default=True
        Whether a token that a row holds n times counts ``1 + ln(n)``.
    tfidf : bool, default=True
        Whether a token that df of n training rows hold has the weight
        ``ln((1 + n) / (1 + df)) + 1``, and each row is scaled to length 1, as in
        `sklearn.feature_extraction.text.TfidfTransformer`.
    lowercase : bool, default=False
        Whether tags, and the tokens of a callable tokenizer, are compared without differences of
        case, in the form of ``tokenizer="words"``.
    delimiter : str, optional
        Splits values that are strings, for example ``"|"``. Spaces around tokens are removed.
    tokenizer : {"words", "list", "hashtags"} or callable, optional
        Splits values that are free text. ``"words"`` takes runs of letters with their marks,
        digits and underscores, in Unicode's normal form KC and without differences of case:
        "Straße" becomes "strasse", and "İ" becomes "i". A callable maps a string in normal form C
        to tokens; to save the encoder, register it with
        `keras.saving.register_keras_serializable`. Two others find tags in strings: ``"list"``
        reads lists as text, such as ``'["space", "war"]'`` of JSON or ``"['space', 'war']"`` of
        Python, and ``"hashtags"`` takes "space" and "war" of "#space #war".
    drop : sequence of str, default=()
        Tokens to leave out, for example tags that name a label, in any normal form. The words of a
        tag that is left out are left out with it. The same word in other tags is a token of its
        own, such as "word:drama".
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
    >>> tags = [["space opera", "war"], ["space", "war"], ["love", "war"]]
    >>> encoder = BagOfWordsEncoder("tags", tfidf=False).fit(tags)
    >>> encoder.vocabulary_
    ['war', 'word:space', 'love', 'space', 'space opera']
    >>> encoder.encode([["love", "unheard of"], []]).tolist()
    [[0.0, 0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0]]
    """

    values_are_tokens = True

    def __init__(
        self,
        name: str,
        *,
        column: str | None = None,
        max_tokens: int | None = 20_000,
        min_df: float = 1,
        words: bool = True,
        ngram_range: tuple[int, int] = (1, 1),
        binary: bool = False,
        sublinear_tf: bool = True,
        tfidf: bool = True,
        lowercase: bool = False,
        delimiter: str | None = None,
        tokenizer: str | Callable[[str], Iterable[str]] | None = None,
        drop: Sequence[str] = (),
        head: Callable[[tuple[int, ...]], keras.Layer] | None = None,
        optional: bool = False,
    ) -> None:
        super().__init__(
            name,
            column=column,
            min_df=min_df,
            words=words,
            lowercase=lowercase,
            delimiter=delimiter,
            tokenizer=tokenizer,
            drop=drop,
            head=DenseHead(input_dropout="auto") if head is None else head,
            optional=optional,
        )
        if max_tokens is not None:
            check_at_least(max_tokens, 1, name="max_tokens")
        _check_ngram_range(ngram_range, reads_texts=self._reads_texts)
        check_choice(binary, (True, False), name="binary")
        check_choice(sublinear_tf, (True, False), name="sublinear_tf")
        check_choice(tfidf, (True, False), name="tfidf")
        self.max_tokens = max_tokens
        self.ngram_range = ngram_range
        self.binary = binary
        self.sublinear_tf = sublinear_tf
        self.tfidf = tfidf

    def fit(self, values: Any) -> Self:
        """Choose the vocabulary from the training rows: lists of tokens, or strings.

        Parameters
        ----------
        values : sequence of length n
            Of the training rows: lists of tokens, or strings where the encoder splits them.

        Returns
        -------
        BagOfWordsEncoder
            The encoder itself.

        Raises
        ------
        ModalityError
            If a row is no list of tokens, or no token is left to use.
        """
        vocabulary, counts = self._learn_tokens(self._read_rows(values))
        self.vocabulary_ = vocabulary[: self.max_tokens]
        if self.tfidf:
            self.idf_ = inverse_frequencies(counts[:, : self.max_tokens])
        return self

    @property
    def input_shape(self) -> tuple[int]:
        """Size of the vocabulary."""
        return (len(self._learned("vocabulary_")),)

    def prepare(self, values: Any) -> csr_matrix:
        """Return the bags as a sparse matrix of shape (n, n_tokens), float32.

        Parameters
        ----------
        values : sequence of length n
            Lists of tokens, or strings where the encoder splits them.

        Returns
        -------
        scipy.sparse.csr_matrix of shape (n, n_tokens), float32
            One row per bag, one column per token of the vocabulary.
        """
        bags = self._count_tokens(values)
        if self.binary:
            bags.data[:] = 1
        elif self.sublinear_tf:
            bags.data = 1 + np.log(bags.data)
        if self.tfidf:
            bags.data *= self._learned("idf_")[bags.indices]
            normalize(bags, copy=False)
        return bags.astype(np.float32)

    def encode(self, values: Any) -> NDArray[np.float32]:
        """Return the bags as a dense float32 array: 0 or 1, counts, or tf-idf weights.

        Parameters
        ----------
        values : sequence of length n
            Raw values, or rows of what `prepare` returned.

        Returns
        -------
        ndarray of shape (n, n_tokens), float32
            0 or 1 with `binary`; otherwise counts, or their logarithms plus 1 with `sublinear_tf`.
            With `tfidf`, weights of at least 0 whose squares add up to 1.
        """
        bags = values if hasattr(values, "toarray") else self.prepare(values)
        dense: NDArray[np.float32] = bags.toarray()
        return dense

    def additive_parts(
        self, values: Any, centre: NDArray[np.float64]
    ) -> list[tuple[list[str], NDArray[np.float64]]]:
        """Return the tags or words of each row, and what each adds to the bag.

        Tags that share a word, or are equal in lower case, share its weight by their counts.

        Parameters
        ----------
        values : sequence of length n
            Lists of tokens, or strings where the encoder splits them.
        centre : ndarray of shape (n_features,)
            What is subtracted from encoded rows, such as their mean. It is divided among the parts.

        Returns
        -------
        list of n (list of str, ndarray of shape (n_parts, n_features))
            Tags or words, and vectors that add up to the bag less the centre.
        """
        bags = self.prepare(values).astype(np.float64)
        return [
            (names, less_centre(shares.multiply(bags[row]).toarray(), centre))
            for row, (names, shares) in enumerate(self._token_shares(values))
        ]


def _check_ngram_range(ngram_range: Any, *, reads_texts: bool) -> None:
    is_pair = isinstance(ngram_range, list | tuple) and len(ngram_range) == 2
    if not is_pair:
        msg = (
            "ngram_range must be a pair of whole numbers, the shortest and the longest n-gram. "
            f"Received ngram_range={ngram_range!r}."
        )
        raise ValueError(msg)
    shortest, longest = ngram_range
    check_at_least(shortest, 1, name="ngram_range[0]")
    check_at_least(longest, shortest, name="ngram_range[1]")
    if longest > 1 and not reads_texts:
        msg = (
            f"ngram_range={tuple(ngram_range)!r} joins neighbouring words of texts. Pass "
            "tokenizer='words' for texts, or leave ngram_range out."
        )
        raise ValueError(msg)
