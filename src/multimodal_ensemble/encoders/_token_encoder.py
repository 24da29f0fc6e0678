"""What the encoders of tags and words share: from raw values to counts of tokens."""

from __future__ import annotations

import functools
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from numbers import Integral, Real
from typing import Any

import keras
import numpy as np
from scipy.sparse import csr_matrix

from multimodal_ensemble._validation import check_choice
from multimodal_ensemble.encoders._encoder import Encoder
from multimodal_ensemble.encoders._split_tags import split_tags
from multimodal_ensemble.encoders._words import compose, find_words, fold
from multimodal_ensemble.exceptions import ModalityError

# A word of a tag is another token than the tag of one word: "space" says more than "space opera".
_WORD_PREFIX = "word:"

_Counts = Mapping[str, int]


class TokenEncoder(Encoder):
    """An encoder of lists of tags, delimited strings or texts that learns a vocabulary."""

    zeros_are_empty = True
    values_are_scaled = True
    part_kind = "token"
    # The value of a subclass whose constructor has no such argument.
    ngram_range: tuple[int, int] = (1, 1)
    reads_missing = True

    def __init__(
        self,
        name: str,
        *,
        column: str | None,
        min_df: float,
        words: bool,
        lowercase: bool,
        delimiter: str | None,
        tokenizer: str | Callable[[str], Iterable[str]] | None,
        drop: Sequence[str],
        head: Callable[[tuple[int, ...]], keras.Layer] | None,
        optional: bool,
    ) -> None:
        super().__init__(name, column=column, head=head, optional=optional)
        _check_min_df(min_df)
        check_choice(words, (True, False), name="words")
        check_choice(lowercase, (True, False), name="lowercase")
        if isinstance(drop, str) or not all(isinstance(token, str) for token in drop):
            msg = f"drop must be a sequence of tokens, which are strings. Received drop={drop!r}."
            raise ValueError(msg)
        if delimiter is not None and tokenizer is not None:
            msg = "Pass delimiter= (for delimited strings) or tokenizer= (for text), not both."
            raise ValueError(msg)
        if delimiter is not None and (not isinstance(delimiter, str) or not delimiter):
            msg = f"delimiter must be a string that is not empty. Received delimiter={delimiter!r}."
            raise ValueError(msg)
        if tokenizer not in (None, "words", "list", "hashtags") and not callable(tokenizer):
            msg = (
                "tokenizer must be 'words', 'list', 'hashtags' or a callable. Received "
                f"tokenizer={tokenizer!r}."
            )
            raise ValueError(msg)
        self.min_df = min_df
        self.words = words
        self.lowercase = lowercase
        self.delimiter = delimiter
        self.tokenizer = tokenizer
        self.drop = drop

    def _learn_tokens(self, rows: Iterable[_Counts]) -> tuple[list[str], csr_matrix]:
        """Return the tokens in enough rows, and how often each row holds them.

        The most frequent token is the first; tokens of equal frequency are in alphabetical order.

        Parameters
        ----------
        rows : iterable of length n
            What `_read_rows` yields.

        Returns
        -------
        vocabulary : list of str
            The tokens.
        counts : sparse matrix of shape (n, n_tokens)
            One column per token, float64.

        Raises
        ------
        ModalityError
            If there is no token.
        """
        columns: dict[str, int] = {}
        counts = _count(rows, columns, grow=True)
        n_rows_with = np.bincount(counts.indices, minlength=len(columns))
        if self.words:
            n_rows_with[[columns[token] for token in _words_of_one_tag(columns)]] = 0
        min_df: Any = self.min_df
        # 0.07 * 100 is more than 7.
        share = min_df * counts.shape[0] * (1 - 1e-12)
        least = min_df if isinstance(min_df, Integral) else share
        is_kept = np.asarray(n_rows_with >= max(least, 1))
        frequency = np.asarray(counts.sum(axis=0)).ravel()
        kept = [token for token, column in columns.items() if is_kept[column]]
        if not kept:
            msg = (
                f"Modality {self.name!r} has no token left. The {counts.shape[0]} training rows "
                f"hold {len(columns)} distinct tokens that are not in drop=; each of these is in "
                f"fewer rows than min_df={self.min_df!r} requires."
            )
            raise ModalityError(msg)
        vocabulary = sorted(kept, key=lambda token: (-frequency[columns[token]], token))
        return vocabulary, counts[:, [columns[token] for token in vocabulary]]

    def _count_tokens(self, values: Any) -> csr_matrix:
        """Return the counts of the vocabulary's tokens, float64 of shape (n, n_tokens)."""
        columns = {token: column for column, token in enumerate(self._learned("vocabulary_"))}
        return _count(self._read_rows(values), columns)

    def _read_rows(self, values: Any) -> Iterator[_Counts]:
        """Yield how often each row holds each token.

        Raises
        ------
        ModalityError
            If a row is no list of tokens.
        """
        dropped = self._dropped_tokens()
        # Most tags occur in many rows.
        expand = functools.cache(functools.partial(self._expand_tag, dropped=dropped))
        for row, value in enumerate(values):
            if isinstance(value, str) and self._reads_texts:
                yield Counter(self._split_text(value, row, dropped))
                continue
            counts: Counter[str] = Counter()
            for tag, count in self._count_tags(value, row).items():
                for token in expand(tag):
                    counts[token] += count
            yield counts

    def _token_shares(self, values: Any) -> Iterator[tuple[list[str], csr_matrix]]:
        """Yield, for each row, its tags and how much of each token's count is due to each of them.

        In a text, the tokens are their own names. Only names with a known token are listed. The
        shares of a token that the row holds add up to 1.
        """
        columns = {token: column for column, token in enumerate(self._learned("vocabulary_"))}
        dropped = self._dropped_tokens()
        for row, value in enumerate(values):
            if isinstance(value, str) and self._reads_texts:
                by_name = {token: [token] for token in self._split_text(value, row, dropped)}
                counts: _Counts = dict.fromkeys(by_name, 1)
            else:
                counts = self._count_tags(value, row)
                by_name = {tag: self._expand_tag(tag, dropped=dropped) for tag in counts}
            known = {
                name: [columns[token] for token in tokens if token in columns]
                for name, tokens in by_name.items()
            }
            names = [name for name, found in known.items() if found]
            places = [
                (number, column, counts[name])
                for number, name in enumerate(names)
                for column in known[name]
            ]
            rows, places_of, data = np.array(places, dtype=np.float64).reshape(-1, 3).T
            index = (rows.astype(int), places_of.astype(int))
            shares = csr_matrix((data, index), shape=(len(names), len(columns)))
            totals = np.asarray(shares.sum(axis=0)).ravel()
            shares.data /= totals[shares.indices]
            yield names, shares

    @property
    def _reads_texts(self) -> bool:
        """Whether strings are texts of words, and no lists of tags."""
        return self.tokenizer == "words" or callable(self.tokenizer)

    def _dropped_tokens(self) -> set[str]:
        """Return the tokens that are left out, in the forms in which they may occur."""
        dropped = {compose(token) for token in self.drop}
        if self.lowercase or self.tokenizer == "words":
            dropped |= {fold(token) for token in self.drop}
        return dropped

    def _normalize(self, token: str) -> str:
        return fold(token) if self.lowercase else compose(token)

    def _expand_tag(self, tag: str, *, dropped: set[str]) -> list[str]:
        """Return the tokens of a tag: itself and its words, or nothing if it is dropped."""
        tag = self._normalize(tag)
        words = [_WORD_PREFIX + word for word in find_words(tag)] if self.words else []
        return [] if tag in dropped else [tag, *(word for word in words if word not in dropped)]

    def _split_text(self, text: str, row: int, dropped: set[str]) -> Iterator[str]:
        """Return the n-grams of the words that are not dropped."""
        tokenize = self.tokenizer if callable(self.tokenizer) else find_words
        words = list(tokenize(compose(text)))
        self._check_strings(words, text, row)
        words = [word for word in map(self._normalize, words) if word not in dropped]
        shortest, longest = self.ngram_range
        for length in range(shortest, longest + 1):
            for start in range(len(words) - length + 1):
                ngram = " ".join(words[start : start + length])
                if ngram not in dropped:
                    yield ngram

    def _count_tags(self, value: Any, row: int) -> _Counts:
        """Return how often a row holds each tag, as it was given."""
        if isinstance(value, str):
            delimiter, tokenizer = self.delimiter, self.tokenizer
            return Counter(split_tags(value, row, self.name, delimiter, tokenizer))
        if isinstance(value, Mapping):
            self._check_strings(list(value), value, row)
            if not all(map(is_count, value.values())):
                msg = (
                    f"Modality {self.name!r} expects whole numbers of at least 0 as the counts of "
                    f"tokens. Received {repr(value)[:80]} in row {row}."
                )
                raise ModalityError(msg, row=row)
            return {tag: int(count) for tag, count in value.items() if count}
        try:
            # An iterator is empty after one pass.
            tags: list[Any] = [value] if isinstance(value, Iterator) else list(value)
        except TypeError:
            tags = [value]
        self._check_strings(tags, value, row)
        return Counter(tags)

    def _check_strings(self, tokens: Sequence[Any], value: Any, row: int) -> None:
        if all(isinstance(token, str) for token in tokens):
            return
        msg = (
            f"Modality {self.name!r} expects a list of strings in each row. Received "
            f"{repr(value)[:80]} in row {row}. Use an empty list for a row without tokens. "
            "If the tokens are unknown, use None and pass optional=True to the encoder."
        )
        raise ModalityError(msg, row=row)


def _count(rows: Iterable[_Counts], columns: dict[str, int], *, grow: bool = False) -> csr_matrix:
    """Return counts of tokens by column; `grow` gives a new token the next column."""
    indices, data, ends = array("i"), array("d"), array("q", [0])
    for counts in rows:
        for token, count in counts.items():
            column = columns.setdefault(token, len(columns)) if grow else columns.get(token)
            if column is not None:
                indices.append(column)
                data.append(count)
        ends.append(len(indices))
    shape = (len(ends) - 1, len(columns))
    matrix = csr_matrix((np.array(data), np.array(indices), np.array(ends)), shape=shape)
    matrix.sort_indices()
    return matrix


def _words_of_one_tag(tokens: Iterable[str]) -> list[str]:
    """Return the tokens of words that only one tag contains, so that they repeat that tag."""
    tags = [token for token in tokens if not token.startswith(_WORD_PREFIX)]
    n_tags_with = Counter(_WORD_PREFIX + word for tag in tags for word in set(find_words(tag)))
    return [token for token in tokens if n_tags_with[token] == 1]


def is_count(value: Any) -> bool:
    """Return whether a value is a whole number of at least 0."""
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    return is_number and value >= 0 and float(value).is_integer()


def _check_min_df(min_df: Any) -> None:
    if isinstance(min_df, bool) or not isinstance(min_df, Real):
        is_valid = False
    elif isinstance(min_df, Integral):
        is_valid = int(min_df) >= 1
    else:
        is_valid = 0 <= float(min_df) <= 1
    if not is_valid:
        msg = (
            "min_df must be a whole number of rows of at least 1, or a share of the rows from 0.0 "
            f"to 1.0. Received min_df={min_df!r}."
        )
        raise ValueError(msg)
