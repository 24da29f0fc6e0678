"""`infer_encoders` for each kind of column; the encoders are fitted to their columns."""

import datetime
import re
from decimal import Decimal
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings, strategies as st
from PIL import Image

from multimodal_ensemble import (
    BagOfWordsEncoder,
    CategoryEncoder,
    DateEncoder,
    DenseEncoder,
    ImageEncoder,
    TagEmbeddingEncoder,
    fit_encoders,
    fuse_encoders,
    infer_encoders,
)
from multimodal_ensemble.encoders import present_values
from multimodal_ensemble.exceptions import ModalityError

NUMBERS = [1.5, 2.5, 4.0, 8.0]


def infer(data, **options):
    return infer_encoders(data, verbose=0, **options)


def infer_one(values, name="column", **options):
    (encoder,) = infer({name: values}, **options)
    return encoder


def reason(values, capsys, name="column"):
    """Return the reason for which a column is left out of a table with another column."""
    data = {name: values, "numbers": 5 + np.arange(len(values))}
    (encoder,) = infer_encoders(data)
    assert encoder.name == "numbers"
    (line,) = [line for line in capsys.readouterr().out.splitlines() if ": left out; " in line]
    return line.removeprefix(f"    # {name}: left out; ")


def fit_and_encode(encoders, data):
    """Return the encoded rows that have each modality, by name."""
    return {
        encoder.name: encoder.encode(present_values(encoder, encoder.select(data))[0])
        for encoder in fit_encoders(encoders, data)
    }


# -- images ----------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path):
    for number in range(4):
        Image.new("RGB", (5, 4), (60 * number, 0, 0)).save(tmp_path / f"{number}.png")
    return tmp_path


NAMES = [f"{number}.png" for number in range(4)]


@pytest.mark.parametrize("kind", [str, Path])
def test_relative_paths_start_from_root(folder, kind):
    encoder = infer_one([kind(name) for name in NAMES], root=folder)
    assert isinstance(encoder, ImageEncoder)
    assert (encoder.name, encoder.column, encoder.optional) == ("column", None, False)
    assert encoder.root == str(folder)
    images = encoder.set_params(image_size=4).encode(NAMES)
    assert images[:, 0, 0, 0].tolist() == [0, 60, 120, 180]


@pytest.mark.parametrize("kind", [str, Path])
def test_absolute_paths_need_no_root(folder, kind):
    encoder = infer_one([kind(folder / name) for name in NAMES])
    assert isinstance(encoder, ImageEncoder)
    assert encoder.root is None


def test_relative_paths_start_from_the_working_directory(folder, monkeypatch):
    monkeypatch.chdir(folder)
    encoder = infer_one(NAMES)
    assert isinstance(encoder, ImageEncoder)
    assert encoder.root is None


def test_some_files_may_not_exist_and_some_paths_may_be_missing(folder):
    encoder = infer_one([*NAMES, "none.JPG", None], root=folder)
    assert isinstance(encoder, ImageEncoder)
    assert encoder.optional is True


@pytest.mark.parametrize("values", [NAMES, ["https://example.org/a.jpg", "b.webp", "c.TIFF"]])
def test_paths_without_files_are_left_out_with_advice_about_root(values, tmp_path, capsys):
    with pytest.warns(UserWarning, match="cannot be found"):
        assert "do not exist under '.'; pass root=..." in reason(values, capsys)
    with pytest.raises(ModalityError, match=r"do not exist under '.+'; pass root="):
        infer({"column": values}, root=tmp_path)


@pytest.mark.parametrize("name", ["a\0b.jpg", "x" * 5000 + ".jpg", "\ud800.jpg"], ids=len)
def test_paths_that_no_file_can_have_are_paths_without_files(name, capsys):
    with pytest.warns(UserWarning, match="2 image files cannot be found"):
        assert "do not exist" in reason([name, f"1{name}"], capsys)


@pytest.mark.parametrize(
    "values", [NAMES, [["0.png", "1.png"], [], ["2.png"], ["3.png", "0.png"]]], ids=["one", "lists"]
)
def test_a_warning_names_the_column_whose_files_are_absent(values, tmp_path):
    data = {"photo": values, "tags": [["a"], ["b"], ["a", "b"], []]}
    expected = (
        f"The column 'photo' is left out: 4 image files cannot be found under {str(tmp_path)!r}, "
        "such as '0.png'. Pass the folder that its paths start from as root= to infer_encoders, or "
        "as --root on the command line. If the column is not needed, exclude it."
    )
    with pytest.warns(UserWarning, match=f"^{re.escape(expected)}$"):
        (encoder,) = infer_encoders(data, root=tmp_path, verbose=0)
    assert encoder.name == "tags"
    assert len(infer_encoders(data, exclude=["photo"], verbose=0)) == 1


def test_paths_of_other_files_are_left_out(capsys):
    values = [Path("a.txt"), Path("b.txt"), Path("a.txt")]
    assert reason(values, capsys) == "paths of files that are not images"


def png(level):
    file = BytesIO()
    Image.new("RGB", (5, 4), (level, 0, 0)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    "make",
    [
        png,
        lambda level: Image.new("RGB", (5, 4), (level, 0, 0)),
        lambda level: np.full((4, 5, 3), level, dtype="uint8"),
        lambda level: np.full((4, 5), level, dtype="uint8"),
        lambda level: np.full((4, 5), level * 257, dtype="uint16"),
    ],
    ids=["bytes", "PIL", "colour", "grey", "grey of 16 bits"],
)
def test_images_in_memory_get_an_image_encoder(make):
    values = [make(level) for level in (0, 60, 120)]
    encoder = infer_one([*values, None])
    assert isinstance(encoder, ImageEncoder)
    assert encoder.optional is True
    assert encoder.set_params(image_size=4).encode(values)[:, 0, 0, 0].tolist() == [0, 60, 120]


# -- tokens, categories, texts ---------------------------------------------------------------------


@pytest.mark.parametrize("kind", [list, tuple, set, frozenset, np.array])
def test_collections_of_strings_are_lists_of_tokens(kind):
    values = [kind(["space", "war"]), kind(["love"]), kind(["war"])]
    encoder = infer_one(values)
    assert isinstance(encoder, BagOfWordsEncoder)
    assert (encoder.delimiter, encoder.tokenizer, encoder.optional) == (None, None, False)
    assert encoder.fit(values).vocabulary_ == ["war", "love", "space"]


def test_rows_without_tokens_are_not_missing():
    assert infer_one([["space"], [], ["war"]]).optional is False
    assert infer_one([["space"], None, ["war"]]).optional is True


def test_tokens_after_many_empty_lists_are_found():
    values = [[]] * 300 + [["late"]]
    assert infer_one(values).fit(values).vocabulary_ == ["late"]


@pytest.mark.parametrize("delimiter", ["|", ";"])
def test_delimited_strings_are_split(delimiter):
    values = [f"space{delimiter}star war", "love", f"war{delimiter}love", None]
    encoder = infer_one(values)
    assert (encoder.delimiter, encoder.tokenizer, encoder.optional) == (delimiter, None, True)
    assert encoder.fit(values[:3]).vocabulary_ == ["love", "word:war", "space", "star war", "war"]


def test_semicolons_in_texts_do_not_delimit_tokens():
    clause = "it was the best of times, it was the worst of times"
    encoder = infer_one([f"{clause}; {clause} of {number}" for number in range(9)])
    assert (encoder.delimiter, encoder.tokenizer) == (None, "words")


def test_few_distinct_strings_are_categories_and_stay_whole():
    values = ["New York", "Los Angeles", "New York", "Paris"] * 3
    encoder = infer_one(values)
    assert encoder.fit(values).categories_ == [["New York", "Los Angeles", "Paris"]]


@pytest.mark.parametrize("rare", [["a|b"], ["a|b", "c;d"], ["c|d;e\nf"]], ids=str)
def test_a_delimiter_in_a_rare_category_does_not_split_it(rare):
    values = ["plain", "simple"] * 50 + rare
    encoder = infer_one(values).set_params(min_count=1)
    assert set(encoder.fit(values).categories_[0]) == {"plain", "simple", *rare}


def test_columns_of_categories_are_one_modality():
    data = {
        "country": ["US", "FR", None, "US"] * 2,
        "plot": [f"text {row}" for row in range(8)],
        "colour": pd.Series([1, 2, 3, 1] * 2, dtype="category"),
    }
    plot, categories = infer(data)
    assert isinstance(categories, CategoryEncoder)
    assert (categories.name, categories.column) == ("categories", ["country", "colour"])
    # Each row has a colour.
    assert (plot.optional, categories.optional) == (False, False)
    data["colour"][[2, 6]] = None
    assert infer(data)[1].optional is True


def test_delimited_strings_of_the_categorical_type_are_split():
    values = pd.Series(["a|b", "b", "a|b", "b"], dtype="category")
    assert infer_one(values).delimiter == "|"


def test_more_than_50_categories_are_texts():
    def values(n_categories):
        return [f"word {number}" for number in range(n_categories)] * 4

    assert isinstance(infer_one(values(50)), CategoryEncoder)
    assert infer_one(values(51)).tokenizer == "words"
    assert isinstance(infer_one(pd.Series(values(51), dtype="category")), CategoryEncoder)
    assert infer_one(pd.Series(values(51)[:51], dtype="category")).tokenizer == "words"


def test_texts_are_split_into_words():
    values = ["A space odyssey.", "Love in Paris", "War, and peace", None]
    encoder = infer_one(values)
    assert (encoder.delimiter, encoder.tokenizer, encoder.optional) == (None, "words", True)
    assert "odyssey" in encoder.fit(values[:3]).vocabulary_


@pytest.mark.parametrize("text", ["word " * 20_000, "a\0b c"], ids=["long", "NUL"])
def test_unusual_texts_are_split_into_words(text):
    assert infer_one([f"{text} {number}" for number in range(4)]).tokenizer == "words"


# -- numbers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "values",
    [
        NUMBERS,
        [1, 2, 3, 3],
        [1, 2.5, np.int64(3), np.float32(2)],
        np.array([1, 2, 3], dtype="uint8"),
        [True, False, True],
        [Decimal("1.5"), Decimal(2)],
    ],
    ids=str,
)
def test_numbers_get_a_dense_encoder(values):
    encoder = infer_one(values)
    assert isinstance(encoder, DenseEncoder)
    assert encoder.optional is False
    assert encoder.fit(values).encode(values).shape == (len(values), 1)


@pytest.mark.parametrize("nothing", [None, float("nan"), Decimal("nan"), pd.NA, np.float32("nan")])
def test_missing_numbers_make_the_encoder_optional(nothing):
    encoder = infer_one([1.5, nothing, 2.5])
    assert isinstance(encoder, DenseEncoder)
    assert encoder.optional is True


def test_columns_of_numbers_are_one_modality_that_is_optional_if_a_row_lacks_all():
    data = {"year": [1, 2, 3], "note": [1, None, 2], "minutes": NUMBERS[:3]}
    (numbers,) = infer(data)
    assert (numbers.name, numbers.column) == ("numbers", ["year", "note", "minutes"])
    assert numbers.optional is False
    assert fit_and_encode([numbers], data)["numbers"].shape == (3, 4)
    (numbers,) = infer({"a": [1, None, 3], "b": [None, None, 2]})
    assert numbers.optional is True


@pytest.mark.parametrize("number", [float("inf"), -float("inf"), 10**400, 1e39, Decimal("1e39")])
def test_a_column_with_infinite_numbers_is_left_out(number, capsys):
    expected = "infinite or too large numbers; replace these to use it"
    assert reason([1, number, 2], capsys) == expected


@pytest.mark.parametrize(
    "values",
    [
        [[1, 2], [3, 4]],
        [(1.0, 2.5), (3, 4)],
        list(np.ones((2, 2), dtype="float32")),
        np.ones((2, 2)),
        [[True, False], [False, False]],
        list(np.ones((2, 2), dtype="uint8")),
    ],
    ids=str,
)
def test_vectors_get_a_dense_encoder(values):
    encoder = infer_one(values)
    assert isinstance(encoder, DenseEncoder)
    assert encoder.fit(values).input_shape == (2,)
    assert infer_one([*values, None]).optional is True


# -- pandas types ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "kind", "optional"),
    [
        (pd.Categorical(["a", "b", "a", None] * 2), CategoryEncoder, True),
        (pd.Categorical(["a", "b"] * 2), CategoryEncoder, False),
        (pd.Categorical([1, 2, 1, 2]), CategoryEncoder, False),
        (pd.Categorical([1, 2, 3]), DenseEncoder, False),
        (pd.array(["a", "b", "a", None], dtype="string"), BagOfWordsEncoder, True),
        (pd.array(["a b", "c d", "a e"], dtype="string"), BagOfWordsEncoder, False),
        (pd.array([1, 2, None], dtype="Int64"), DenseEncoder, True),
        (pd.array([1, 2, 3], dtype="Int64"), DenseEncoder, False),
        (pd.array([1.5, None, 3], dtype="Float64"), DenseEncoder, True),
        (pd.array([True, False, None], dtype="boolean"), DenseEncoder, True),
        (pd.array([True, False], dtype="boolean"), DenseEncoder, False),
        (pd.arrays.SparseArray([0, 0, 1.0]), DenseEncoder, False),
    ],
    ids=str,
)
def test_pandas_types_are_recognised(values, kind, optional):
    data = pd.DataFrame({"column": values}, index=range(7, 7 + len(values)))
    (encoder,) = infer(data)
    assert isinstance(encoder, kind)
    assert encoder.optional is optional
    n_rows = len(values) - int(data["column"].isna().sum())
    assert len(fit_and_encode([encoder], data)["column"]) == n_rows


def test_arrow_tables_are_read_as_tables_of_pandas_are():
    pa = pytest.importorskip("pyarrow")
    table = pd.DataFrame({"year": [1990, 2000, 1995], "tags": [["a"], ["b", "a"], []]})
    arrow = pa.Table.from_pandas(table)
    expected = infer(table)
    assert repr(infer(arrow)) == repr(expected)
    for fitted, other in zip(
        fit_encoders(infer(arrow), arrow), fit_encoders(expected, table), strict=True
    ):
        assert fitted.get_state().keys() == other.get_state().keys()
        values = table[fitted.name]
        np.testing.assert_array_equal(fitted.encode(values), other.encode(values))


@pytest.mark.parametrize(
    ("make_type", "values", "kind"),
    [
        (lambda pa: pa.int8(), [1, 2, 3], DenseEncoder),
        (lambda pa: pa.bool_(), [True, False, True], DenseEncoder),
        (lambda pa: pa.decimal128(5, 2), [1, 2, 3], DenseEncoder),
        (lambda pa: pa.list_(pa.float64()), [[1, 2], [3, 4], [5, 7]], DenseEncoder),
        (lambda pa: pa.list_(pa.string()), [["a"], ["b", "a"], []], BagOfWordsEncoder),
        (lambda pa: pa.dictionary(pa.int8(), pa.string()), ["a", "b"] * 2, CategoryEncoder),
        (lambda pa: pa.large_string(), ["a b", "c d", "a e"], BagOfWordsEncoder),
    ],
    ids=["int", "bool", "decimal", "vectors", "tokens", "dictionary", "string"],
)
def test_arrow_types_are_recognised(make_type, values, kind):
    dtype = pd.ArrowDtype(make_type(pytest.importorskip("pyarrow")))
    whole, partial = (pd.DataFrame({"x": pd.array(v, dtype)}) for v in (values, [*values, None]))
    for data, optional in ((whole, False), (partial, True)):
        (encoder,) = infer(data)
        assert type(encoder) is kind
        assert encoder.optional is optional
    encoded = fit_and_encode(infer(partial), partial)["x"]
    np.testing.assert_array_equal(encoded, fit_and_encode(infer(whole), whole)["x"])
    objects = pd.DataFrame({"x": pd.Series(values, dtype=object)})
    np.testing.assert_array_equal(encoded, fit_and_encode(infer(objects), objects)["x"])


@pytest.mark.parametrize(
    "values",
    [
        pd.date_range("2020-01-01", periods=3),
        pd.date_range("2020-01-01", periods=3, tz="UTC"),
        pd.period_range("2020-01", periods=3, freq="M"),
        [datetime.date(2020, 1, day) for day in (1, 2, 3)],
        [pd.Timestamp(2020, 1, 1), pd.Timestamp(2021, 1, 1), None],
    ],
    ids=str,
)
def test_dates_get_a_date_encoder(values):
    encoder = infer_one(values)
    assert isinstance(encoder, DateEncoder)
    assert encoder.optional == any(value is None for value in values)


def test_time_spans_are_left_out_with_advice(capsys):
    spans = pd.to_timedelta([1, 2, 3], unit="s")
    assert reason(spans, capsys).startswith("time spans; turn them into numbers")


# -- columns that are left out ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([None, float("nan"), pd.NaT], "no row has a value"),
        ([], "no row has a value"),
        ([1, 1, 1], "the same number in each row, 1"),
        (np.ones(3), "the same number in each row, 1.0"),
        (["x", "x", None], "the same string in each row, 'x'"),
        (["x " * 999] * 3, f"the same string in each row, {'x ' * 40!r}"),
        (["", "", ""], "the same string in each row, ''"),
        (["tt01", "tt02", "tt03"], "a different word in each row, like an id"),
        (["tt01", None, "tt03"], "a different word in each row, like an id"),
        ([[], [], None], "empty lists"),
        (["", " ", ""], "the same string in each row, ''"),
        (["... !", "?? ?", "- -"], "texts without a token"),
        (["|", " | |", "|"], "strings delimited by '|' without a token"),
        ([["x", 1], ["y"]], "lists that hold neither tokens nor numbers only"),
        ([["x", None], ["y"]], "lists that hold neither tokens nor numbers only"),
        ([[["x"], ["y", "z"]], []], "lists that hold neither tokens nor numbers only"),
        ([[np.timedelta64(1, "D")], [np.timedelta64(2, "D")]], "lists that hold neither tokens"),
        (list(np.ones((2, 2), dtype="m8[D]")), "lists that hold neither tokens nor numbers only"),
        ([iter("ab"), iter("c")], "values of the type str_"),
        ([[1j], [2j]], "lists that hold neither tokens nor numbers only"),
        (list(np.ones((3, 4, 2))), "lists that hold neither tokens nor numbers only"),
        ([[1, 2], [3]], "lists of numbers that differ in length; Sequence"),
        ([{1, 2}, {3, 4}], "sets of numbers, which have no order"),
        ([[1, np.nan], [2, 3]], "vectors with NaN or infinite numbers; replace these to use it"),
        ([[1, 2]] * 300 + [[np.inf, 3]], "vectors with NaN or infinite numbers; replace these"),
        ([1, "a"], "values of the type int or str"),
        ([["a"]] * 300 + [1], "values of the type int or list"),
        (["a b"] * 300 + [["a"]], "values of the type list or str"),
        ([1j, 2j], "values of the type complex"),
        ([{}, {}], "no token has a count"),
        ([np.array(1), np.array(2)], "values of the type ndarray"),
        ([bytearray(b"a"), bytearray(b"b")], "values of the type bytearray"),
        (pd.interval_range(0, 3), "values of the type Interval"),
    ],
)
def test_a_column_without_use_is_left_out_with_the_reason(values, expected, capsys):
    if len(values):
        assert reason(values, capsys).startswith(expected)
    else:
        with pytest.raises(ModalityError, match=expected):
            infer({"column": values})


@pytest.mark.parametrize(
    "name", ["movieId", "id", "ID", "Id", "user_id", "user id", "userID", "index", "Unnamed: 0"]
)
def test_distinct_whole_numbers_are_ids_if_the_column_is_named_so(name, capsys):
    expected = "a different whole number in each row, like an id"
    assert reason([7, 8, 9], capsys, name=name) == expected
    assert reason([7.0, None, 9.0], capsys, name=name) == expected


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("video", [7, 8, 9]),
        ("grid", [7, 8, 9]),
        ("valid", [7, 8, 9]),
        ("id", [7, 8, 8]),
        ("id", [7.5, 8, 9]),
    ],
)
def test_other_numbers_are_not_ids(name, values):
    assert isinstance(infer_one(values, name), DenseEncoder)


# -- names -----------------------------------------------------------------------------------------


def test_names_that_keras_refuses_are_replaced():
    texts = ["one two", "three four"]
    data = {"Año de estreno": NUMBERS[:2], "_x": texts, "¡!": texts, "a/b": texts}
    names = {encoder.name: encoder.column for encoder in infer(data)}
    assert names == {"x": "_x", "modality": "¡!", "a_b": "a/b", "A_o_de_estreno": "Año de estreno"}


def test_names_that_become_equal_are_numbered():
    texts = ["one two", "three four"]
    names = {e.name: e.column for e in infer(dict.fromkeys(["a b", "a/b", "a_b", "a_b_2"], texts))}
    assert names == {"a_b": "a b", "a_b_2": "a/b", "a_b_3": "a_b", "a_b_2_2": "a_b_2"}


def test_the_joint_name_of_numbers_may_be_taken_by_a_column():
    data = {"numbers": ["one two", "three four"], "x": NUMBERS[:2], "y": NUMBERS[:2]}
    text, numbers = infer(data)
    assert (text.name, text.column) == ("numbers", None)
    assert (numbers.name, numbers.column) == ("numbers_2", ["x", "y"])


@pytest.mark.parametrize(
    "names",
    [
        ["x", "x_present"],
        ["x_present", "x"],
        ["x", "x_head"],
        ["x_or_missing", "x"],
        ["x_features", "x"],
        ["embeddings", "scores"],
        ["modality_dropout", "embeddings_dropout"],
    ],
)
def test_no_encoder_has_the_name_of_another_layer_of_the_model(names):
    data = pd.DataFrame({name: ["one two", None, "three"] for name in names})
    encoders = infer(data)
    assert [encoder.columns for encoder in encoders] == [[name] for name in names]
    fit_encoders(encoders, data)
    model = fuse_encoders(encoders, 2, dropout=0.1, modality_dropout=0.1)
    assert model.output_shape == (None, 2)


@settings(deadline=None)
@given(st.lists(st.text(max_size=5), min_size=1, max_size=5, unique=True))
def test_encoders_have_distinct_names_for_any_column_names(columns):
    data = pd.DataFrame({column: ["one two", "three"] for column in columns})
    encoders = fit_encoders(infer(data), data)
    assert [encoder.columns for encoder in encoders] == [[column] for column in columns]


@pytest.mark.parametrize("name", [0, None, ("a", "b")])
def test_column_names_that_are_not_strings_are_refused(name):
    with pytest.raises(ModalityError, match=r"must be strings. Received .*rename\(columns=str\)"):
        infer({name: NUMBERS})


def test_long_column_names_are_cut():
    names = ["x" * 500, "x" * 501]
    encoders = infer({name: ["one two", "three"] for name in names})
    assert [encoder.columns for encoder in encoders] == [[name] for name in names]
    assert [len(encoder.name) for encoder in encoders] == [80, 82]


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (pd.DataFrame({"a": [1, 2]}).to_dict(), "Column 'a' .* whose keys are not rows"),
        ({"a": iter([1, 2])}, "can be read only once"),
        ({"a": pd.DataFrame({"b": [1, 2]})}, "has columns of its own"),
        ({"a": "text"}, "one value for"),
        (pd.DataFrame([[1, 2]], columns=[["a", "a"], ["x", "y"]]), "2 levels of names"),
    ],
    ids=["to_dict", "iterator", "table", "string", "levels"],
)
def test_data_that_is_no_table_of_columns_is_refused(data, match):
    with pytest.raises(ModalityError, match=match):
        infer(data)


def test_repeated_column_names_are_refused():
    table = pd.DataFrame([[1, 2, 3], [4, 5, 6]], columns=["a", "b", "a"])
    with pytest.raises(ModalityError, match=r"distinct names. Received \['a'\] more than once"):
        infer(table)


# -- the whole table -------------------------------------------------------------------------------


@pytest.fixture
def movies():
    return pd.DataFrame(
        {
            "movieId": [7, 8, 9, 10, 11, 12],
            "tags": [["space", "war"], ["love"], [], ["war"], ["love"], ["robot"]],
            "country": ["US", "FR"] * 3,
            "cast": ["Ann Lee|Bo Li", "Ann Lee", "Cy Fox|Bo Li", None, "Cy Fox", "Ann Lee"],
            "plot": ["A war in space", "Love in Paris", "Go", "War again", "Kiss me", "I, robot"],
            "year": [1977, 1997, 2001, 2003, 1999, 2004],
            "budget (M$)": pd.array([1.5, None, 2.5, 3.5, 4.5, 5.5], dtype="Float64"),
            "vector": list(np.arange(12.0).reshape(6, 2)),
            "released": pd.date_range("2000-01-01", periods=6),
            "minutes": [90.0, 80.5, 100.0, 120.0, 95.0, 99.0],
            "genres": [["Action"], ["Romance"]] * 3,
        },
        index=[3, 3, 1, 0, 5, 8],
    )


PRINTED = """\
# Encoders for 11 columns:
from multimodal_ensemble import BagOfWordsEncoder, CategoryEncoder, DateEncoder, DenseEncoder
encoders = [
    # movieId: left out; a different whole number in each row, like an id
    BagOfWordsEncoder('tags'),  # lists of tokens
    BagOfWordsEncoder('cast', delimiter='|', optional=True),  # strings delimited by '|' in 40 % \
of rows, 1.4 pieces of 2.0 words each; missing in 1 of 6 rows
    BagOfWordsEncoder('plot', tokenizer='words'),  # texts of 2.3 words; a language model reads \
more from them, with text_backbone='folder'
    DenseEncoder('vector'),  # vectors of 2 numbers
    DateEncoder('released'),  # dates
    # genres: left out; excluded
    CategoryEncoder('country'),  # 2 categories
    DenseEncoder('numbers', column=['year', 'budget (M$)', 'minutes']),  # numbers; 1 of 18 \
values are missing
]
"""


def test_columns_of_tags_are_also_embedded_on_request(movies, capsys):
    movies["counts"] = [{"war": 2}, {}, {"love": 1.0}] * 2
    movies["counts_embedding"] = movies["tags"]
    encoders = infer_encoders(movies, exclude=["genres"], embed_tags=True)
    last = encoders[-4:]
    assert all(type(encoder) is TagEmbeddingEncoder for encoder in last)
    assert [(encoder.name, encoder.column) for encoder in last] == [
        ("tags_embedding", "tags"),
        ("cast_embedding", "cast"),
        ("counts_embedding_2", "counts"),
        ("counts_embedding_embedding", "counts_embedding"),
    ]
    assert not any(isinstance(encoder, TagEmbeddingEncoder) for encoder in encoders[:-4])
    line = "TagEmbeddingEncoder('cast_embedding', column='cast', delimiter='|', optional=True),"
    assert line in capsys.readouterr().out
    assert all(len(rows) for rows in fit_and_encode(encoders, movies).values())


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([{"war": 1.5}, {"love": 1}], "mappings that hold anything but whole numbers by token"),
        ([{"war": 1}, {3: 1}], "mappings that hold anything but whole numbers by token"),
        ([{"war": 0}, {}], "no token has a count"),
    ],
)
def test_mappings_of_anything_but_counts_are_left_out(values, expected, capsys):
    assert reason(values, capsys) == expected


def test_the_choices_are_printed_with_reasons(movies, capsys):
    infer_encoders(movies, exclude=["genres"])
    assert capsys.readouterr().out == PRINTED


def test_nothing_is_printed_with_verbose_0(movies, capsys):
    infer(movies)
    assert capsys.readouterr().out == ""


def test_the_encoders_of_a_whole_table_can_be_fitted_and_encode(movies):
    encoded = fit_and_encode(infer(movies, exclude=["genres"]), movies)
    assert {name: array.shape for name, array in encoded.items()} == {
        "tags": (6, 4),
        "country": (6, 2),
        "cast": (5, 3),
        "plot": (6, 12),
        "vector": (6, 2),
        "released": (6, 6),
        "numbers": (6, 4),
    }


def test_a_mapping_is_handled_like_a_table(movies, capsys):
    infer_encoders({name: list(movies[name]) for name in movies}, exclude=["genres"])
    assert capsys.readouterr().out == PRINTED


def test_an_array_is_one_modality(capsys):
    array = np.arange(6.0).reshape(3, 2)
    (encoder,) = infer_encoders(array)
    assert isinstance(encoder, DenseEncoder)
    assert "    DenseEncoder('features'),  # an array of numbers\n" in capsys.readouterr().out
    (fitted,) = fit_encoders([encoder], {"features": array})
    assert fitted.input_shape == (2,)


@pytest.mark.parametrize("kind", [list, set, pd.Index, pd.Series, np.array])
def test_exclude_may_be_any_collection(movies, kind):
    columns = ["genres", "plot", "year", "minutes"]
    exclude = set(columns) if kind is set else kind(columns)
    used = {column for encoder in infer(movies, exclude=exclude) for column in encoder.columns}
    assert used == {"tags", "country", "cast", "budget (M$)", "vector", "released"}


def test_exclude_must_not_be_a_string(movies):
    with pytest.raises(ModalityError, match=r"collection of names. Received the string"):
        infer(movies, exclude="genres")


@pytest.mark.parametrize(
    ("data", "received"),
    [
        (np.arange(3), r"ndarray of shape \(3,\)"),
        (np.zeros((2, 2, 2)), r"ndarray of shape \(2, 2, 2\)"),
        ([[1, 2]], "list"),
        (pd.Series([1, 2]), "Series"),
        (None, "NoneType"),
    ],
)
def test_data_of_another_type_is_refused(data, received):
    with pytest.raises(
        ModalityError, match=rf"must be a DataFrame, a mapping.*Received {received}"
    ):
        infer(data)


@pytest.mark.parametrize(
    ("data", "options", "match"),
    [
        ({}, {}, r"No column can be used, so pass encoders=\[...\] instead:$"),
        ({"a": [1, 1]}, {}, r"instead:\n  a: left out; the same number in each row, 1$"),
        ({"a": [1, 2]}, {"exclude": ["a"]}, "  a: left out; excluded"),
        (pd.DataFrame({"a": [], "b": []}), {}, "a: left out; no row has a value\n  b: left out"),
    ],
    ids=str,
)
def test_a_table_without_usable_columns_is_an_error_with_the_reasons(data, options, match):
    with pytest.raises(ModalityError, match=match):
        infer(data, **options)


def test_weights_of_none_are_random_as_those_of_an_image_encoder(capsys):
    pixels = {"photo": [np.zeros((8, 8, 3), np.uint8)] * 4}
    (pretrained,) = infer(pixels)
    (random,) = infer_encoders(pixels, weights=None)
    assert (pretrained.weights, random.weights) == ("imagenet", None)
    assert "ImageEncoder('photo', weights=None)" in capsys.readouterr().out
