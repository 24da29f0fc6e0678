"""`infer_encoders` for columns whose kind is named, and for later rows with gaps."""

import pytest

from multimodal_ensemble import (
    BagOfWordsEncoder,
    CategoryEncoder,
    DateEncoder,
    DenseEncoder,
    ImageEncoder,
    TextEncoder,
    fit_encoders,
    infer_encoders,
)
from multimodal_ensemble.exceptions import ModalityError

COLOURS = ["red", "blue", "red", "blue"]
# Two of four rows have no number.
WORDS = DenseEncoder("x", decimal=".", on_error="missing", optional=True)
PLACES = ["Paris, FR", "Rome, IT", "Bern, CH", "Rome, IT"]


def infer(values, kind, **options):
    (encoder,) = infer_encoders({"x": values}, kinds={"x": kind}, verbose=0, **options)
    return encoder


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        (COLOURS, "tags", BagOfWordsEncoder("x", delimiter="|")),
        (["a;b,c", "b", "c;a", ""], "tags", BagOfWordsEncoder("x", delimiter=";")),
        (PLACES, "tags", BagOfWordsEncoder("x", delimiter=",")),
        ([["a"], ["b"], ["a"], []], "tags", BagOfWordsEncoder("x")),
        (["#a #b", "#b", "#a", "#c"], "tags", BagOfWordsEncoder("x", tokenizer="hashtags")),
        (COLOURS, "text", BagOfWordsEncoder("x", tokenizer="words")),
        (["a1", "b2", "c3", "d4"], "categories", CategoryEncoder("x")),
        ([1, 2, 3, 4], "categories", CategoryEncoder("x")),
        (["1", "2", "x", "y"], "numbers", WORDS),
        (["1,5", "2,75", "0,5", "3"], "numbers", DenseEncoder("x", decimal=",")),
        (["3", "3", "3", "3"], "numbers", DenseEncoder("x", decimal=".")),
        ([0, 0, 0, 0], "numbers", DenseEncoder("x")),
        (
            ["soon", "2021-03-04", "later", "2022-01-31"],
            "dates",
            DateEncoder("x", on_error="missing"),
        ),
        (["01.03.2021", "31.12.2022"] * 2, "dates", DateEncoder("x", format="%d.%m.%Y")),
        (["a", "b", "c", "d"], "image", ImageEncoder("x", on_error="missing", optional=True)),
    ],
)
def test_the_kind_that_is_named(values, kind, expected):
    encoder = infer(values, kind)
    assert type(encoder) is type(expected)
    assert encoder.get_config() == expected.get_config()


def test_named_numbers_share_an_encoder_and_words_among_them_are_missing():
    data = {"a": ["1", "2", "x", "4"], "b": [0.5, 1.5, 2.5, 0.5]}
    encoders = infer_encoders(data, kinds={"a": "numbers"}, verbose=0)
    assert [each.columns for each in encoders] == [["a", "b"]]
    with pytest.warns(UserWarning, match="1 of 4 values are no numbers"):
        fit_encoders(encoders, data)


def test_named_texts_are_read_by_the_language_model():
    encoder = infer(COLOURS, "text", text_backbone="models/minilm")
    assert isinstance(encoder, TextEncoder)


def test_named_tags_are_also_embedded():
    encoders = infer_encoders({"x": COLOURS}, kinds={"x": "tags"}, embed_tags=True, verbose=0)
    assert [each.name for each in encoders] == ["x", "x_embedding"]


def test_the_reason_says_what_the_values_look_like(capsys):
    infer_encoders({"x": ["5 kg", "12 kg", "7", "8"]}, kinds={"x": "numbers"})
    line = next(line for line in capsys.readouterr().out.splitlines() if "DenseEncoder('x'" in line)
    assert "named as numbers; texts of 1.5 words; 2 of 4 are no numbers, such as '5 kg'" in line


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        ({"y": "text"}, "kinds names 'y', which the data lacks"),
        ({"x": "audio"}, r"kinds\['x'\] must be one of \['categories', .*Received 'audio'"),
    ],
)
def test_unknown_columns_and_kinds_are_refused(kinds, message):
    with pytest.raises(ModalityError, match=message):
        infer_encoders({"x": COLOURS}, kinds=kinds)


def test_later_rows_may_lack_what_all_of_these_have(tmp_path, capsys):
    data = {
        "tags": ["a|b", "b", "c|b", "a|c"],
        "photo": ["data:image/png;base64,AAAA"] * 4,
        "day": ["2021-01-02", "2022-01-02", "2023-01-02", "2024-01-02"],
        "size": [1.5, 2.5, 1, 2],
        "colour": COLOURS,
    }
    options = {"image_size": 64, "weights": None}
    encoders = infer_encoders(data, allow_missing=True, image_options=options)
    found = {each.name: each for each in encoders}
    assert {name for name, each in found.items() if each.optional} == {"tags", "photo"}
    photo = found["photo"]
    assert (photo.on_error, photo.image_size, photo.weights) == ("missing", 64, None)
    assert "ImageEncoder('photo', image_size=64, weights=None, " in capsys.readouterr().out
    assert not any(each.optional for each in infer_encoders(data, verbose=0))
