"""Every row of the tables in docs/reference/bad_input.md, which describe how bad input is handled.

Each row is a case here, by its first column. If the second column begins with an exception, the
case must raise it with the words in quotation marks. Otherwise it must return the second column.
"""

import base64
import contextlib
import functools
import io
import json
import os
import re
import struct
import tempfile
import warnings
import zipfile
import zlib
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from PIL import Image
from sklearn.model_selection import ShuffleSplit
from sklearn.tree import DecisionTreeClassifier

import multimodal_ensemble.exceptions
from multimodal_ensemble import (
    BagOfWordsEncoder,
    CategoryEncoder,
    DateEncoder,
    DenseEncoder,
    FeatureStore,
    ImageEncoder,
    MultimodalClassifier,
    MultimodalEnsemble,
    infer_encoders,
)
from multimodal_ensemble._target import read_target
from multimodal_ensemble.cli import main
from multimodal_ensemble.encoders import DenseHead
from multimodal_ensemble.images import FetchOptions
from multimodal_ensemble.metrics import apply_thresholds
from multimodal_ensemble.model_selection import (
    TunedThresholdMultilabelClassifier,
    stratified_holdout,
)
from multimodal_ensemble.saving import read_archive, write_archive
from multimodal_ensemble.serving import ServingLimits, make_app
from tests.serving.conftest import open_client
from tests.toys import ArrayEncoder, make_network, make_poster, use_shallow_network

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "bad_input.md"
CASES, SLOW = {}, set()


def case(name, *, is_slow=False):
    def keep(function):
        assert name not in CASES
        SLOW.update({name} if is_slow else ())
        CASES[name] = function
        return function

    return keep


def read_rows():
    """Return the input and the result of each row of the page's tables."""
    found = re.findall(r"^\| (.+?) +\| (.+?) +\|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return {name: outcome for name, outcome in found if not name.startswith(("---", "input"))}


ROWS = read_rows() if PAGE.exists() else {}


def test_rows_and_cases_are_the_same():
    assert list(ROWS) == list(CASES)


def pytest_generate_tests(metafunc):
    if "name" in metafunc.fixturenames:
        names = [
            pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in CASES
        ]
        metafunc.parametrize("name", names)


def test_row(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outcome = ROWS[name]
    is_error = re.match(r"`(\w+(?:Error|Interrupt|Exit))`", outcome)
    if not is_error:
        assert CASES[name](tmp_path) == outcome
        return
    builtin = getattr(__builtins__, is_error[1], None) or __builtins__.get(is_error[1])
    kind = getattr(multimodal_ensemble.exceptions, is_error[1], builtin)
    with pytest.raises(kind) as caught:
        CASES[name](tmp_path)
    for words in re.findall(r'"(.+?)"', outcome):
        assert words in str(caught.value)


# -- parts of the cases ----------------------------------------------------------------------------


def table(n_rows=40):
    rng = np.random.default_rng(1)
    y = np.stack([np.arange(n_rows) % 2, np.arange(n_rows) // 2 % 2], axis=1)
    data = pd.DataFrame(
        {
            "photo": [rng.integers(0, 256, (9, 9, 3), dtype="uint8") for _ in range(n_rows)],
            "tags": [["a", "b"] if row[0] else ["c"] for row in y],
            "number": rng.normal(size=n_rows),
        }
    )
    return data, pd.DataFrame(y, columns=["first", "second"])


def photo(**options):
    network = make_network(n_maps=2, activation=None, preprocessing=False)
    return make_poster("photo", network=network, head=DenseHead(2, scaling="log"), **options)


def make(*encoders, **options):
    encoders = encoders or (
        BagOfWordsEncoder("tags", head=DenseHead(2, activation="sigmoid")),
        DenseEncoder("number", head=DenseHead(2)),
    )
    # All rows are one batch, and plain SGD has no state: little to compute and to build.
    defaults = {"epochs": 1, "batch_size": 64, "optimizer": "sgd", "random_state": 1, "verbose": 0}
    return MultimodalClassifier(list(encoders), **{**defaults, **options})


def fit(*encoders, **options):
    return make(*encoders, **options).fit(*table())


@functools.cache
def fitted():
    """Return a classifier that no case may change."""
    return fit()


@functools.cache
def fitted_to_photos():
    """Return a classifier that no case may change."""
    return fit(photo())


def changed(column, value, row=5):
    """Return the table with one value replaced."""
    data, y = table()
    values = data[column].astype(object).tolist()
    values[row] = value
    return data.assign(**{column: pd.Series(values, dtype=object)}), y


def quietly(function):
    """Return the result of a function and the warnings that it issues."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = function()
    return result, " ".join(str(warning.message) for warning in caught)


# -- images ----------------------------------------------------------------------------------------


def png(folder, name="good.png", size=(20, 20)):
    Image.new("RGB", size, (200, 30, 60)).save(folder / name, format="PNG")
    return folder / name


def huge(folder):
    """Return an image of 60,000 by 60,000 pixels in about 100 bytes."""
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunks = b""
    for kind, body in ((b"IHDR", header), (b"IDAT", zlib.compress(b"0")), (b"IEND", b"")):
        chunks += struct.pack(">I", len(body)) + kind + body
        chunks += struct.pack(">I", zlib.crc32(kind + body))
    (folder / "huge.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)
    return folder / "huge.png"


def written(folder, name, content):
    (folder / name).write_bytes(content)
    return folder / name


def truncated(folder):
    return written(folder, "cut.png", png(folder, size=(200, 200)).read_bytes()[:150])


BAD_IMAGES = {
    "an image file that does not exist": lambda folder: folder / "nowhere.png",
    "an empty image file": lambda folder: written(folder, "empty.png", b""),
    "a truncated image file": truncated,
    "a file that is not an image": lambda folder: written(folder, "text.png", b"<html>not found"),
    "a folder instead of an image": lambda folder: folder,
    "an image of 3.6 gigapixels in 100 bytes": huge,
    "a number instead of an image": lambda folder: 7,
    "no image (None), not `optional`": lambda folder: None,
}

UNREADABLE = list(BAD_IMAGES.values())[:6]


def unreadable_in_six_rows(folder):
    """Return the table with one unreadable image of each kind in its first rows."""
    data, y = table()
    photos = [make_image(folder) for make_image in UNREADABLE] + data["photo"].tolist()[6:]
    return data.assign(photo=pd.Series(photos, dtype=object)), y


def check_same_scores(folder, instead, **options):
    """Check that unreadable images have the same scores as a replacement."""
    data, y = unreadable_in_six_rows(folder)
    classifier, warned = quietly(lambda: make(photo(**options)).fit(data, y))
    assert re.search("[456] images cannot be read", warned)
    y_score, _ = quietly(functools.partial(classifier.predict_proba, data))
    photos = [instead] * 6 + data["photo"].tolist()[6:]
    np.testing.assert_array_equal(y_score, classifier.predict_proba({"photo": photos}))


for _name, _make in BAD_IMAGES.items():
    CASES[_name] = lambda folder, make_image=_make: make(photo()).fit(
        *changed("photo", make_image(folder))
    )


@case('each of these with `on_error="drop"` in training')
def _(folder):
    data, y = unreadable_in_six_rows(folder)
    classifier, warned = quietly(lambda: make(photo(on_error="drop")).fit(data, y))
    assert re.search("[456] images cannot be read", warned)
    assert classifier.provenance_["n_dropped"] == 6
    assert classifier.provenance_["unreadable"] == {"photo": {"n_images": 6, "n_rows": 6}}
    return "the row is left out with a warning; `provenance_` counts rows and images"


@case('each of these with `on_error="drop"` in prediction')
def _(folder):
    data, _ = changed("photo", folder / "nowhere.png")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit(photo(on_error="drop")).predict(data)


@case('each of these with `on_error="blank"`')
def _(folder):
    check_same_scores(folder, np.zeros((9, 9, 3), dtype="uint8"), on_error="blank")
    return "a black image replaces it, with a warning"


@case('each of these with `on_error="missing", optional=True`')
def _(folder):
    check_same_scores(folder, None, on_error="missing", optional=True)
    return "the row lacks the modality, with a warning"


@case("a model of your own with a Lambda layer as backbone", is_slow=True)
def _(folder):
    layers = [keras.layers.Lambda(lambda x: x / 255), keras.layers.Conv2D(2, 3)]
    network = keras.Sequential([keras.Input((8, 8, 3)), *layers])
    classifier = fit(make_poster("photo", network=network, head=DenseHead(2)))
    assert classifier.predict_proba(table()[0]).shape == (40, 2)
    with pytest.raises(TypeError, match="a layer of your own that is registered"):
        classifier.save(folder / "classifier.mme")
    return "it trains and predicts, but is not saved"


@case("an image with a wrong file name extension")
def _(folder):
    wrong = png(folder, "photo.jpg")
    right = png(folder)
    classifier = fitted_to_photos()
    np.testing.assert_array_equal(
        classifier.predict_proba({"photo": [wrong]}), classifier.predict_proba({"photo": [right]})
    )
    return "it is read: the content matters, not the name"


@case("an animated image")
def _(folder):
    frames = [Image.new("RGB", (9, 9), (level, level, level)) for level in (0, 255)]
    frames[0].save(folder / "moving.gif", save_all=True, append_images=frames[1:])
    classifier = fitted_to_photos()
    np.testing.assert_array_equal(
        classifier.predict_proba({"photo": [folder / "moving.gif"]}),
        classifier.predict_proba({"photo": [np.zeros((9, 9, 3), dtype="uint8")]}),
    )
    return "its first frame is read"


@case("an image of the web, such as `https://example.org/4.jpg`")
def _(folder):
    photo().encode(["https://example.org/4.jpg"])


@case("the same with `fetch=`, on this machine or its network")
def _(folder):
    photo(fetch=FetchOptions()).encode(["http://127.0.0.1:9/4.jpg"])


@case("an address of another kind that names a server, such as `ftp://example.org/4.jpg`")
def _(folder):
    fitted_to_photos().predict_proba(changed("photo", "ftp://example.org/4.jpg")[0])


@case("a data URI whose code is damaged")
def _(folder):
    photo().encode(["data:image/png;base64,iVBORw0KG"])


@case("a data URI of more than 64 million characters")
def _(folder):
    photo().encode(["data:image/png;base64," + "A" * 2**26])


# -- columns ---------------------------------------------------------------------------------------


@case("a column that the data lacks")
def _(folder):
    fitted().predict(table()[0][["tags"]])


@case("a column that the data lacks, of an `optional` modality")
def _(folder):
    classifier = fit(BagOfWordsEncoder("tags", optional=True), DenseEncoder("number"))
    data, _ = table()
    unknown = data.assign(tags=None)
    np.testing.assert_array_equal(
        classifier.predict_proba(data[["number"]]), classifier.predict_proba(unknown)
    )
    return "all rows lack the modality: one learned vector replaces it"


@case("a table without any of the columns, all modalities `optional`")
def _(folder):
    fit(BagOfWordsEncoder("tags", optional=True)).predict({"text": [["a"]]})


@case("an `optional` modality that no validation row has")
def _(folder):
    data, y = table()
    encoders = BagOfWordsEncoder("tags", optional=True), DenseEncoder("number")
    valid = (data[["number"]], y)
    _, warned = quietly(lambda: make(*encoders).fit(data, y, validation_data=valid))
    assert "No validation row has the modalities ['tags']" in warned
    return "a warning: thresholds are chosen for rows without it"


@case("an `optional` modality that no training row has")
def _(folder):
    make(BagOfWordsEncoder("tag", optional=True), DenseEncoder("number")).fit(*table())


@case("None or NaN for an encoder of your own, not `optional`")
def _(folder):
    data, y = table()
    numbers = [None if row == 5 else [number, 0] for row, number in enumerate(data["number"])]
    make(ArrayEncoder("number")).fit(data.assign(number=numbers), y, validation_data=(data, y))


@case("an array of another shape from `encode` of your own encoder")
def _(folder):
    class WideEncoder(ArrayEncoder):
        def encode(self, values):
            return np.zeros((len(values), 3))

    fit(WideEncoder("number"))


@case("NaN or infinity from `encode` of your own encoder")
def _(folder):
    class LogEncoder(ArrayEncoder):
        def encode(self, values):
            encoded = np.zeros((len(values), 2))
            encoded[5:6] = np.nan
            return encoded

    fit(LogEncoder("number"))


@case("words in a column of numbers")
def _(folder):
    make().fit(*changed("number", "seven"))


@case("numbers in a column of tags")
def _(folder):
    data, y = table()
    make().fit(data.assign(tags=data["number"]), y)


@case("dates in a column of numbers")
def _(folder):
    data, y = table()
    make().fit(data.assign(number=pd.Timestamp("2001-01-01")), y)


@case("time spans (`timedelta64`) as objects in a column of numbers")
def _(folder):
    make().fit(*changed("number", np.timedelta64(1, "D")))


@case("infinity among numbers")
def _(folder):
    make().fit(*changed("number", np.inf))


@case("a number beyond the range of float32, such as 1e39")
def _(folder):
    data, _ = changed("number", 1e39)
    fitted().predict(data)


@case("NaN in a column of numbers, or a missing value of a nullable or Arrow type")
def _(folder):
    values = changed("number", None)[0]["number"]
    expected = np.delete(values.to_numpy(dtype=float), 5).mean()
    for dtype in ("float64", "Float64", pd.ArrowDtype(pa.float64())):
        column = values.astype(dtype)
        encoder = DenseEncoder("number", scaling=None).fit(column)
        assert encoder.encode(column)[5].tolist() == [np.float32(expected), 1]
    return "the mean of the training rows stands in for it, and a second number marks it"


@case("NaN in a vector")
def _(folder):
    DenseEncoder("vector").fit([[1.0, 2.0], [3.0, np.nan]])


@case("NaN among numbers, `optional`")
def _(folder):
    data, y = changed("number", np.nan)
    classifier = make(DenseEncoder("number", optional=True)).fit(data, y)
    expected = np.delete(table()[0]["number"].to_numpy(), 5)
    # Some rows are held out for validation, so the mean differs a little.
    assert abs(classifier.encoders_[0].mean_[0] - expected.mean()) < 0.2
    assert np.isfinite(classifier.predict_proba(data)).all()
    return "the row lacks the modality; mean and scale are learned from the other rows"


@case("a category that no training row has")
def _(folder):
    encoder = CategoryEncoder("kind").fit(["a", "a", "b", "b"])
    assert encoder.encode(["c"]).tolist() == [[0, 0]]
    encoder.fit(["a", "a", "b", "b", "rare"])
    assert encoder.encode(["c", "rare"]).tolist() == [[0, 0, 1], [0, 0, 1]]
    return "zeros, or the number of rare categories if training rows have such"


@case("a missing category")
def _(folder):
    encoder = CategoryEncoder("kind").fit(["a", "a", "a", None, None])
    assert encoder.encode([None, "a"]).tolist() == [[0, 1], [1, 0]]
    return "a category of its own"


@case("an empty list of tags")
def _(folder):
    classifier = fit(BagOfWordsEncoder("tags", optional=True))
    none, unknown = ({"tags": [value]} for value in ([], None))
    assert not classifier.encoders_[0].encode([[]]).any()
    assert quietly(lambda: classifier.predict_proba(none))[0].shape == (1, 2)
    assert classifier.model_.get_layer("tags_or_missing").learned.shape
    assert classifier.predict_proba(unknown).shape == (1, 2)
    return "the row has no tags: zeros, unlike the vector for unknown tags (None)"


@case("tags that no training row has")
def _(folder):
    classifier = fit(BagOfWordsEncoder("tags"))
    np.testing.assert_array_equal(
        classifier.predict_proba({"tags": [["unheard of"]]}),
        classifier.predict_proba({"tags": [[]]}),
    )
    return "they are ignored"


@case('words or tags in another Unicode normal form ("é" as one character or two)')
def _(folder):
    for options, forms in (({}, [["e\u0301"], ["é"]]), ({"tokenizer": "words"}, ["E\u0301", "é"])):
        encoder = BagOfWordsEncoder("tags", **options).fit([*forms, "" if options else []])
        assert encoder.encode(forms).tolist() == [[1], [1]]
    return "they are the same"


@case("no tag in any training row")
def _(folder):
    data, y = table()
    make().fit(data.assign(tags=[[] for _ in range(len(data))]), y)


@case("a string instead of a list of tags")
def _(folder):
    make().fit(*changed("tags", "a|b"))


@case("tags with NUL, emoji, half of a surrogate pair, or 10,000 characters")
def _(folder):
    odd = ["a\0b", "🎬👩‍🚀", "\ud83c", "x" * 10_000]
    data, y = changed("tags", odd, row=0)
    classifier = make(BagOfWordsEncoder("tags")).fit(
        pd.concat([data] * 2, ignore_index=True), pd.concat([y] * 2, ignore_index=True)
    )
    assert set(odd) <= set(classifier.encoders_[0].vocabulary_)
    classifier.save(folder / "odd.mme")
    loaded = MultimodalClassifier.load(folder / "odd.mme")
    assert loaded.encoders_[0].vocabulary_ == classifier.encoders_[0].vocabulary_
    np.testing.assert_array_equal(loaded.predict_proba(data), classifier.predict_proba(data))
    return "ordinary tags, also in a saved file"


@case("a name that Keras refuses (`_x`, `año`, `a b`)")
def _(folder):
    for name in ("_x", "a b"):
        with pytest.raises(ValueError, match="ASCII letters"):
            BagOfWordsEncoder(name)
    BagOfWordsEncoder("año")


@case("two encoders of the same name")
def _(folder):
    fit(DenseEncoder("number"), DenseEncoder("number", head=DenseHead(3)))


@case("an encoder that reads the column of the labels")
def _(folder):
    data, y = table()
    data["first"] = y["first"]
    _, warned = quietly(lambda: make(DenseEncoder("first")).fit(data, y))
    assert "knows the answer" in warned
    return "a warning: it knows the answer"


@case("a name of a column that is not a string, such as 0")
def _(folder):
    DenseEncoder("number", column=0)


@case("a table that has a column twice")
def _(folder):
    data, _ = table()
    fitted().predict(pd.concat([data, data[["number"]]], axis=1))


@case("a table with several levels of column names")
def _(folder):
    data, _ = table()
    fitted().predict(pd.concat({"tags": data}, axis=1))


@case("a nested mapping, such as `DataFrame.to_dict()`, as X")
def _(folder):
    data, _ = table()
    fitted().predict(data.to_dict())


@case("an iterator as a column, or as the tokens of a row")
def _(folder):
    data, _ = changed("tags", iter(["a"]))
    with pytest.raises(ValueError, match="expects a list of strings in each row"):
        fitted().predict(data)
    fitted().predict({"tags": iter(data["tags"]), "number": data["number"]})


@case("columns of different lengths")
def _(folder):
    data, y = table()
    make().fit({"tags": list(data["tags"]), "number": [1.0]}, y)


@case("no rows")
def _(folder):
    data, y = table()
    make().fit(data.iloc[:0], y.iloc[:0])


@case("one row and no validation rows")
def _(folder):
    data, y = table()
    make().fit(data.iloc[:1], y.iloc[:1])


@case("one row to predict")
def _(folder):
    data, _ = table()
    classifier = fitted()
    np.testing.assert_allclose(
        classifier.predict_proba(data.iloc[[3]]), classifier.predict_proba(data)[[3]], atol=1e-6
    )
    return "the same scores as among other rows"


# -- strings of files in CSV format ----------------------------------------------------------------


def infer(values, name="x", **options):
    """Return the encoder of a column, or None, and what is printed about it."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        encoders = infer_encoders({name: values, "n": [1.5, 2.5, 3.5, 5]}, **options)
    return next((e for e in encoders if name in e.columns), None), printed.getvalue()


@case("keywords with commas between them")
def _(folder):
    encoder, printed = infer(["sea, boat", "boat", "sea, sky", "sky"])
    assert encoder.delimiter == ","
    assert "delimited by ',' in 50 % of rows" in printed
    return "they are split; the reason says in how many rows"


@case("sentences with commas")
def _(folder):
    clauses = ["It is warm, soft, and blue.", "A hat, a scarf.", "One, two.", "So it is, then."]
    encoder, _ = infer(clauses)
    assert (encoder.delimiter, encoder.tokenizer) == (None, "words")
    return "they stay texts"


@case("lists as text, such as `['a', 'b']`, in a column of tags")
def _(folder):
    data, y = table()
    make().fit(data.assign(tags=data["tags"].map(repr)), y)


@case('a list as text that is cut off, with `tokenizer="list"`')
def _(folder):
    BagOfWordsEncoder("tags", tokenizer="list").fit(["['a', 'b']", "['a', "])


@case("numbers as text, such as 1,234.5, in a column of numbers")
def _(folder):
    make().fit(*changed("number", "1,234.5"))


@case("`n/a`, `-` or `?` among numbers as text")
def _(folder):
    encoder, _ = infer(["7", "n/a", "-", "8"])
    assert encoder.find_missing(["n/a", "-", "?", "7"]).tolist() == [True, True, True, False]
    return "they are missing numbers"


@case("a word among numbers as text, chosen by `infer_encoders`")
def _(folder):
    numbers = [*map(str, range(5, 25)), "seven"]
    (encoder,) = infer_encoders({"x": numbers}, verbose=0)
    missing, warned = quietly(lambda: encoder.find_missing(numbers))
    assert missing.tolist() == [False] * 20 + [True]
    assert "'seven' in row 20" in warned
    return "it counts as missing, with a warning"


@case("numbers with and without % in one column")
def _(folder):
    encoder, printed = infer(["3 %", "4 %", "5", "7"])
    assert encoder is None
    assert "2 of 4 of them with %; write all of them in the same unit" in printed
    return "the column is left out: write all of them in the same unit"


@case("dates that may begin with the day or the month")
def _(folder):
    encoder, printed = infer(["01/02/2021", "03/04/2021", "05/06/2021", "07/08/2021"])
    assert encoder is None
    assert "'%d/%m/%Y' or '%m/%d/%Y'" in printed
    return "the column is left out: the reason names both formats"


@case("a date that does not exist, such as 2021-02-30")
def _(folder):
    DateEncoder("date").fit(["2021-01-01", "2021-02-28", "2021-02-30"])


@case("paths of which one has no file")
def _(folder):
    paths = [str(png(folder, f"{number}.png")) for number in range(3)]
    encoder, printed = infer([*paths, "lost.png"])
    missing, _ = quietly(lambda: encoder.find_missing([*paths, "lost.png"]))
    assert missing.tolist() == [False, False, False, True]
    assert "1 of 4 paths without a file, such as 'lost.png'" in printed
    return "its row lacks the modality, and the reason names the path"


@case("paths of which none has a file")
def _(folder):
    data = {"photo": ["a.jpg", "b.jpg"], "tags": [["x"], ["y"]]}
    encoders, warned = quietly(lambda: infer_encoders(data, root=folder, verbose=0))
    assert [encoder.name for encoder in encoders] == ["tags"]
    assert "2 image files cannot be found under" in warned
    return "the column is left out, with a warning"


@case("a column of web addresses")
def _(folder):
    encoder, printed = infer([f"https://example.org/{number}.jpg" for number in range(4)])
    assert encoder is None
    assert "not fetched unless you ask for it" in printed
    return "it is left out: they are not fetched unless you ask for it"


@case("a column that is the same in each row")
def _(folder):
    assert infer(["a"] * 4)[0] is None
    return "it is left out"


@case("one row as a mapping of plain values")
def _(folder):
    fitted().predict({"tags": ["a"], "number": 7})


# -- labels ----------------------------------------------------------------------------------------


@case("X and y of different lengths")
def _(folder):
    data, y = table()
    make().fit(data, y.iloc[1:])


@case("tables X and y whose rows have different index labels")
def _(folder):
    data, y = table()
    make().fit(data, y.set_axis(range(100, 140)))


@case("a mapping of Series whose index labels differ from those of y")
def _(folder):
    data, y = table()
    make().fit({name: data[name].iloc[::-1] for name in ("tags", "number")}, y)


@case("row weights whose index labels differ from those of X")
def _(folder):
    data, y = table()
    make().fit(data, y, sample_weight=pd.Series(range(40), index=range(40)[::-1]))


@case("a mapping of Series with different index labels")
def _(folder):
    data, y = table()
    make().fit({"tags": data["tags"], "number": data["number"][::-1]}, y.to_numpy())


@case("a list of dicts as X")
def _(folder):
    fitted().predict([{"tags": ["a"], "number": 1.0}])


@case("labels whose names are tuples")
def _(folder):
    data, y = table()
    y.columns = pd.MultiIndex.from_tuples([("a", 1), ("b", 2)])
    make().fit(data, y)


@case("a whole number of more than 64 bits as a label")
def _(folder):
    data, _ = table()
    make().fit(data, [[2**70], [1, 2]] * 20)


@case("a table of one column of label lists")
def _(folder):
    data, _ = table()
    make().fit(data, pd.DataFrame({"labels": [["first"], []] * 20}))


@case("a callable `threshold` with other arguments")
def _(folder):
    fit(threshold=lambda y_true, y_score: 0.5)


@case("y with the value 0.5")
def _(folder):
    data, y = table()
    make().fit(data, y * 0.5)


@case("y with one axis: strings that nothing separates, whole numbers, booleans or categories")
def _(folder):
    rows = pd.Series(["first", "second", "third", "first"] * 10)
    for y in (rows, rows.factorize()[0], rows == "first", rows.astype("category")):
        said = []
        _, target = read_target(y, report=said.append)
        assert said == [
            f"y: one of {len(target.classes)} classes per row: {target.classes.tolist()}"
        ]
        assert target.classes.tolist() == sorted(set(y))
    return "one class per row, as a line says"


@case("y with one axis of numbers with fractions")
def _(folder):
    data, _ = table()
    make().fit(data, data["number"])


@case("a row without a class in y with one axis")
def _(folder):
    data, _ = table()
    make().fit(data, pd.Series(["a", "b", "a", None, " "] * 8).where(data.index < 5, "a"))


@case("y with one axis and one value")
def _(folder):
    data, _ = table()
    make().fit(data, pd.Series(["first"] * 40))


@case("a class that fewer than `min_label_count` rows have")
def _(folder):
    data, _ = table()
    make(min_label_count=2).fit(data, pd.Series(["a", "b"] * 19 + ["c", "a"]))


@case("a class in training on or validation that no training row has")
def _(folder):
    data, _ = table()
    classes, others = pd.Series(["a", "b"] * 20), pd.Series(["a", "c"] * 20)
    make().fit(data, classes, validation_data=(data, others))


@case("a class in evaluation that no training row has")
def _(folder):
    data, _ = table()
    classifier = make().fit(data, pd.Series(["a", "b"] * 20))
    evaluation, warned = quietly(
        lambda: classifier.evaluate(data, pd.Series(["a", "b"] * 10 + ["c"] * 20))
    )
    assert "in 20 of 40 rows, the first is row 20" in warned
    assert evaluation.accuracy <= 0.5
    return "a warning counts its rows, and they count as errors"


@case("a `threshold` that means nothing for one of several classes")
def _(folder):
    data, _ = table()
    make(threshold="f1").fit(data, pd.Series(["a", "b", "c", "a"] * 10))


@case("delimited strings as y, padded, with empty names, or None in some rows")
def _(folder):
    data, _ = table()
    y = pd.Series(["first | second", "second|", None, " "] * 10)
    classifier = make().fit(data, y)
    assert classifier.classes_.tolist() == ["first", "second"]
    return (
        "are split where a line says, without white space and empty names; a line counts rows "
        "without a value"
    )


@case("""lists as text as y, such as `"['A', 'B']"`""")
def _(folder):
    data, _ = table()
    classifier = make().fit(data, pd.Series(["['first', 'second']", "[]"] * 20))
    assert classifier.classes_.tolist() == ["first", "second"]
    return "are read as lists"


@case("""lists as text that cannot be read, such as `"['A' 'B']"`""")
def _(folder):
    data, _ = table()
    make().fit(data, pd.Series(["['first' 'second']", "[]"] * 20))


@case("strings as y that nothing separates, most of them distinct")
def _(folder):
    data, _ = table()
    make().fit(data, pd.Series([f"first {row}" for row in range(40)]))


@case("a `label_delimiter` that is no string")
def _(folder):
    make(label_delimiter=1).fit(*table())


@case("a `min_label_count` that no label has")
def _(folder):
    make(min_label_count=21).fit(*table())


@case("NaN in a multi-hot y", is_slow=True)
def _(folder):
    data, y = table()
    y = y.astype(float)
    y.iloc[:10, 0] = np.nan
    classifier = make().fit(data, y)
    assert classifier.evaluate(data, y).report.loc["first", "support"] == y["first"].sum()
    return "an unknown label, left out of the loss and of the scores for that row"


@case("y with NaN alone")
def _(folder):
    data, y = table()
    make().fit(data, y * np.nan)


@case("a printed list, or a part of one, as a label")
def _(folder):
    data, _ = table()
    with pytest.raises(ValueError, match="which is a printed list or part of one"):
        make().fit(data, pd.Series(["['A', 'B']", "['A']"] * 20).str.split(", "))
    make().fit(data, pd.Series(["['A', 'B']", "['A']"] * 20).str.split("|"))


@case("an empty string as a label")
def _(folder):
    data, _ = table()
    make().fit(data, pd.Series(["first|second", ""] * 20).str.split("|"))


@case("labels that differ only in white space or in the Unicode normal form")
def _(folder):
    data, _ = table()
    with pytest.raises(ValueError, match="Unicode normal form"):
        make().fit(data, pd.Series([["\u00e9"], ["e\u0301"]] * 20))
    make().fit(data, pd.Series(["first|second", "second |first"] * 20).str.split("|"))


@case("labels that differ only in upper and lower case")
def _(folder):
    data, _ = table()
    y = pd.Series([["first"], ["First"]] * 20)
    classifier, warned = quietly(lambda: make().fit(data, y))
    assert "differ only in upper and lower case" in warned
    assert classifier.classes_.tolist() == ["First", "first"]
    return "a warning names them, and they remain different labels"


@case("None among label lists")
def _(folder):
    data, _ = table()
    make().fit(data, pd.Series([["first"], None] * 20))


@case("an empty list among label lists")
def _(folder):
    data, _ = table()
    classifier = make().fit(data, pd.Series([["first"], []] * 20))
    assert classifier.classes_.tolist() == ["first"]
    return "a row without labels"


@case("two labels of the same name")
def _(folder):
    data, y = table()
    make().fit(data, y.set_axis(["first", "first"], axis=1))


@case("labels in validation or evaluation that no training row has", is_slow=True)
def _(folder):
    data, _ = table()
    classifier = make().fit(data, pd.Series([["first"], ["second"]] * 20))
    evaluation, warned = quietly(
        lambda: classifier.evaluate(data, pd.Series([["first", "third"], ["second"]] * 20))
    )
    assert "'third'" in warned
    assert evaluation.report.index.tolist() == ["first", "second"]
    return "a warning names them, and they are left out"


@case("columns of y in another order in evaluation")
def _(folder):
    data, y = table()
    classifier = fitted()
    one, other = (classifier.evaluate(data, part) for part in (y, y[["second", "first"]]))
    assert one.report.equals(other.report)
    return "they are matched by name"


@case("thresholds as a Series in another order of labels")
def _(folder):
    data, y = table()
    limits = pd.Series({"second": 2.0, "first": -1.0})
    classifier = fit(threshold=limits)
    assert classifier.thresholds_.tolist() == [-1, 2]
    scores = pd.DataFrame(classifier.predict_proba(data), columns=y.columns)
    assert (apply_thresholds(scores, limits) == classifier.predict(data)).all()
    return "they are matched by name"


@case("a pyarrow or polars table as y, with columns in another order")
def _(folder):
    data, y = table()
    classifier = fitted()
    swapped = pa.Table.from_pandas(y[["second", "first"]])
    assert classifier.score(data, swapped) == classifier.score(data, y)
    return "they are matched by name"


@case("a label that no training row has", is_slow=True)
def _(folder):
    data, y = table()
    classifier, warned = quietly(lambda: make(epochs=3).fit(data, y.assign(third=0)))
    assert "No training row has the label(s) ['third']" in warned
    assert classifier.thresholds_[2] == np.inf
    return "a warning names it; it is never predicted"


@case("a label that no validation row has")
def _(folder):
    data, y = table()
    valid = (data, y.assign(second=0))
    classifier, warned = quietly(lambda: make().fit(data, y, validation_data=valid))
    assert "['second'] have only one class in the validation rows" in warned
    assert classifier.thresholds_[1] == np.inf
    return "a warning names it; the score leaves it out, and it is never predicted"


@case("a label with too few validation rows for its `calibration`")
def _(folder):
    data, y = table()
    valid = (data[:8], y[:8])
    classifier, warned = quietly(
        lambda: make(calibration="isotonic").fit(data, y, validation_data=valid)
    )
    assert "2 of 2 labels keep their scores" in warned
    assert classifier.model_.layers[-1].name == "scores"
    return "a warning names it, and it keeps its scores"


@case("no label both present and absent in the validation rows")
def _(folder):
    data, y = table()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        make().fit(data, y, validation_data=(data, y * 0))


@case("rows of one group among the training and the held-out rows")
def _(folder):
    data, y = table()
    groups = np.arange(40) // 4
    classifier = make(validation_fraction=0.2).fit(data, y, groups=groups)
    assert classifier.provenance_["n_validation"] == 8
    train, holdout = stratified_holdout(y, 0.2, groups=groups, random_state=1)
    assert set(groups[train]).isdisjoint(groups[holdout])
    return "never: `fit(..., groups=...)` keeps groups together"


@case("`groups` where nothing is held out")
def _(folder):
    data, y = table()
    make().fit(data, y, groups=range(40), validation_data=(data, y))


@case("a splitter that divides groups")
def _(folder):
    _, y = table()
    tuned = TunedThresholdMultilabelClassifier(DecisionTreeClassifier(), cv=ShuffleSplit())
    quietly(lambda: tuned.fit(y.to_numpy(), y, groups=np.arange(40) // 4))


@case("thresholds learned on training rows")
def _(folder):
    data, y = table()
    _, warned = quietly(lambda: make(validation_fraction=None).fit(data, y))
    assert "too optimistic" in warned
    return "a warning: they are too optimistic"


@case("a row whose scores reach no threshold")
def _(folder):
    data, _ = table()
    classifier = fit(threshold=np.inf)
    assert classifier.predict_labels(data) == [()] * 40
    assert {len(labels) for labels in classifier.predict_labels(data, at_least=1)} == {1}
    return "no labels; `predict_labels(X, at_least=1)` returns the best one"


# -- interruptions, disks and files ----------------------------------------------------------------


def stop_at(epoch):
    def stop(number, logs):
        if number == epoch:
            raise KeyboardInterrupt

    return keras.callbacks.LambdaCallback(on_epoch_end=stop)


@case("Ctrl-C in the middle of training", is_slow=True)
def _(folder):
    data, y = table()
    classifier = make(epochs=9, evaluate_every=2, patience=None)
    with pytest.raises(KeyboardInterrupt):
        classifier.fit(data, y, callbacks=[stop_at(2)])
    stopped = make(epochs=3, evaluate_every=2, patience=None).fit(data, y)
    np.testing.assert_array_equal(classifier.predict_proba(data), stopped.predict_proba(data))
    return "the best weights so far are kept and reported, and KeyboardInterrupt is raised"


class StopInFirstBatch(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        raise KeyboardInterrupt


@case("Ctrl-C before the first evaluation", is_slow=True)
def _(folder):
    data, y = table()
    classifier = fit(batch_size=4, evaluate_every=2)
    before = classifier.predict_proba(data)
    with pytest.raises(KeyboardInterrupt):
        classifier.fit(data, y, callbacks=[StopInFirstBatch()])
    np.testing.assert_array_equal(classifier.predict_proba(data), before)
    return "the classifier is unchanged"


@case("a second `fit` that fails", is_slow=True)
def _(folder):
    data, y = table()
    classifier = fit()
    before = classifier.predict_proba(data)
    with pytest.raises(ValueError, match="which the data lacks"):
        classifier.fit(data[["tags"]], y)
    with pytest.raises(ValueError, match="adamm"):
        classifier.set_params(optimizer="adamm").fit(data, y)
    np.testing.assert_array_equal(classifier.predict_proba(data), before)
    return "the classifier is unchanged"


@case("a `warm_start` that fails", is_slow=True)
def _(folder):
    data, y = table()
    classifier = fit(warm_start=True, evaluate_every=2)
    before = classifier.predict_proba(data)
    with pytest.raises(KeyboardInterrupt):
        classifier.set_params(batch_size=4).fit(data, y, callbacks=[StopInFirstBatch()])
    np.testing.assert_array_equal(classifier.predict_proba(data), before)
    return "the classifier is unchanged"


@case("a process that is killed during a `fit` with `checkpoint=`", is_slow=True)
def _(folder):
    # With a real kill: tests/estimators/test_multimodal_classifier.py.
    data, y = table()
    with pytest.raises(KeyboardInterrupt):
        make(epochs=6).fit(data, y, checkpoint=folder / "fit", callbacks=[stop_at(2)])
    resumed = make(epochs=6).fit(data, y, resume_from=folder / "fit")
    np.testing.assert_array_equal(
        resumed.predict_proba(data), make(epochs=6).fit(data, y).predict_proba(data)
    )
    return "`resume_from=` ends where an uninterrupted `fit` ends"


@case("a checkpoint of other rows")
def _(folder):
    data, y = table()
    make().fit(data, y, checkpoint=folder / "fit")
    make().fit(data, 1 - y, resume_from=folder / "fit")


@case("a checkpoint of the same labels with other values in X", is_slow=True)
def _(folder):
    data, y = table()
    make().fit(data, y, checkpoint=folder / "fit")
    make().fit(data.assign(number=data["number"].to_numpy()[::-1]), y, resume_from=folder / "fit")


@case("a checkpoint of another optimizer", is_slow=True)
def _(folder):
    make().fit(*table(), checkpoint=folder / "fit")
    make(optimizer=keras.optimizers.SGD(0.02)).fit(*table(), resume_from=folder / "fit")


@case("a checkpoint path with any other file")
def _(folder):
    make().fit(*table(), checkpoint=written(folder, "thesis.txt", b"everything"))


@case("no checkpoint to resume from")
def _(folder):
    make().fit(*table(), resume_from=folder / "fit")


@case("a feature store in a folder with other files")
def _(folder):
    written(folder, "thesis.txt", b"everything")
    fit(photo(), store=folder)


def filled_store(folder):
    """Return a store, its encoder, the images in it, and their features."""
    store, encoder = FeatureStore(folder / "store", dtype="float32"), photo()
    images = table(4)[0].photo.tolist()
    return store, encoder, images, store.get_features(encoder, images, verbose=0)


@case("a feature store whose `feature_store.json` is damaged or lost")
def _(folder):
    store, encoder, images, _ = filled_store(folder)
    marker = written(store.folder, "feature_store.json", b'{"format": 7}')
    with pytest.warns(UserWarning, match="was damaged or lost"):
        FeatureStore(store.folder)
    marker.unlink()
    with pytest.warns(UserWarning, match="was damaged or lost"):
        reopened = FeatureStore(store.folder, dtype="float32")
    assert reopened.count_uncomputed(encoder, images) == 0
    return "a warning: it is written again"


@case("the same without a readable file of features")
def _(folder):
    FeatureStore(folder)
    written(folder, "feature_store.json", b"")
    FeatureStore(folder)


@case("features of another shape in a feature store")
def _(folder):
    store, encoder, images, features = filled_store(folder)
    (shard,) = store.folder.glob("*/*.shard")
    name = "multimodal_ensemble features"
    document, arrays = read_archive(shard, format_name=name, max_version=1)
    with arrays:
        digests = arrays["digests"]
    document["feature_shape"] = [1]
    write_archive(shard, document, {"digests": digests, "features": np.ones((4, 1), "float32")})
    reopened = FeatureStore(store.folder, dtype="float32")
    np.testing.assert_array_equal(reopened.get_features(encoder, images, verbose=0), features)
    return "they are recomputed"


@case("a damaged file of features")
def _(folder):
    store, encoder, images, _ = filled_store(folder)
    (shard,) = store.folder.glob("*/*.shard")
    shard.write_bytes(shard.read_bytes()[:-9])
    FeatureStore(store.folder, dtype="float32").get_features(encoder, images, verbose=0)


@case("other files in the folder of a feature store, and `prune`")
def _(folder):
    store, *_ = filled_store(folder)
    (shard,) = store.folder.glob("*/*.shard")
    foreign = [
        written(store.folder, ".gitignore", b"*"),
        written(shard.parent, "features.npz", b"mine"),
        written(shard.parent, f"{'0' * 32}.shard", b"mine"),
    ]
    assert store.prune(max_bytes=0) > 0
    assert not shard.exists()
    assert all(path.exists() for path in foreign)
    return "they stay"


def refuse_to_write(*args, **kwargs):
    raise OSError(28, "No space left on device")


def full_disk(monkeypatch):
    monkeypatch.setattr(os, "fsync", refuse_to_write)


@case("a full disk while a classifier is saved")
def _(folder):
    classifier = fitted()
    classifier.save(folder / "old.mme")
    before = (folder / "old.mme").read_bytes()
    with pytest.MonkeyPatch.context() as monkeypatch:
        full_disk(monkeypatch)
        try:
            classifier.save(folder / "old.mme")
        finally:
            assert (folder / "old.mme").read_bytes() == before
            assert [path.name for path in folder.iterdir()] == ["old.mme"]


@case("a folder for a classifier that cannot be written to")
def _(folder):
    # The test does not use permissions, because a superuser may write everywhere.
    written(folder, "file", b"")
    fitted().save(folder / "file" / "genres.mme")


@case("a full disk while features are stored")
def _(folder):
    with pytest.MonkeyPatch.context() as monkeypatch:
        full_disk(monkeypatch)
        monkeypatch.setattr(
            np.lib.format,
            "write_array",
            refuse_to_write,
        )
        fit(photo(), store=folder / "store")


def saved(folder):
    fitted().save(folder / "genres.mme")
    return folder / "genres.mme"


@case("a truncated file of a classifier")
def _(folder):
    path = saved(folder)
    path.write_bytes(path.read_bytes()[:-100])
    MultimodalClassifier.load(path)


@case("a file that is not a saved classifier")
def _(folder):
    MultimodalClassifier.load(written(folder, "notes.mme", b"not a classifier at all"))


@case("a saved classifier with a changed byte in its weights")
def _(folder):
    path = saved(folder)
    content = bytearray(path.read_bytes())
    content[content.index(b"weights/scores/0.npy") + 160] ^= 1
    path.write_bytes(content)
    MultimodalClassifier.load(path)


@case("a saved classifier of a newer version")
def _(folder):
    path = saved(folder)
    rewrite(path, b'"format_version": 1', b'"format_version": 9')
    MultimodalClassifier.load(path)


@case("a saved classifier with a Lambda layer, or anything else that would run code")
def _(folder):
    classifier = fitted_to_photos()
    classifier.save(folder / "genres.mme")
    rewrite(folder / "genres.mme", b'"Conv2D"', b'"Lambda"')
    MultimodalClassifier.load(folder / "genres.mme")


@case("a saved classifier with a path outside the archive")
def _(folder):
    path = saved(folder)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../../outside.py", "print('run')")
    MultimodalClassifier.load(path)


def with_document(path, change):
    """Replace the document of a saved classifier by a changed one."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    document = json.loads(members["manifest.json"])
    change(document)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            is_document = name == "manifest.json"
            archive.writestr(name, json.dumps(document) if is_document else content)
    return path


@case("a saved classifier with 2 million lists in its document", is_slow=True)
def _(folder):
    path = saved(folder)
    with_document(path, lambda document: document.update(history=[[0]] * 2_000_000))
    MultimodalClassifier.load(path)


@case("a saved classifier whose network is larger than the file")
def _(folder):
    def enlarge(document):
        backbone = document["encoders"][0]["config"]["backbone"]
        backbone["config"]["layers"][-1]["config"]["filters"] = 1_000_000

    fitted_to_photos().save(folder / "genres.mme")
    MultimodalClassifier.load(with_document(folder / "genres.mme", enlarge))


@case("a named pipe instead of a saved classifier")
def _(folder):
    os.mkfifo(folder / "pipe")
    MultimodalClassifier.load(folder / "pipe")


@case("a saved classifier that unpacks to far more than its size")
def _(folder):
    path = saved(folder)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("arrays/bomb.npy", bytes(10_000_000))
    MultimodalClassifier.load(path)


@case("a saved classifier without its backbone, and other weights of the backbone", is_slow=True)
def _(folder):
    def weights(seed):
        keras.utils.set_random_seed(seed)
        keras.applications.MobileNet(
            weights=None, include_top=False, input_shape=(32, 32, 3)
        ).save_weights(folder / f"{seed}.weights.h5")
        return folder / f"{seed}.weights.h5"

    with pytest.MonkeyPatch.context() as monkeypatch:
        use_shallow_network(monkeypatch, "MobileNet")
        encoder = ImageEncoder("photo", backbone="MobileNet", weights=weights(1), image_size=32)
        fit(encoder).save(folder / "genres.mme", include_backbones=False)
        MultimodalClassifier.load(folder / "genres.mme", weights={"photo": weights(2)})


# -- files of the command line ---------------------------------------------------------------------


@functools.cache
def model_file():
    """Return the content of a saved ensemble of tags and numbers."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.mme"
        options = ("--labels", "labels", "--tags", "tags", "--numbers", "number", "--out", path)
        assert command("train", rows_file(Path(folder)), *options, "--quiet")[0] == 0
        return path.read_bytes()


def rows_file(folder, *changed, name="rows.csv"):
    """Write a file in CSV format, the last lines of which are given."""
    lines = ["tags,number,labels"]
    lines += ["a;b,1,x|y" if row % 2 else "c;d,2,y" for row in range(40 - len(changed))]
    return Path(written(folder, name, "\n".join([*lines, *changed]).encode()))


def command(*arguments):
    """Return the exit status of a command and what it printed."""
    with (
        contextlib.redirect_stdout(io.StringIO()) as out,
        contextlib.redirect_stderr(io.StringIO()) as err,
    ):
        status = main([str(each) for each in arguments])
    return status, out.getvalue() + err.getvalue()


def predict(folder, rows):
    """Predict a file; return the exit status, what was printed, and the predictions, if any."""
    written(folder, "model.mme", model_file())
    status, printed = command("predict", folder / "model.mme", rows, "--out", folder / "out.csv")
    out = folder / "out.csv"
    return status, printed, pd.read_csv(out, index_col=0) if out.exists() else None


def refused_rows(folder, content, *words):
    """Return how the page writes that a file of rows was refused with some words."""
    status, printed, _ = predict(folder, written(folder, "rows.csv", content))
    return refused(status, printed, *words)


def refused(status, printed, *words):
    """Return how the page writes that a command was refused with some words."""
    assert "Traceback" not in printed
    assert all(word in printed for word in words), printed
    return f"exit status {status}" + (
        " " + ", ".join(f'"{word}"' for word in words) if words else ""
    )


@case("a line with too many or too few values")
def _(folder):
    status, printed, found = predict(folder, rows_file(folder, "a;b,1,x,extra", "c", "a;b,1,x"))
    assert status == 0
    assert "row 38: 4 values for 3 columns" in printed
    assert found["labels"].isna().tolist()[36:] == [False, True, True, False]
    return "it is reported with its number, and predicted as a row without labels"


@case("a word among numbers, which training rows did not have")
def _(folder):
    status, _, found = predict(folder, rows_file(folder, "a;b,many,x", "a;b,1,x"))
    assert status == 0
    assert "many" in found["error"].iloc[38]
    assert found["labels"].isna().tolist()[37:] == [False, True, False]
    return "the row has no prediction, and the column `error` says why"


@case("a file of which no row can be read")
def _(folder):
    status, printed, found = predict(folder, rows_file(folder, *["c"] * 40))
    assert found is None
    return refused(status, printed, "No row can be predicted; row 1: 1 values for 3 columns")


@case("an empty file")
def _(folder):
    return refused_rows(folder, b"", "its first line must have the names of the columns")


@case("a header without rows")
def _(folder):
    return refused_rows(folder, b"tags,number\n", "no rows")


@case("a column without a name, or two of the same name")
def _(folder):
    first = predict(folder, written(folder, "rows.csv", b"tags,,number\na,b,1\n"))
    second = predict(folder, written(folder, "rows.csv", b"tags,number,number\na,2,1\n"))
    assert first[0] == second[0]
    return refused(first[0], first[1] + second[1], "have no name", "occurs more than once")


@case("text in another encoding than UTF-8")
def _(folder):
    content = "tags,number\nKöln,1\n".encode("cp1252")
    return refused_rows(folder, content, "--encoding cp1252")


@case("a line of JSON that is damaged")
def _(folder):
    lines = (
        ['{"tags": ["a"], "number": 1}'] * 30 + ['{"tags": ["a"'] + ['{"tags": [], "number": 1}']
    )
    rows = written(folder, "rows.jsonl", "\n".join(lines).encode())
    status, printed, found = predict(folder, rows)
    assert status == 0
    assert "row 31: no JSON" in printed
    assert found["error"].notna().tolist() == [False] * 30 + [True, False]
    return "it is reported with its number, and predicted as a row without labels"


@case("a file without a column that the model needs")
def _(folder):
    return refused_rows(folder, b"tags,labels\na,x\n", "'number'")


@case("a column of labels that the file lacks")
def _(folder):
    status, printed = command(
        "train", rows_file(folder), "--labels", "genre", "--out", folder / "out.mme"
    )
    return refused(
        status, printed, "There is no column 'genre'. The file has tags, number, labels."
    )


@case("a row without a class in a file of one class per row")
def _(folder):
    lines = ["a,1,x", "a,2,y"] * 19 + ["a,1,x", "a,2,"]
    status, printed = command(
        *("train", rows_file(folder, *lines), "--labels", "labels", "--numbers", "number"),
        *("--out", folder / "out.mme"),
    )
    assert status == 0, printed
    assert "row 40: the column 'labels' is empty" in printed
    assert "39 training rows" in printed
    return "it is reported with its number, and left out"


def evaluated(folder, *lines):
    """Return the exit status of an evaluation of these labels, and what was printed."""
    model = written(folder, "model.mme", model_file())
    rows = rows_file(folder, *(f"a;b,1,{labels}" for labels in lines))
    return command("evaluate", model, rows, "--labels", "labels")


@case("labels of which the model knows none, in `evaluate`")
def _(folder):
    found = evaluated(folder, *["comedy|war", "war"] * 20)
    return refused(*found, "the file has ['comedy', 'war'], and the model ['x', 'y']")


@case("labels that another character separates than in training, in `evaluate`")
def _(folder):
    found = evaluated(folder, *["x;y", "x;war"] * 20)
    return refused(*found, "separated by ';', as in 'x;y'", "--label-delimiter ';'")


@case("a column without any label, in `evaluate`")
def _(folder):
    return refused(*evaluated(folder, *[""] * 40), "No row has a label in the column 'labels'")


@case("a column of `--groups` that the file lacks, without a value in some row, or of one group")
def _(folder):
    found = [
        command("train", path, "--labels", "labels", "--groups", name, "--out", folder / "out.mme")
        for path, name in (
            (rows_file(folder), "shop"),
            (rows_file(folder, "a,,x", ",1,y", ",2,y", name="missing.csv"), "tags"),
            (rows_file(folder, *["a,1,x", "a,1,y"] * 20, name="one.csv"), "tags"),
        )
    ]
    (status,) = {each for each, _ in found}
    words = ("There is no column 'shop'", "no value in 2 of 40 rows", "has 1 group in 40 rows")
    return refused(status, "".join(text for _, text in found), *words)


@case("predictions or a model in place of a file that is read")
def _(folder):
    rows, model = rows_file(folder), Path(written(folder, "model.mme", model_file()))
    before = rows.read_bytes()
    predicted = command("predict", model, rows, "--out", rows)
    trained = command("train", rows, "--labels", "labels", "--out", rows)
    assert rows.read_bytes() == before
    assert predicted[0] == trained[0]
    return refused(predicted[0], predicted[1] + trained[1]) + ", and the file is unchanged"


@case("a file that is no model")
def _(folder):
    return refused(*command("show", rows_file(folder)), "it is not a zip archive")


@case("an option that a file of options misspells")
def _(folder):
    options = written(folder, "options.toml", b"[train]\ntest-sise = 0.2\n")
    status, printed = command(
        *("train", rows_file(folder), "--options", options),
        *("--labels", "labels", "--out", folder / "out.mme"),
    )
    return refused(status, printed, "test-sise")


# -- requests to the server ------------------------------------------------------------------------


@functools.cache
def served():
    """Return a model of images and numbers that is served."""
    data, y = table()
    return MultimodalEnsemble([photo(), DenseEncoder("number")], verbose=0).fit(data, y)


def ask(*bodies, address="/predict", **options):
    """Return the statuses of requests, and their texts."""
    with open_client(make_app(served(), limits=ServingLimits(max_pixels=100))) as client:
        answers = [
            client.post(address, json=body, **options)
            if isinstance(body, dict)
            else client.post(address, content=body, **options)
            for body in bodies
        ]
    assert not any("Traceback" in answer.text for answer in answers)
    return {answer.status_code for answer in answers}, [answer.text for answer in answers]


def as_image(content):
    return base64.b64encode(content).decode()


def row(number=1.0, **values):
    photo = as_image(png(Path(), size=(9, 9)).read_bytes())
    return {"photo": photo, "number": number} | values


def answered(statuses, texts, *words):
    """Return how the page writes statuses and words."""
    assert all(word in text for word in words for text in texts), texts
    return f"status {' or '.join(map(str, sorted(statuses, reverse=422 in statuses)))}" + "".join(
        f' "{word}"' for word in words
    )


@case("a body that is no JSON, is nested too deeply, or has NaN")
def _(folder):
    bodies = (b"rows", b"[" * 100_000, b'{"rows": [{"number": NaN}]}')
    return answered(*ask(*bodies, headers={"content-type": "application/json"}))


@case("another content type")
def _(folder):
    return answered(*ask(b"rows", headers={"content-type": "text/plain"}))


@case("a column that the model does not have, or lacks")
def _(folder):
    bodies = {"rows": [row(other=1)]}, {"rows": [{"photo": row()["photo"]}]}
    return answered(*ask(*bodies), "column")


@case("a word or infinity in a column of numbers")
def _(folder):
    infinite = json.dumps({"rows": [row(12345)]}).replace("12345", "1e999")
    bodies = {"rows": [row("many")]}, infinite.encode()
    found = ask(*bodies, headers={"content-type": "application/json"})
    return answered(*found, "it must be a finite number")


@case("the path or address of an image")
def _(folder):
    sources = (str(png(folder)), "https://example.org/a.png", "file:///etc/hosts", "s3://a/b.png")
    found = ask(*({"rows": [row(photo=source)]} for source in sources))
    return answered(*found, "this server reads no files and no addresses")


@case("an image that is damaged, empty, or of more pixels than allowed")
def _(folder):
    contents = (b"no image", b"", png(folder, size=(20, 20)).read_bytes())
    return answered(*ask(*({"rows": [row(photo=as_image(each))]} for each in contents)))


@case("more rows than allowed")
def _(folder):
    return answered(*ask({"rows": [row()] * 65}), "rows")


@case("a page of another site that sends a request")
def _(folder):
    return answered(*ask({"rows": [row()]}, headers={"origin": "https://example.org"}))


@case("an address or method that the server does not have")
def _(folder):
    statuses, texts = ask({"rows": [row()]}, address="/nowhere")
    more, others = ask({}, address="/health")
    return answered(statuses | more, texts + others)


def rewrite(path, old, new):
    """Replace some bytes of the manifest in a saved classifier."""
    with zipfile.ZipFile(path) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    assert old in members["manifest.json"]
    members["manifest.json"] = members["manifest.json"].replace(old, new)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
