"""`BagOfWordsEncoder` compared with scikit-learn's vectorizers on the same tokens."""

import math
import re
import unicodedata
from collections import Counter

import keras
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
from hypothesis import given, settings, strategies as st
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

from multimodal_ensemble import BagOfWordsEncoder
from multimodal_ensemble.exceptions import ModalityError

ROWS = [
    ["war", "space", "war"],
    ["love"],
    [],
    ["space", "war", "robot"],
    ["love", "love", "love", "war"],
    ["Space", "noir"],
]
FORMS = ("NFC", "NFD", "NFKC", "NFKD")
texts = st.text(max_size=12)
tokens = st.text(min_size=1, max_size=6).map(lambda text: unicodedata.normalize("NFC", text))
token_rows = st.lists(st.lists(tokens, max_size=6), min_size=1, max_size=8)


def identity(row):
    return row


@keras.saving.register_keras_serializable(package="test_bag_of_words_encoder")
def split_on_plus(text):
    return text.split("+")


@pytest.mark.parametrize("binary", [True, False])
def test_bag_equals_count_vectorizer(binary):
    encoder = BagOfWordsEncoder("tags", binary=binary).fit(ROWS)
    oracle = CountVectorizer(analyzer=identity, vocabulary=encoder.vocabulary_, binary=binary)
    np.testing.assert_array_equal(encoder.encode(ROWS), oracle.transform(ROWS).toarray())


@pytest.mark.parametrize("binary", [True, False])
def test_tfidf_equals_tfidf_vectorizer(binary):
    encoder = BagOfWordsEncoder("tags", tfidf=True, binary=binary).fit(ROWS)
    oracle = TfidfVectorizer(
        analyzer=identity, vocabulary=encoder.vocabulary_, binary=binary, lowercase=False
    )
    oracle.fit(ROWS)
    unseen = [["war", "unheard of"], ["unheard of"], [], ["noir", "noir", "robot"]]
    np.testing.assert_allclose(encoder.idf_, oracle.idf_)
    for rows in (ROWS, unseen):
        np.testing.assert_allclose(
            encoder.encode(rows), oracle.transform(rows).toarray(), rtol=1e-6, atol=1e-7
        )


@settings(deadline=None)
@given(token_rows, st.booleans())
def test_any_unicode_tokens_are_counted_as_in_python(rows, binary):
    if not any(rows):
        rows = [*rows, ["one"]]
    encoder = BagOfWordsEncoder("tags", binary=binary).fit(rows)
    expected = [
        [min(row.count(token), 1 if binary else 99) for token in encoder.vocabulary_]
        for row in rows
    ]
    np.testing.assert_array_equal(encoder.encode(rows), expected)


@settings(deadline=None)
@given(token_rows, st.randoms(use_true_random=False))
def test_the_vocabulary_is_sorted_by_frequency_then_alphabet_in_any_order_of_rows(rows, random):
    rows = [*rows, ["one"]]
    counts = Counter(token for row in rows for token in row)
    expected = sorted(counts, key=lambda token: (-counts[token], token))
    shuffled = [random.sample(row, len(row)) for row in rows]
    random.shuffle(shuffled)
    assert BagOfWordsEncoder("tags").fit(rows).vocabulary_ == expected
    assert BagOfWordsEncoder("tags").fit(shuffled).vocabulary_ == expected


@settings(deadline=None)
@given(token_rows, st.integers(1, 5), st.integers(1, 3))
def test_max_tokens_and_min_count_keep_the_most_frequent_tokens(rows, most, least):
    rows = [*rows, ["one"] * least]
    counts = Counter(token for row in rows for token in row)
    whole = BagOfWordsEncoder("tags").fit(rows).vocabulary_
    some = BagOfWordsEncoder("tags", max_tokens=most, min_count=least).fit(rows).vocabulary_
    assert some == [token for token in whole if counts[token] >= least][:most]


def test_dropped_tokens_leave_their_places_to_the_next_tokens():
    encoder = BagOfWordsEncoder("tags", max_tokens=2, drop=("war", "never there")).fit(ROWS)
    assert encoder.vocabulary_ == ["love", "space"]
    assert encoder.encode([["war", "space"]]).tolist() == [[0, 1]]


def test_token_lists_are_case_sensitive():
    assert {"space", "Space"} <= set(BagOfWordsEncoder("tags").fit(ROWS).vocabulary_)


def test_delimited_strings_equal_lists_of_their_parts():
    delimited = [" war | space|war", "|love||", "", " | ", "space|  new york  "]
    lists = [["war", "space", "war"], ["love"], [], [], ["space", "new york"]]
    encoder = BagOfWordsEncoder("tags", delimiter="|", binary=False).fit(delimited)
    other = BagOfWordsEncoder("tags", binary=False).fit(lists)
    assert encoder.vocabulary_ == other.vocabulary_
    np.testing.assert_array_equal(encoder.encode(delimited), other.encode(lists))


def test_a_delimiter_is_not_a_regular_expression():
    encoder = BagOfWordsEncoder("tags", delimiter=".|").fit(["a.|b|c", "b|c"])
    assert encoder.vocabulary_ == ["b|c", "a"]


@pytest.mark.parametrize("options", [{"delimiter": "|"}, {"tokenizer": "words"}])
def test_lists_among_strings_are_not_split(options):
    encoder = BagOfWordsEncoder("tags", **options).fit(["war|love", ["war", "New York"]])
    assert encoder.vocabulary_ == ["war", "New York", "love"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("कि की कु", ["कि", "की", "कु"]),
        ("क्\u200dष में", ["क्\u200dष", "में"]),
        ("می\u200cخواهم", ["می\u200cخواهم"]),  # noqa: RUF001
        ("العَرَبِيَّة", ["العَرَبِيَّة"]),
        ("שָׁלוֹם עולם", [unicodedata.normalize("NFKC", "שָׁלוֹם"), "עולם"]),
        ("ที่นี่ สวัสดี", ["ที่นี่", "สวัสดี"]),
        (unicodedata.normalize("NFD", "한국어 영화"), ["한국어", "영화"]),
        ("Ame\u0301lie AMÉLIE", ["amélie", "amélie"]),
        ("İstanbul İSTANBUL i\u0307stanbul ISTANBUL", ["istanbul"] * 4),
        ("Straße STRASSE", ["strasse", "strasse"]),
        ("ΟΔΟΣ οδός οδοσ", ["οδοσ", "οδόσ", "οδοσ"]),
        ("ﬁlm ﬀ", ["film", "ff"]),
        ("２００１ ＡＢＣ ｶﾞ", ["2001", "abc", "ガ"]),  # noqa: RUF001
        ("co\u00adoperate", ["cooperate"]),
        ("co\u2060operate \ufeffco\u200eoperate\u200f", ["cooperate", "cooperate"]),
        ("It's l’été, rock-n-roll", ["it", "s", "l", "été", "rock", "n", "roll"]),  # noqa: RUF001
        ("I ❤\ufe0f 🚀 films 👩\u200d🚀!", ["i", "films"]),
        ("\u0301a \u200db c\u200c", ["a", "b", "c"]),
        ("\ud800a", ["a"]),
    ],
)
def test_words_are_those_of_the_script(text, words):
    encoder = BagOfWordsEncoder("plot", tokenizer="words", binary=False).fit([text])
    assert encoder.vocabulary_ == sorted(set(words), key=lambda word: (-words.count(word), word))
    counts = [words.count(word) for word in encoder.vocabulary_]
    assert encoder.encode([text]).tolist() == [counts]


@settings(deadline=None)
@given(texts, st.sampled_from(FORMS), st.sampled_from(FORMS))
def test_texts_in_any_normal_form_have_the_same_words(text, form, other):
    one, two = unicodedata.normalize(form, text), unicodedata.normalize(other, text)
    encoder = BagOfWordsEncoder("plot", tokenizer="words", binary=False).fit([one, "more"])
    np.testing.assert_array_equal(encoder.encode([one]), encoder.encode([two]))
    again = BagOfWordsEncoder("plot", tokenizer="words").fit([two, "more"])
    assert again.vocabulary_ == encoder.vocabulary_


@pytest.mark.parametrize(
    ("options", "make"),
    [
        ({}, lambda tags: tags),
        ({"delimiter": "|"}, "|".join),
        ({"delimiter": "n\u0303"}, "ñ".join),
        ({"tokenizer": split_on_plus}, "+".join),
        ({"tokenizer": "words"}, lambda tags: tags),
    ],
    ids=["lists", "delimited", "delimiter", "callable", "lists among texts"],
)
def test_a_tag_is_the_same_in_any_normal_form_and_its_case_stays(options, make):
    composed, decomposed = make(["Amélie", "İzmir"]), make(["Ame\u0301lie", "I\u0307zmir"])
    encoder = BagOfWordsEncoder("tags", **options).fit([decomposed])
    assert encoder.vocabulary_ == ["Amélie", "İzmir"]
    assert encoder.encode([composed, make(["amélie"])]).tolist() == [[1, 1], [0, 0]]


def test_dropped_tokens_are_found_in_any_normal_form_and_as_words():
    rows = [["Amélie", "Amelie"]]
    assert BagOfWordsEncoder("tags", drop=["Ame\u0301lie"]).fit(rows).vocabulary_ == ["Amelie"]
    encoder = BagOfWordsEncoder("plot", tokenizer="words", drop=["Straße", "İzmir"])
    assert encoder.fit(["In der Straße von Izmir"]).vocabulary_ == ["der", "in", "von"]


def test_words_are_lower_case_runs_of_letters_digits_and_underscores():
    text = "It's 2001: A Space_Odyssey — Überraschung, 宇宙の旅!"
    encoder = BagOfWordsEncoder("plot", tokenizer="words").fit([text])
    assert set(encoder.vocabulary_) == set(re.findall(r"\w+", text.lower()))
    assert {"2001", "space_odyssey", "überraschung", "宇宙の旅"} <= set(encoder.vocabulary_)


def test_a_callable_tokenizer_splits_texts_and_is_part_of_the_configuration():
    encoder = BagOfWordsEncoder("plot", tokenizer=split_on_plus).fit(["war+love", "war"])
    assert encoder.vocabulary_ == ["war", "love"]
    copy = BagOfWordsEncoder.from_config(encoder.get_config()).set_state(encoder.get_state())
    assert copy.encode(["love+love"]).tolist() == [[0, 1]]


def test_unknown_tokens_and_empty_rows_are_zeros():
    encoder = BagOfWordsEncoder("tags").fit(ROWS)
    assert not encoder.encode([["unheard of"], []]).any()
    assert encoder.encode([]).shape == (0, len(encoder.vocabulary_))


@pytest.mark.parametrize(
    "token",
    ["", " ", "🚀", "👩‍🚀", "é", "x" * 10_000, "a\0b", "\0", "\n", "war,love", "\ud800"],
)
def test_unusual_tokens_are_handled_like_any_other(token):
    encoder = BagOfWordsEncoder("tags").fit([[token, "other"], [token]])
    assert encoder.vocabulary_ == [token, "other"]
    assert encoder.encode([[token], ["other"], ["x"]]).tolist() == [[1, 0], [0, 1], [0, 0]]


@pytest.mark.parametrize(
    "make",
    [tuple, set, np.array, pd.Series, lambda tokens: dict.fromkeys(tokens).keys()],
    ids=["tuple", "set", "array", "series", "view"],
)
def test_a_row_may_be_any_iterable_of_strings(make):
    encoder = BagOfWordsEncoder("tags").fit([["war", "love"], ["war"]])
    assert encoder.encode([make(["love", "war"]), make(["love"])]).tolist() == [[1, 1], [0, 1]]


def test_a_series_is_read_by_position():
    series = pd.Series(ROWS, index=[7, 3, 3, 0, 1, 2])
    encoder, other = BagOfWordsEncoder("tags").fit(series), BagOfWordsEncoder("tags").fit(ROWS)
    np.testing.assert_array_equal(encoder.encode(series), other.encode(ROWS))
    assert encoder.vocabulary_ == other.vocabulary_


@pytest.mark.parametrize("tfidf", [True, False])
def test_prepared_rows_are_sparse_float32_and_can_be_encoded_in_any_selection(tfidf):
    encoder = BagOfWordsEncoder("tags", tfidf=tfidf).fit(ROWS)
    prepared = encoder.prepare(ROWS)
    assert scipy.sparse.issparse(prepared)
    assert (prepared.format, prepared.dtype) == ("csr", np.float32)
    whole = encoder.encode(ROWS)
    assert whole.dtype == np.float32
    for rows in ([0], [5, 0, 0], [], range(len(ROWS))):
        np.testing.assert_array_equal(encoder.encode(prepared[list(rows)]), whole[list(rows)])


def test_a_second_fit_forgets_the_first_rows():
    encoder = BagOfWordsEncoder("tags", tfidf=True).fit(ROWS).fit([["x"], ["x", "y"]])
    assert encoder.vocabulary_ == ["x", "y"]
    np.testing.assert_allclose(encoder.idf_, [1, 1 + math.log(3 / 2)])


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"max_tokens": 0}, r"max_tokens must be .*max_tokens=0"),
        ({"max_tokens": "9"}, r"max_tokens must be .*'9'"),
        ({"max_tokens": True}, r"max_tokens must be .*True"),
        ({"min_count": 0}, r"min_count must be .*min_count=0"),
        ({"drop": "war"}, r"drop must be a sequence of tokens.*'war'"),
        ({"drop": ["war", 3]}, r"drop must be a sequence of tokens, which are strings.*3"),
        ({"tokenizer": "letters"}, r"tokenizer must be 'words' or a callable.*'letters'"),
        ({"tokenizer": 3}, r"tokenizer must be 'words' or a callable.*3"),
        ({"delimiter": ""}, r"delimiter must be a string that is not empty.*''"),
        ({"delimiter": 3}, r"delimiter must be a string that is not empty.*3"),
        ({"delimiter": "|", "tokenizer": "words"}, r"delimiter= .* or tokenizer= .*not both"),
    ],
    ids=str,
)
def test_an_option_out_of_range_is_refused_by_name(options, match):
    with pytest.raises(ValueError, match=match):
        BagOfWordsEncoder("tags", **options)


@pytest.mark.parametrize(
    ("row", "match"),
    [
        ("space|war", r"'tags' expects lists of tokens. Received the string 'space\|war' in row 1"),
        ("x" * 999, r"Received the string 'x{80}' in row 1. Pass delimiter='\|'"),
        ("space, war", r"Pass delimiter=',' for delimited strings"),
        ("space;war, love", r"Pass delimiter=';' for delimited strings"),
        (None, r"'tags' expects a list of strings in each row. Received None in row 1"),
        (float("nan"), r"Received nan in row 1. Use an empty list for a row without tokens"),
        (pd.NA, r"Received <NA> in row 1"),
        (3, r"Received 3 in row 1"),
        (["war", 3], r"Received \['war', 3\] in row 1"),
        (["war", None], r"Received \['war', None\] in row 1"),
        ([["war"]], r"Received \[\['war'\]\] in row 1"),
        (b"war", r"Received b'war' in row 1"),
        # It would be empty in the next pass over the rows.
        (iter(["war"]), r"expects a list of strings in each row. Received <.*iterator.* in row 1"),
        (zip(["war"], strict=True), r"Received <zip .* in row 1"),
        # Its keys are not said to be tokens.
        ({"war": 2}, r"Received \{'war': 2\} in row 1"),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("method", ["fit", "encode", "prepare"])
def test_a_row_that_is_not_a_list_of_strings_is_reported(row, match, method):
    encoder = BagOfWordsEncoder("tags").fit(ROWS)
    with pytest.raises(ModalityError, match=match) as info:
        getattr(encoder, method)([["war"], row])
    assert info.value.row == 1


def test_a_missing_value_among_delimited_strings_is_reported():
    with pytest.raises(ValueError, match=r"Received nan in row 1.*empty list"):
        BagOfWordsEncoder("tags", delimiter="|").fit(["war", float("nan")])


def test_a_tokenizer_that_returns_no_strings_is_reported():
    with pytest.raises(ValueError, match=r"expects a list of strings.*'some text' in row 0"):
        BagOfWordsEncoder("tags", tokenizer=lambda text: [len(text)]).fit(["some text"])


@pytest.mark.parametrize(
    ("options", "rows"),
    [
        ({}, []),
        ({}, [[], []]),
        ({"min_count": 2}, [["war"], ["love"]]),
        ({"drop": ["war", "love"]}, [["war"], ["love"]]),
        ({"delimiter": "|"}, ["", " | "]),
    ],
    ids=str,
)
def test_fit_without_a_token_left_is_an_error(options, rows):
    with pytest.raises(ValueError, match=rf"'tags' has no token left. The {len(rows)} train"):
        BagOfWordsEncoder("tags", **options).fit(rows)


@pytest.mark.parametrize(
    "use",
    [
        lambda encoder: encoder.input_shape,
        lambda encoder: encoder.encode(ROWS),
        lambda encoder: encoder.prepare(ROWS),
        lambda encoder: encoder.build_head(),
    ],
    ids=["input_shape", "encode", "prepare", "head"],
)
def test_before_fit_the_error_names_the_modality_and_fit(use):
    with pytest.raises(NotFittedError, match=r"'tags' is not fitted yet. Call fit"):
        use(BagOfWordsEncoder("tags"))
