"""`infer_encoders` for strings, as a file in CSV format has them, and the code that it prints."""

import contextlib
import io
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image

import multimodal_ensemble
from multimodal_ensemble import fit_encoders, infer_encoders
from multimodal_ensemble.encoders import present_values
from multimodal_ensemble.encoders._delimiters import find_delimiter
from multimodal_ensemble.images import FetchOptions
from tests.toys import make_network

NUMBERS = np.arange(60) ** 1.5


def evaluate(printed):
    """Return the encoders that the printed code creates; nothing is imported before."""
    namespace = {}
    exec(printed, namespace)
    return namespace["encoders"]


def infer(values, capsys, name="column", **options):
    """Return the only encoder of a column, or None, and the reason; check the printed code."""
    data = pd.DataFrame({name: pd.Series(values), "other": np.resize(NUMBERS, len(values))})
    encoders = infer_encoders(data, exclude=["other"] if options.pop("alone", 0) else (), **options)
    printed = capsys.readouterr().out
    assert_same(evaluate(printed), encoders)
    line = next(line for line in printed.splitlines() if f"'{name}'" in line or f" {name}:" in line)
    reason = line.partition("#")[2].strip().removeprefix(f"{name}: left out; ")
    return next((each for each in encoders if name in each.columns), None), reason


def assert_same(encoders, others):
    configs = [[type(each).__name__, each.get_config()] for each in encoders]
    assert configs == [[type(each).__name__, each.get_config()] for each in others]


def options_of(encoder):
    """Return the parameters that differ from their defaults."""
    default = type(encoder)(encoder.name).get_params(deep=False)
    params = encoder.get_params(deep=False)
    return {k: v for k, v in params.items() if k != "head" and v != default[k]}


def through_csv(values):
    """Return values as they are after a file in CSV format."""
    file = io.StringIO()
    pd.DataFrame({"column": values, "row": range(len(values))}).to_csv(file, index=False)
    file.seek(0)
    return pd.read_csv(file)["column"]


COLOURS = ["red", "green", "blue", "dark red", "light blue", "grey"]


def keywords(n_rows=60, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.choice(COLOURS, rng.integers(1, 5), replace=False).tolist() for _ in range(n_rows)]


@pytest.mark.parametrize("delimiter", ["|", ";", "\t", "\n", ",", ", ", "/", " / ", " ; "])
def test_delimited_keywords_are_split_as_they_were_joined(delimiter, capsys):
    lists = keywords()
    values = through_csv([delimiter.join(row) for row in lists])
    encoder, reason = infer(values, capsys)
    assert options_of(encoder) == {"delimiter": delimiter.strip(" ")}
    n_several = sum(len(row) > 1 for row in lists)
    mark = delimiter.strip(" ")
    assert f"strings delimited by {mark!r} in {100 * n_several / 60:.0f} % of rows" in reason
    assert f"{sum(map(len, lists)) / 60:.1f} pieces of" in reason
    expected = multimodal_ensemble.BagOfWordsEncoder("x").fit(lists)
    np.testing.assert_array_equal(encoder.fit(values).encode(values), expected.encode(lists))


def test_other_delimiters_are_weighed_and_named(capsys):
    values = [", ".join(row) for row in keywords()]
    values[3] += "/pink"
    encoder, reason = infer(values, capsys)
    assert options_of(encoder) == {"delimiter": ","}
    assert reason.endswith("words each; '/' in 2 %")
    names = [f"Lee, Ann {n % 7}" + (f"|Fox, Cy {n % 5}" if n % 3 == 0 else "") for n in range(60)]
    encoder, reason = infer(names, capsys)
    assert options_of(encoder) == {"delimiter": "|"}
    assert reason.endswith("; ',' in 100 %")


def test_long_tables_are_inspected_at_equal_distances(capsys):
    # Sorted: the first rows alone would say that there is no delimiter.
    values = ["red"] * 1500 + ["red, blue"] * 1500
    encoder, reason = infer(values[:1000] + values[1500:], capsys, alone=True)
    assert options_of(encoder) == {"delimiter": ","}
    assert "',' in 60 % of 834 rows, 1.6 pieces of 1.0 words each" in reason


def test_the_numbers_of_the_rows_are_left_out(capsys):
    for start in (0, 1):
        encoder, reason = infer(list(range(start, start + 20)), capsys)
        assert encoder is None
        assert reason == f"the numbers of the rows, from {start}"
    assert infer(list(range(1990, 2010)), capsys)[0] is not None
    assert infer([*range(19), 20], capsys)[0] is not None


def test_commas_in_numbers_do_not_delimit(capsys):
    values = ["1,000 islands, sea", "sea, lake", "lake, 2,000 islands", "lake"] * 2
    assert options_of(infer(values, capsys)[0]) == {"delimiter": ", "}


WORDS = "a warm light jumper with long sleeves and two pockets for cold days by the sea".split()
clauses = st.lists(st.lists(st.sampled_from(WORDS), min_size=4, max_size=9), min_size=2, max_size=3)


@settings(max_examples=30, deadline=None)
@given(st.lists(clauses, min_size=40, max_size=50), st.sampled_from(["", ".", "!"]))
def test_sentences_with_commas_are_texts(rows, end):
    values = [", ".join(" ".join(clause) for clause in row) + end for row in rows]
    assert find_delimiter(values, set(values), len(values))[0] is None


@pytest.mark.parametrize(
    "values",
    [
        ["Short, but sweet.", "Go, now!", "Yes, we can.", "We came, we saw, we won."],
        ["Matrix, The (1999)", "Heat (1995)", "Fargo (1996)", "Bug's Life, A (1998)", "Up (2009)"],
        ["Paris in spring", "Rome and/or Milan", "a walk", "one more walk"],
        ["recordings/a.wav files", "recordings/b.wav files", "more files"],
    ],
    ids=["sentences", "titles", "slash", "paths"],
)
def test_other_texts_are_not_split(values, capsys):
    encoder, reason = infer(values, capsys)
    assert options_of(encoder) == {"tokenizer": "words"}
    assert reason.startswith("texts of ")


def test_categories_with_a_comma_stay_whole(capsys):
    values = ["Paris, France", "Lyon, France", "Rome, Italy"] * 10
    assert type(infer(values, capsys)[0]).__name__ == "CategoryEncoder"
    values = ["red, blue", "red", "blue", "green, red"] * 10
    assert options_of(infer(values, capsys)[0]) == {"delimiter": ","}


@pytest.mark.parametrize("write", [json.dumps, repr, lambda row: str(np.array(row))])
def test_lists_as_text_are_read(write, capsys):
    lists = [*keywords(), ["it's", 'a "quote"', "a, b"]]
    values = through_csv([write(row) for row in lists])
    encoder, reason = infer(values[1:], capsys)
    assert options_of(encoder) == {"tokenizer": "list"}
    assert reason == "lists of tokens (as text)"
    expected = multimodal_ensemble.BagOfWordsEncoder("x").fit(lists)
    np.testing.assert_array_equal(encoder.fit(values).encode(values), expected.encode(lists))


def test_damaged_lists_as_text_are_left_out_with_an_example(capsys):
    encoder, reason = infer(['["a", "b"]', "['a'", "[a, b]"], capsys)
    assert encoder is None
    assert reason.startswith("lists as text, 2 of 3 of which are no flat lists of JSON or Python")
    assert "\"['a'\"" in reason


def test_vectors_as_text_are_read(capsys):
    vectors = np.random.default_rng(1).normal(size=(6, 3)).round(3)
    for write in (json.dumps, str, lambda row: str(np.array(row))):
        values = [write(row) for row in vectors.tolist()]
        encoder, reason = infer([*values, None], capsys)
        assert options_of(encoder) == {"decimal": ".", "optional": True}
        assert reason == "vectors of 3 numbers (as text); missing in 1 of 7 rows"
        expected = multimodal_ensemble.DenseEncoder("x").fit(vectors).encode(vectors)
        np.testing.assert_array_equal(encoder.fit(values).encode(values), expected)


def test_hash_tags_are_recognised(capsys):
    values = ["#sea #boat", "#sea, #sky", "#boat#sky", ""]
    encoder, reason = infer(values, capsys)
    assert options_of(encoder) == {"tokenizer": "hashtags"}
    assert reason == "hash-tags, 1.5 per row; 100 % of words begin with '#'"
    assert encoder.fit(values).vocabulary_ == ["boat", "sea", "sky"]
    texts = ["a day at the #sea", "my new boat #sky", "see http://a.b/#c now"]
    assert options_of(infer(texts, capsys)[0]) == {"tokenizer": "words"}


@pytest.mark.parametrize(
    ("values", "options", "numbers"),
    [
        (["2002", "1999", "2010"], {"decimal": "."}, [2002, 1999, 2010]),
        (["1,234.5", "7", "2,000,000"], {"decimal": "."}, [1234.5, 7, 2e6]),
        (["3 %", "4.5%", "100 %"], {"decimal": "."}, [0.03, 0.045, 1]),
        (["$ 5", "$7.50", "-$3"], {"decimal": "."}, [5, 7.5, -3]),
        (["1 234,5", "2,25", "7"], {"decimal": ","}, [1234.5, 2.25, 7]),
        (["1.234,5 \u20ac", "2,5 \u20ac", "7 \u20ac"], {"decimal": ","}, [1234.5, 2.5, 7]),
        (["1'234.50", "2", "-3"], {"decimal": "."}, [1234.5, 2, -3]),
        (["1\u202f234", "\u22125", "1e3"], {"decimal": "."}, [1234, -5, 1000]),
        (["12", "n/a", "14", "-", "?"], {"decimal": ".", "optional": True}, [12, 14]),
    ],
    ids=str,
)
def test_numbers_as_text_are_read(values, options, numbers, capsys):
    encoder, reason = infer(values, capsys, alone=True)
    assert options_of(encoder) == options
    assert reason.startswith("numbers as text, such as ")
    present, _ = present_values(encoder, values)
    expected = multimodal_ensemble.DenseEncoder("x").fit(numbers).encode(numbers)
    np.testing.assert_allclose(encoder.fit(present).encode(present), expected, rtol=1e-6)


def test_numbers_with_a_few_faults_count_them_as_missing(capsys):
    values = [*map(str, range(5, 45)), "forty"]
    encoder, reason = infer(values, capsys, alone=True)
    assert options_of(encoder) == {"decimal": ".", "on_error": "missing", "optional": True}
    assert "1 of 41 are no numbers, such as 'forty', and count as missing" in reason
    with pytest.warns(UserWarning, match=r"1 of 41 values .* The first one is 'forty' in row 40"):
        assert encoder.find_missing(values).tolist() == [False] * 40 + [True]


def test_an_uncertain_mark_is_said(capsys):
    _, reason = infer(["1,234", "5,100"], capsys, alone=True)
    assert reason.endswith("with ',' as the mark of thousands (it could be the other)")
    _, reason = infer(["1.234", "5.100"], capsys, alone=True)
    assert reason.endswith("with '.' as the decimal mark (it could be the other)")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (
            ["3 %", "4 %", "5"],
            "numbers as text, 2 of 3 of them with %; write all of them in the sa",
        ),
        (["$ 5", "\u20ac 7"], "amounts of several currencies, $ and \u20ac; convert them to one"),
        (["7", "7.0"], "the same number in each row, 7.0 (as text)"),
        (["1e999", "7"], "infinite or too large numbers; replace these to use it (as text)"),
    ],
    ids=str,
)
def test_numbers_as_text_without_use_are_left_out(values, expected, capsys):
    encoder, reason = infer(values, capsys)
    assert encoder is None
    assert reason.startswith(expected)


def test_numbers_as_text_may_be_ids(capsys):
    encoder, reason = infer(["7", "8", "9"], capsys, name="userId")
    assert encoder is None
    assert reason == "a different whole number in each row, like an id (as text)"


def test_codes_with_leading_zeros_are_no_numbers(capsys):
    values = ["02134", "10115", "00501"] * 4
    assert type(infer(values, capsys)[0]).__name__ == "CategoryEncoder"


def test_numbers_and_numbers_as_text_share_an_encoder(capsys):
    data = {
        "year": ["1999", "2001", "2005"],
        "price": ["1,5", "2,75", "3,125"],
        "width": ["$ 1,250.5", "$ 2", "$ 3"],
        "depth": [1.5, 2.5, 4.5],
        "sold": [True, False, True],
    }
    encoders = infer_encoders(data)
    assert_same(evaluate(capsys.readouterr().out), encoders)
    assert [(each.name, each.columns, each.decimal) for each in encoders] == [
        ("numbers", ["year", "width", "depth", "sold"], "."),
        ("price", ["price"], ","),
    ]
    encoded = fit_encoders(encoders, data)[0].set_params(scaling=None)
    values = encoded.fit(encoded.select(data)).encode(encoded.select(data))
    np.testing.assert_allclose(values[0], [1999, 1250.5, 1.5, 1])


@pytest.mark.parametrize(
    ("values", "date_format"),
    [
        (["2021-03-01", "2020-12-31"], "ISO8601"),
        (["2021-03-01T10:00:00", "2020-12-31 07:00"], "ISO8601"),
        (["31/12/2020", "1/3/2021"], "%d/%m/%Y"),
        (["12/31/2020", "3/1/2021"], "%m/%d/%Y"),
        (["31.12.2020", "1.3.2021"], "%d.%m.%Y"),
        (["31 December 2020", "1 March 2021"], "%d %B %Y"),
        (["Dec 31, 2020", "Mar 1, 2021"], "%b %d, %Y"),
        (["12/31/2020 7:00 PM", "3/1/2021 11:30 AM"], "%m/%d/%Y %I:%M %p"),
    ],
    ids=str,
)
def test_dates_as_text_get_an_encoder_of_their_format(values, date_format, capsys):
    encoder, reason = infer(values, capsys)
    assert (type(encoder).__name__, encoder.format) == ("DateEncoder", date_format)
    assert reason == f"dates as text, such as {values[0]!r}"
    dates = encoder.fit(values).prepare(values).astype("datetime64[D]").astype(str).tolist()
    assert sorted(dates) == ["2020-12-31", "2021-03-01"]


def test_dates_of_an_uncertain_format_are_left_out(capsys):
    encoder, reason = infer(["01/02/2021", "03/04/2021"], capsys)
    assert encoder is None
    assert "in the format '%d/%m/%Y' or '%m/%d/%Y'; name one of them in DateEncoder(" in reason


def test_dates_with_a_few_faults_count_them_as_missing(capsys):
    values = ["2021-02-30", *(f"2021-01-{day:02}" for day in range(1, 31)), "", None]
    encoder, reason = infer(values, capsys)
    assert options_of(encoder) == {"on_error": "missing", "optional": True}
    assert "1 of 32 are no dates in this format, such as '2021-02-30'" in reason
    assert reason.startswith("dates as text, such as '2021-01-01'")
    assert reason.endswith("missing in 3 of 33 rows")


@pytest.mark.parametrize(
    "values", [["yes", "no", "yes"], ["TRUE", "FALSE", "TRUE"], ["Y", "N", "N"]], ids=str
)
def test_booleans_as_text_are_categories(values, capsys):
    encoder, reason = infer(values, capsys)
    assert type(encoder).__name__ == "CategoryEncoder"
    assert reason.startswith("booleans as text, ")


# -- images ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shop")
    (folder / "photos").mkdir()
    for number in range(5):
        Image.new("RGB", (5, 4), (50 * number, 0, 0)).save(folder / f"photos/{number}.png")
    return folder


PATHS = [f"photos/{number}.png" for number in range(5)]


def test_paths_without_a_file_count_as_missing(folder, capsys):
    encoder, reason = infer([*PATHS, "photos/no.png"], capsys, root=folder)
    assert options_of(encoder) == {"root": str(folder), "on_error": "missing", "optional": True}
    assert reason == (
        "paths of image files, 1 of 6 paths without a file, such as 'photos/no.png'; missing in 1 "
        "of 6 rows"
    )


@pytest.mark.parametrize("delimiter", ["|", ";", ", ", " "])
def test_delimited_paths_are_lists_of_images(folder, delimiter, capsys):
    values = [delimiter.join(PATHS[:2]), PATHS[2], delimiter.join(PATHS[3:])]
    encoder, reason = infer(values, capsys, root=folder)
    mark = delimiter.strip() or " "
    assert options_of(encoder) == {"items": "mean", "delimiter": mark, "root": str(folder)}
    assert reason == f"lists of paths of image files, delimited by {mark!r}"
    encoder.set_params(image_size=4)
    levels = encoder.encode(values)[:, :, 0, 0, 0]
    np.testing.assert_array_equal(levels, [[0, 50], [100, -1], [150, 200]])


def test_lists_of_paths_as_text_are_lists_of_images(folder, capsys):
    values = [json.dumps(PATHS[:2]), repr(PATHS[2:3]), "[]"]
    encoder, reason = infer(values, capsys, root=folder)
    assert options_of(encoder) == {"items": "mean", "optional": True, "root": str(folder)}
    assert reason.startswith("lists of paths of image files; empty in 1 of 3 rows (as text)")
    encoder.set_params(image_size=4)
    assert encoder.find_missing(values).tolist() == [False, False, True]
    np.testing.assert_array_equal(encoder.encode(values[:2])[:, :, 0, 0, 0], [[0, 50], [100, -1]])


@pytest.mark.parametrize(
    ("values", "what"),
    [
        (["https://a.org/1.jpg", "http://a.org/2.PNG?size=3"], "of images"),
        (["https://a.org/1", "https://a.org/about"], "of pages, or of images"),
    ],
)
def test_web_addresses_are_named_and_left_out(values, what, capsys):
    encoder, reason = infer(values, capsys)
    assert encoder is None
    assert reason.startswith(f"web addresses {what}, which are not fetched unless you ask for it")


@pytest.mark.parametrize("form", ["single", "lists"])
def test_web_addresses_of_images_are_read_where_they_may_be_fetched(form, capsys):
    values = ["https://a.org/1.jpg", "http://a.org/2.PNG?size=3"]
    values, items = (values, {}) if form == "single" else ([values, values[:1]], {"items": "mean"})
    fetch = FetchOptions(timeout=2.0)
    encoder, reason = infer(values, capsys, backbone="MobileNet", image_options={"fetch": fetch})
    assert reason.endswith("web addresses of images")
    assert options_of(encoder) == {"backbone": "MobileNet", "fetch": fetch, **items}


def test_addresses_of_pages_are_left_out_also_where_they_may_be_fetched(capsys):
    options = {"image_options": {"fetch": FetchOptions()}}
    encoder, _ = infer(["https://a.org/1", "https://a.org/about"], capsys, **options)
    assert encoder is None


def test_the_networks_are_passed_to_the_encoders(folder, capsys):
    encoder, _ = infer(PATHS, capsys, root=folder, backbone="MobileNet", weights="w.h5")
    options = {"backbone": "MobileNet", "weights": "w.h5", "root": str(folder)}
    assert options_of(encoder) == options
    network = make_network()
    (encoder,) = infer_encoders({"photo": PATHS}, root=folder, backbone=network)
    assert encoder.get_params(deep=False)["backbone"] is network
    assert "ImageEncoder('photo', backbone=backbone, root=" in capsys.readouterr().out


# -- the printed code ------------------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(
    st.dictionaries(
        st.text(max_size=8),
        st.lists(st.one_of(st.none(), st.text(max_size=12)), min_size=3, max_size=3),
        min_size=1,
        max_size=4,
    )
)
def test_the_code_is_valid_for_any_strings(data):
    data["last"] = [0, 1, 3]
    file = io.StringIO()
    with contextlib.redirect_stdout(file):
        encoders = infer_encoders(data)
    assert_same(evaluate(file.getvalue()), encoders)
