"""`BagOfWordsEncoder` compared with scikit-learn's vectorizers on the same tokens."""

import json
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

from multimodal_ensemble import BagOfWordsEncoder, TagEmbeddingEncoder
from multimodal_ensemble.exceptions import ModalityError
from multimodal_ensemble.testing import check_encoder

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


def make_bag(name, **options):
    """Return an encoder of whole tags, which counts as `CountVectorizer` does by default."""
    plain = {"words": False, "binary": True, "sublinear_tf": False, "tfidf": False}
    return BagOfWordsEncoder(name, **{**plain, **options})


def identity(row):
    return row


@keras.saving.register_keras_serializable(package="test_bag_of_words_encoder")
def split_on_plus(text):
    return text.split("+")


@pytest.mark.parametrize("binary", [True, False])
def test_bag_equals_count_vectorizer(binary):
    encoder = make_bag("tags", binary=binary).fit(ROWS)
    oracle = CountVectorizer(analyzer=identity, vocabulary=encoder.vocabulary_, binary=binary)
    np.testing.assert_array_equal(encoder.encode(ROWS), oracle.transform(ROWS).toarray())


@pytest.mark.parametrize("binary", [True, False])
def test_tfidf_equals_tfidf_vectorizer(binary):
    encoder = make_bag("tags", tfidf=True, binary=binary).fit(ROWS)
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
    encoder = make_bag("tags", binary=binary).fit(rows)
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
    assert make_bag("tags").fit(rows).vocabulary_ == expected
    assert make_bag("tags").fit(shuffled).vocabulary_ == expected


@settings(deadline=None)
@given(token_rows, st.integers(1, 5), st.integers(1, 3))
def test_max_tokens_and_min_df_keep_the_most_frequent_tokens(rows, most, least):
    rows = [*rows, *[["one"]] * least]
    n_rows_with = Counter(token for row in rows for token in set(row))
    whole = make_bag("tags", max_tokens=None).fit(rows).vocabulary_
    some = make_bag("tags", max_tokens=most, min_df=least).fit(rows).vocabulary_
    assert some == [token for token in whole if n_rows_with[token] >= least][:most]


@pytest.mark.parametrize("min_df", [0.0, 0.25, 1 / 3, 0.5, 1, 2, np.int64(2)])
def test_min_df_is_a_number_or_a_share_of_rows_as_in_scikit_learn(min_df):
    oracle = CountVectorizer(analyzer=identity, min_df=min_df).fit(ROWS)
    assert sorted(make_bag("tags", min_df=min_df).fit(ROWS).vocabulary_) == sorted(
        oracle.vocabulary_
    )


def test_min_df_is_a_share_of_decimals():
    rows = [["war"]] * 7 + [["love"]] * 93
    assert 0.07 * 100 > 7
    assert make_bag("tags", min_df=0.07).fit(rows).vocabulary_ == ["love", "war"]


def test_a_tag_and_its_words_are_different_tokens():
    rows = [["Space Opera", "space"], ["opera"], []]
    encoder = make_bag("tags", words=True).fit(rows)
    assert encoder.vocabulary_ == ["word:opera", "word:space", "Space Opera", "opera", "space"]
    assert encoder.encode([["opera space"], ["space"]]).tolist() == [
        [1, 1, 0, 0, 0],
        [0, 1, 0, 0, 1],
    ]


def test_words_that_only_one_tag_contains_are_no_tokens():
    rows = [["space opera", "war"], ["space opera", "war"]]
    encoder = make_bag("tags", words=True).fit(rows)
    assert encoder.vocabulary_ == ["space opera", "war"]
    encoder.fit([*rows, ["War"]])
    assert encoder.vocabulary_ == ["word:war", "space opera", "war", "War"]


def test_the_words_of_a_dropped_tag_are_dropped_with_it_and_stay_in_other_tags():
    rows = [["drama", "court drama", "war drama", "war"]]
    encoder = make_bag("tags", words=True, drop=["drama", "word:war"]).fit(rows)
    assert encoder.vocabulary_ == ["word:drama", "court drama", "war", "war drama"]
    assert encoder.encode([["drama"], ["a drama"]]).sum(axis=1).tolist() == [0, 1]


def test_words_of_texts_are_no_words_of_tags():
    encoder = make_bag("plot", tokenizer="words", words=True).fit(["a war", ["a war", "War"]])
    assert encoder.vocabulary_ == ["word:war", "War", "a", "a war", "war", "word:a"]


@pytest.mark.parametrize("ngram_range", [(1, 1), (1, 2), (2, 3), [1, 3]])
def test_ngrams_of_texts_equal_those_of_count_vectorizer(ngram_range):
    texts = ["the war of the worlds", "war", "", "the war of war"]
    encoder = make_bag("plot", tokenizer="words", ngram_range=ngram_range, binary=False)
    encoder.fit(texts)
    oracle = CountVectorizer(ngram_range=tuple(ngram_range), token_pattern=r"\w+").fit(texts)
    assert set(encoder.vocabulary_) == set(oracle.vocabulary_)
    oracle.vocabulary_ = {token: column for column, token in enumerate(encoder.vocabulary_)}
    np.testing.assert_array_equal(encoder.encode(texts), oracle.transform(texts).toarray())


def test_ngrams_are_made_of_the_words_that_are_not_dropped():
    options = {"tokenizer": "words", "ngram_range": (1, 2), "drop": ["The", "war worlds"]}
    encoder = make_bag("plot", **options).fit(["the war the worlds end"])
    assert encoder.vocabulary_ == ["end", "war", "worlds", "worlds end"]


def test_counts_of_tokens_equal_repeated_tokens():
    counted = [{"space": 3, "Ame\u0301lie": 2.0, "love": 0}, {}, {"war": np.int64(1)}]
    repeated = [["space", "space", "Amélie", "space", "Amélie"], [], ["war"]]
    for options in ({}, {"words": True, "tfidf": True, "sublinear_tf": True}):
        encoder = make_bag("tags", **{"binary": False, **options}).fit(counted)
        other = make_bag("tags", **{"binary": False, **options}).fit(repeated)
        assert encoder.vocabulary_ == other.vocabulary_
        assert encoder.encode(counted).any()
        np.testing.assert_array_equal(encoder.encode(counted), other.encode(repeated))


def test_the_defaults_are_sublinear_tfidf_of_tags_and_words():
    rows = [["space opera", "war", "war"], ["opera"], ["War"], []]
    expanded = [
        ["space opera", "word:opera", *["war", "word:war"] * 2],
        ["opera", "word:opera"],
        ["War", "word:war"],
        [],
    ]
    encoder = BagOfWordsEncoder("tags").fit(rows)
    oracle = TfidfVectorizer(
        analyzer=identity, vocabulary=encoder.vocabulary_, lowercase=False, sublinear_tf=True
    )
    np.testing.assert_allclose(
        encoder.encode(rows), oracle.fit_transform(expanded).toarray(), rtol=1e-6
    )
    assert set(encoder.vocabulary_) == {token for row in expanded for token in row}


def test_lowercase_folds_tags_and_tokens_of_a_tokenizer():
    encoder = make_bag("tags", lowercase=True, drop=["STRASSE"]).fit([["Straße", "İzmir", "IZMIR"]])
    assert encoder.vocabulary_ == ["izmir"]
    encoder = make_bag("tags", lowercase=True, tokenizer=split_on_plus).fit(["War+WAR"])
    assert encoder.vocabulary_ == ["war"]


def test_dropped_tokens_leave_their_places_to_the_next_tokens():
    encoder = make_bag("tags", max_tokens=2, drop=("war", "never there")).fit(ROWS)
    assert encoder.vocabulary_ == ["love", "space"]
    assert encoder.encode([["war", "space"]]).tolist() == [[0, 1]]


def test_token_lists_are_case_sensitive():
    assert {"space", "Space"} <= set(make_bag("tags").fit(ROWS).vocabulary_)


def test_delimited_strings_equal_lists_of_their_parts():
    delimited = [" war | space|war", "|love||", "", " | ", "space|  new york  "]
    lists = [["war", "space", "war"], ["love"], [], [], ["space", "new york"]]
    encoder = make_bag("tags", delimiter="|", binary=False).fit(delimited)
    other = make_bag("tags", binary=False).fit(lists)
    assert encoder.vocabulary_ == other.vocabulary_
    np.testing.assert_array_equal(encoder.encode(delimited), other.encode(lists))


def test_a_delimiter_is_not_a_regular_expression():
    encoder = make_bag("tags", delimiter=".|").fit(["a.|b|c", "b|c"])
    assert encoder.vocabulary_ == ["b|c", "a"]


@pytest.mark.parametrize("options", [{"delimiter": "|"}, {"tokenizer": "words"}])
def test_lists_among_strings_are_not_split(options):
    encoder = make_bag("tags", **options).fit(["war|love", ["war", "New York"]])
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
    encoder = make_bag("plot", tokenizer="words", binary=False).fit([text])
    assert encoder.vocabulary_ == sorted(set(words), key=lambda word: (-words.count(word), word))
    counts = [words.count(word) for word in encoder.vocabulary_]
    assert encoder.encode([text]).tolist() == [counts]


@settings(deadline=None)
@given(texts, st.sampled_from(FORMS), st.sampled_from(FORMS))
def test_texts_in_any_normal_form_have_the_same_words(text, form, other):
    one, two = unicodedata.normalize(form, text), unicodedata.normalize(other, text)
    encoder = make_bag("plot", tokenizer="words", binary=False).fit([one, "more"])
    np.testing.assert_array_equal(encoder.encode([one]), encoder.encode([two]))
    again = make_bag("plot", tokenizer="words").fit([two, "more"])
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
    encoder = make_bag("tags", **options).fit([decomposed])
    assert encoder.vocabulary_ == ["Amélie", "İzmir"]
    assert encoder.encode([composed, make(["amélie"])]).tolist() == [[1, 1], [0, 0]]


def test_dropped_tokens_are_found_in_any_normal_form_and_as_words():
    rows = [["Amélie", "Amelie"]]
    assert make_bag("tags", drop=["Ame\u0301lie"]).fit(rows).vocabulary_ == ["Amelie"]
    encoder = make_bag("plot", tokenizer="words", drop=["Straße", "İzmir"])
    assert encoder.fit(["In der Straße von Izmir"]).vocabulary_ == ["der", "in", "von"]


def test_words_are_lower_case_runs_of_letters_digits_and_underscores():
    text = "It's 2001: A Space_Odyssey — Überraschung, 宇宙の旅!"
    encoder = make_bag("plot", tokenizer="words").fit([text])
    assert set(encoder.vocabulary_) == set(re.findall(r"\w+", text.lower()))
    assert {"2001", "space_odyssey", "überraschung", "宇宙の旅"} <= set(encoder.vocabulary_)


def test_a_callable_tokenizer_splits_texts_and_is_part_of_the_configuration():
    encoder = make_bag("plot", tokenizer=split_on_plus).fit(["war+love", "war"])
    assert encoder.vocabulary_ == ["war", "love"]
    copy = BagOfWordsEncoder.from_config(encoder.get_config()).set_state(encoder.get_state())
    assert copy.encode(["love+love"]).tolist() == [[0, 1]]


def test_unknown_tokens_and_empty_rows_are_zeros():
    encoder = make_bag("tags").fit(ROWS)
    assert not encoder.encode([["unheard of"], []]).any()
    assert encoder.encode([]).shape == (0, len(encoder.vocabulary_))


@pytest.mark.parametrize(
    "token",
    ["", " ", "🚀", "👩‍🚀", "é", "x" * 10_000, "a\0b", "\0", "\n", "war,love", "\ud800"],
)
def test_unusual_tokens_are_handled_like_any_other(token):
    encoder = make_bag("tags").fit([[token, "other"], [token]])
    assert encoder.vocabulary_ == [token, "other"]
    assert encoder.encode([[token], ["other"], ["x"]]).tolist() == [[1, 0], [0, 1], [0, 0]]


@pytest.mark.parametrize(
    "make",
    [tuple, set, np.array, pd.Series, lambda tokens: dict.fromkeys(tokens).keys()],
    ids=["tuple", "set", "array", "series", "view"],
)
def test_a_row_may_be_any_iterable_of_strings(make):
    encoder = make_bag("tags").fit([["war", "love"], ["war"]])
    assert encoder.encode([make(["love", "war"]), make(["love"])]).tolist() == [[1, 1], [0, 1]]


def test_a_series_is_read_by_position():
    series = pd.Series(ROWS, index=[7, 3, 3, 0, 1, 2])
    encoder, other = make_bag("tags").fit(series), make_bag("tags").fit(ROWS)
    np.testing.assert_array_equal(encoder.encode(series), other.encode(ROWS))
    assert encoder.vocabulary_ == other.vocabulary_


@pytest.mark.parametrize("tfidf", [True, False])
def test_prepared_rows_are_sparse_float32_and_can_be_encoded_in_any_selection(tfidf):
    encoder = make_bag("tags", tfidf=tfidf).fit(ROWS)
    prepared = encoder.prepare(ROWS)
    assert scipy.sparse.issparse(prepared)
    assert (prepared.format, prepared.dtype) == ("csr", np.float32)
    whole = encoder.encode(ROWS)
    assert whole.dtype == np.float32
    for rows in ([0], [5, 0, 0], [], range(len(ROWS))):
        np.testing.assert_array_equal(encoder.encode(prepared[list(rows)]), whole[list(rows)])


def test_a_second_fit_forgets_the_first_rows():
    encoder = make_bag("tags", tfidf=True).fit(ROWS).fit([["x"], ["x", "y"]])
    assert encoder.vocabulary_ == ["x", "y"]
    np.testing.assert_allclose(encoder.idf_, [1, 1 + math.log(3 / 2)])


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"max_tokens": 0}, r"max_tokens must be .*max_tokens=0"),
        ({"max_tokens": "9"}, r"max_tokens must be .*'9'"),
        ({"max_tokens": True}, r"max_tokens must be .*True"),
        ({"min_df": 0}, r"min_df must be a whole number of rows .*min_df=0"),
        ({"min_df": 1.5}, r"min_df must be .*share of the rows from 0.0 to 1.0.*min_df=1.5"),
        ({"min_df": True}, r"min_df must be .*True"),
        ({"min_df": "2"}, r"min_df must be .*'2'"),
        ({"words": "only"}, r"words must be .*'only'"),
        ({"binary": 2}, r"binary must be .*2"),
        ({"sublinear_tf": None}, r"sublinear_tf must be .*None"),
        ({"tfidf": "l2"}, r"tfidf must be .*'l2'"),
        ({"lowercase": "no"}, r"lowercase must be .*'no'"),
        ({"ngram_range": 2}, r"ngram_range must be a pair of whole numbers.*=2"),
        ({"ngram_range": (1, 2, 3)}, r"ngram_range must be a pair of whole numbers"),
        ({"ngram_range": (0, 1)}, r"ngram_range\[0\] must be a whole number of at least 1.*=0"),
        ({"ngram_range": (2, 1)}, r"ngram_range\[1\] must be a whole number of at least 2.*=1"),
        ({"ngram_range": (1, 2)}, r"ngram_range=\(1, 2\) joins .* of texts. Pass tokenizer="),
        ({"drop": "war"}, r"drop must be a sequence of tokens.*'war'"),
        ({"drop": ["war", 3]}, r"drop must be a sequence of tokens, which are strings.*3"),
        ({"tokenizer": "letters"}, r"tokenizer must be 'words', .* or a callable.*'letters'"),
        ({"tokenizer": 3}, r"tokenizer must be 'words', .* or a callable.*3"),
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
        ({3: 2}, r"expects a list of strings in each row. Received \{3: 2\} in row 1"),
        ({"war": -1}, r"whole numbers of at least 0 as the counts.*\{'war': -1\} in row 1"),
        ({"war": 1.5}, r"whole numbers of at least 0 as the counts.*1\.5"),
        ({"war": True}, r"whole numbers of at least 0 as the counts.*True"),
        ({"war": float("nan")}, r"whole numbers of at least 0 as the counts.*nan"),
        ({"war": float("inf")}, r"whole numbers of at least 0 as the counts.*inf"),
        ({"war": "2"}, r"whole numbers of at least 0 as the counts.*'2'"),
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("method", ["fit", "encode", "prepare"])
def test_a_row_that_is_not_a_list_of_strings_is_reported(row, match, method):
    encoder = make_bag("tags").fit(ROWS)
    with pytest.raises(ModalityError, match=match) as info:
        getattr(encoder, method)([["war"], row])
    assert info.value.row == 1


def test_a_missing_value_among_delimited_strings_is_reported():
    with pytest.raises(ValueError, match=r"Received nan in row 1.*empty list"):
        make_bag("tags", delimiter="|").fit(["war", float("nan")])


def test_a_tokenizer_that_returns_no_strings_is_reported():
    with pytest.raises(ValueError, match=r"expects a list of strings.*'some text' in row 0"):
        make_bag("tags", tokenizer=lambda text: [len(text)]).fit(["some text"])


@pytest.mark.parametrize(
    ("options", "rows"),
    [
        ({}, []),
        ({}, [[], []]),
        ({"min_df": 2}, [["war", "war"], ["love"]]),
        ({"drop": ["war", "love"]}, [["war"], ["love"]]),
        ({"delimiter": "|"}, ["", " | "]),
    ],
    ids=str,
)
def test_fit_without_a_token_left_is_an_error(options, rows):
    with pytest.raises(ValueError, match=rf"'tags' has no token left. The {len(rows)} train"):
        make_bag("tags", **options).fit(rows)


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
        use(make_bag("tags"))


# -- lists as text, and hash-tags ------------------------------------------------------------------

ANY_TEXT = st.text(
    st.characters(exclude_categories=["Cs"]) | st.sampled_from("\"'\\[],/#"), max_size=8
)


@settings(deadline=None)
@given(st.lists(ANY_TEXT, min_size=1, max_size=5), st.booleans())
def test_lists_as_text_are_those_that_were_written(tags, is_ascii):
    encoder = BagOfWordsEncoder("tags", tokenizer="list", words=False, tfidf=False)
    expected = [unicodedata.normalize("NFC", tag).strip() for tag in tags]
    expected = sorted({tag for tag in expected if tag})
    for text in (json.dumps(tags, ensure_ascii=is_ascii), repr(tags), repr(tuple(tags))):
        if not expected:
            with pytest.raises(ModalityError, match="has no token left"):
                encoder.fit([text])
        else:
            assert sorted(encoder.fit([text, "", []]).vocabulary_) == expected


@pytest.mark.parametrize(
    "text",
    [
        "['a', 1]",
        "[['a'], ['b']]",
        "['a', None]",
        "[a, b]",
        "['a'",
        "a, b",
        "['a'] + ['b']",
        "__import__('os')",
        "[__import__('os')]",
        "['a' 'b' if 1 else 'c']",
        "[" * 100_000 + "]" * 100_000,
        "['" + "a" * 2**20 + "']",
        r"['\N{DIGIT ONE}']",
    ],
    ids=range(13),
)
def test_strings_that_are_no_flat_lists_of_strings_are_refused(text):
    encoder = BagOfWordsEncoder("tags", tokenizer="list")
    with pytest.raises(ModalityError, match=r"expects lists of strings as text.* in row 1"):
        encoder.fit(["['a']", text])


def test_a_string_in_brackets_gets_advice():
    with pytest.raises(ModalityError, match=r"in row 0. Pass tokenizer='list' for lists as text"):
        BagOfWordsEncoder("tags").fit(["['a', 'b']"])


STRINGS = {
    "list": ['["sea", "my boat"]', "['sky']", "[]", "['sea', 'sky']", '["my boat"]'],
    "hashtags": ["#sea, #boat!", "See #sky", "no tag", "#sea#sky", "#boat (#boat)"],
}


@pytest.mark.parametrize(
    ("kind", "tokenizer"), [(BagOfWordsEncoder, "list"), (TagEmbeddingEncoder, "hashtags")]
)
def test_encoders_of_strings_of_tags_keep_the_contract(kind, tokenizer):
    check_encoder(kind("tags", tokenizer=tokenizer), STRINGS[tokenizer])


@pytest.mark.parametrize("kind", [BagOfWordsEncoder, TagEmbeddingEncoder])
@pytest.mark.parametrize("tokenizer", STRINGS)
def test_both_encoders_of_tags_read_lists_and_hash_tags(kind, tokenizer):
    values = STRINGS[tokenizer]
    encoder = kind("tags", tokenizer=tokenizer).fit(values)
    lists = [["sea", "my boat"], ["sky"], [], ["sea", "sky"], ["my boat"]]
    if tokenizer == "hashtags":
        lists = [["sea", "boat"], ["sky"], [], ["sea", "sky"], ["boat", "boat"]]
    expected = kind("tags").fit(lists)
    assert encoder.vocabulary_ == expected.vocabulary_
    np.testing.assert_array_equal(encoder.encode(values), expected.encode(lists))
    with pytest.raises(ValueError, match="tokenizer must be 'words', 'list', 'hashtags' or a call"):
        kind("tags", tokenizer="json")
    with pytest.raises(ValueError, match="joins neighbouring words of texts"):
        BagOfWordsEncoder("tags", tokenizer=tokenizer, ngram_range=(1, 2))
