"""Tags or words as the mean of vectors that were learned without labels."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Self

import keras
import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import normalize
from sklearn.utils.metadata_routing import UNUSED

from multimodal_ensemble._keras import PACKAGE
from multimodal_ensemble._validation import check_at_least
from multimodal_ensemble.encoders._dense_head import DenseHead
from multimodal_ensemble.encoders._token_encoder import TokenEncoder
from multimodal_ensemble.encoders._token_vectors import (
    factorize,
    inverse_frequencies,
    less_centre,
    positive_pmi,
)
from multimodal_ensemble.exceptions import ModalityError


@keras.saving.register_keras_serializable(package=PACKAGE)
class TagEmbeddingEncoder(TokenEncoder):
    """Tags or words as the mean of vectors that are similar where tokens occur together.

    The vectors are learned from the rows alone, without labels, so that rows without labels
    improve them: pass these to `fit_encoders` as `unlabelled`. Two tags that never occur in the
    same row, such as "space opera" and "starship", become similar if they share other tags.

    The vectors factorise the positive pointwise mutual information of two tokens in one row, whose
    context distribution is smoothed with the exponent 0.75 [1]_. Its truncated singular value
    decomposition U S V' results in the vectors U sqrt(S), scaled to length 1. A row becomes the
    mean of its tokens' vectors, weighted by ``ln((1 + n) / (1 + df)) + 1`` for a token that df of
    n rows hold, and scaled to length 1. A token counts once per row. A row without a known token
    becomes zeros, and so does one whose tokens never occurred together with another token.

    Parameters
    ----------
    name : str
        Name of the modality and of the Keras input.
    column : str, optional
        The column of token lists, mappings of tokens to counts, delimited strings or texts.
        Default: `name`.
    dim : int, default=300
        Size of the vectors. It is smaller where the rows hold fewer tokens, or tokens of fewer
        independent contexts.
    min_df : int or float, default=1
        Minimum number of rows that hold a token, or a float from 0.0 to 1.0, which is a share of
        the rows. Tokens of a single row are useful: the vector of such a token is similar to those
        of the tokens beside it.
    words : bool, default=True
        Whether the words in a tag are tokens as well; see `BagOfWordsEncoder`.
    lowercase : bool, default=False
        Whether tags are compared without differences of case; see `BagOfWordsEncoder`.
    delimiter : str, optional
        Splits values that are strings, for example ``"|"``. Spaces around tokens are removed.
    tokenizer : {"words", "list", "hashtags"} or callable, optional
        Splits values that are free text, lists as text, or strings of hash-tags; see
        `BagOfWordsEncoder`.
    drop : sequence of str, default=()
        Tokens to leave out; see `BagOfWordsEncoder`.
    head : callable, optional
        The trainable layers; see `Encoder`. Default: ``DenseHead(scaling="standard")``.
    optional : bool, default=False
        Whether rows may lack this modality; see `Encoder`. An empty list is not missing: it means
        that the row has no tags.

    Attributes
    ----------
    vocabulary_ : list of str
        The tokens, from the most to the least frequent; tokens of equal frequency are in
        alphabetical order.
    idf_ : ndarray of shape (n_tokens,)
        Weight of each token.
    token_vectors_ : ndarray of shape (n_tokens, n_dimensions)
        Vector of each token, float32.

    Raises
    ------
    ValueError
        If an option is out of range.

    References
    ----------
    .. [1] Levy, Goldberg and Dagan, "Improving Distributional Similarity with Lessons Learned from
       Word Embeddings", Transactions of the ACL 3, 2015.

    Examples
    --------
    >>> from multimodal_ensemble import TagEmbeddingEncoder
    >>> tags = [["space", "war"], ["space", "robot"], ["love", "paris"], ["love", "rain"]]
    >>> encoder = TagEmbeddingEncoder("tags", dim=4).fit(tags)
    >>> war, robot, rain = encoder.encode([["war"], ["robot"], ["rain"]])
    >>> bool(war @ robot > 0.9), bool(abs(war @ rain) < 0.1)
    (True, True)
    """

    uses_unlabelled = True
    __metadata_request__fit: ClassVar = {"values": UNUSED, "unlabelled": UNUSED}

    def __init__(
        self,
        name: str,
        *,
        column: str | None = None,
        dim: int = 300,
        min_df: float = 1,
        words: bool = True,
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
            head=DenseHead(scaling="standard") if head is None else head,
            optional=optional,
        )
        check_at_least(dim, 1, name="dim")
        self.dim = dim

    def fit(self, values: Any, unlabelled: Any = None) -> Self:
        """Learn the vectors from the rows that may be used: training rows and unlabelled ones.

        Parameters
        ----------
        values : sequence
            Raw values of the training rows.
        unlabelled : sequence, optional
            Raw values of further rows, and of no test rows.

        Returns
        -------
        TagEmbeddingEncoder
            The encoder itself.

        Raises
        ------
        ModalityError
            If a row is no list of tokens, or no token is left to use.
        """
        rows = itertools.chain(self._read_rows(values), self._read_unlabelled(unlabelled))
        self.vocabulary_, bags = self._learn_tokens(rows)
        bags.data[:] = 1
        self.idf_ = inverse_frequencies(bags)
        self.token_vectors_ = factorize(positive_pmi(bags), self.dim)
        return self

    @property
    def input_shape(self) -> tuple[int]:
        """Size of the vectors."""
        return (self._learned("token_vectors_").shape[1],)

    def prepare(self, values: Any) -> NDArray[np.float32]:
        """Return the weighted means as one float32 array of shape (n, n_dimensions).

        Parameters
        ----------
        values : sequence of length n
            Lists of tokens, or strings where the encoder splits them.

        Returns
        -------
        ndarray of shape (n, n_dimensions), float32
            One vector per row, zeros for a row without a known token.
        """
        if isinstance(values, np.ndarray) and values.dtype == np.float32:
            if values.shape[1:] == self.input_shape:
                return values
        weights = self._count_tokens(values)
        weights.data = self._learned("idf_")[weights.indices]
        # As wide as the vectors, because the product of two types makes a copy of the wider one.
        sums = weights.astype(np.float32) @ self._learned("token_vectors_")
        rows: NDArray[np.float32] = normalize(sums, copy=False)
        return rows

    def encode(self, values: Any) -> NDArray[np.float32]:
        """Return the weighted means of the tokens' vectors as a float32 array.

        Parameters
        ----------
        values : sequence of length n
            Raw values, or rows of what `prepare` returned.

        Returns
        -------
        ndarray of shape (n, n_dimensions), float32
            What `prepare` returns.
        """
        return self.prepare(values)

    def additive_parts(
        self, values: Any, centre: NDArray[np.float64]
    ) -> list[tuple[list[str], NDArray[np.float64]]]:
        """Return the tags or words of each row, and what each adds to the mean of the vectors.

        Parameters
        ----------
        values : sequence of length n
            Lists of tokens, or strings where the encoder splits them.
        centre : ndarray of shape (n_features,)
            What is subtracted from encoded rows, such as their mean. It is divided among the parts.

        Returns
        -------
        list of n (list of str, ndarray of shape (n_parts, n_features))
            Tags or words, and vectors that add up to the mean less the centre.
        """
        idf = self._learned("idf_")
        parts = []
        for names, shares in self._token_shares(values):
            shares.data *= idf[shares.indices]
            vectors = shares @ self.token_vectors_.astype(np.float64)
            # As in `prepare`, where a sum of rounding errors alone stays as it is.
            sums = vectors.sum(axis=0, keepdims=True, dtype=np.float32)
            _, lengths = normalize(sums, return_norm=True)
            parts.append((names, less_centre(vectors / lengths, centre)))
        return parts

    def _read_unlabelled(self, values: Any) -> Iterator[Mapping[str, int]]:
        try:
            yield from self._read_rows(() if values is None else values)
        except ModalityError as error:
            msg = f"Among the unlabelled rows that have this modality: {error}"
            raise ModalityError(msg) from error
