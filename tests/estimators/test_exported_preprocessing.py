"""An exported model with the program beside it: NumPy, Pillow and a runtime, and no more."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from multimodal_ensemble import (
    BagOfWordsEncoder,
    CategoryEncoder,
    DenseEncoder,
    ImageEncoder,
    MultimodalEnsemble,
    TagEmbeddingEncoder,
)
from multimodal_ensemble.estimators import _preprocess
from tests.estimators.conftest import fit_classifier
from tests.toys import draw_labels, draw_pixels, draw_table, make_network, make_poster

# Every package but those that a runtime needs is absent.
PROGRAM = """
import importlib.abc, json, sys
class Absent(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in sys.argv[3].split():
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
import numpy as np
from preprocess import choose_labels, make_inputs, read_description
rows = json.load(open("rows.json"))
description = read_description("model.json")
inputs = make_inputs(description, rows)
if sys.argv[1] == "onnx":
    import onnxruntime
    session = onnxruntime.InferenceSession("model", providers=["CPUExecutionProvider"])
    (scores,) = session.run(None, inputs)
else:
    if sys.argv[2] == "alone":
        from ai_edge_litert.interpreter import Interpreter
    else:
        import warnings
        warnings.simplefilter("ignore")
        import tensorflow
        Interpreter = tensorflow.lite.Interpreter
    (scores,) = Interpreter("model").get_signature_runner()(**inputs).values()
np.save("scores.npy", scores)
json.dump(choose_labels(description, scores), open("labels.json", "w"))
"""


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    folder = tmp_path_factory.mktemp("posters")
    table = draw_table()
    table["country"] = ["fr", "us", "us"] * (len(table) // 3)
    table["plot"] = ["A lost CITY", "Straße of İzmir", "city of war"] * (len(table) // 3)
    for row, pixels in enumerate(draw_pixels(len(table), 30, 20, 4)):
        image = Image.fromarray(pixels, "RGBA" if row % 2 else None)
        image.save(folder / f"{row}.png")
    paths = [str(folder / f"{row}.png") for row in range(len(table))]
    table["poster"] = [None if row % 7 == 3 else path for row, path in enumerate(paths)]
    table.loc[2, "minutes"] = None
    return table


@pytest.fixture(scope="module")
def ensemble(table):
    encoders = [
        ImageEncoder("poster", backbone=make_network(), optional=True, resampling="bicubic"),
        BagOfWordsEncoder("tags", optional=True),
        TagEmbeddingEncoder("vectors", column="tags", dim=4, optional=True),
        BagOfWordsEncoder("plot", tokenizer="words", ngram_range=(1, 2)),
        DenseEncoder("numbers", column=["year", "minutes"]),
        CategoryEncoder("country"),
    ]
    return MultimodalEnsemble(encoders, random_state=1, verbose=0).fit(table, draw_labels())


def as_rows(table):
    return json.loads(table.to_json(orient="records"))


@pytest.mark.slow
@pytest.mark.parametrize("format", ["onnx", "litert"])
def test_a_model_runs_without_this_package(format, ensemble, table, tmp_path):
    try:
        import ai_edge_litert  # noqa: F401

        alone = "alone"
    except ImportError:
        # The interpreter of TensorFlow then needs TensorFlow, but nothing of this package.
        alone = "onnx" if format == "onnx" else ""
    if format == "onnx":
        pytest.importorskip("tf2onnx")
        pytest.importorskip("onnxruntime")
    ensemble.export(tmp_path / "model", format=format)
    (tmp_path / "rows.json").write_text(json.dumps(as_rows(table)))
    absent = "multimodal_ensemble pandas scipy sklearn joblib"
    absent += " tensorflow keras" if alone else ""
    command = [sys.executable, "-c", PROGRAM, format, alone or "tensorflow", absent]
    done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    scores = np.load(tmp_path / "scores.npy")
    np.testing.assert_allclose(scores, ensemble.predict_proba(table), atol=1e-4)
    labels = json.loads((tmp_path / "labels.json").read_text())
    assert [tuple(row) for row in labels] == ensemble.predict_labels(table)


def describe(encoder, n_rows=1):
    """Return a description as an export writes it."""
    state = {
        name: value.tolist() if isinstance(value, np.ndarray) else value
        for name, value in encoder.fitted_attributes().items()
    }
    described = {
        "encoder": type(encoder).__name__,
        "columns": encoder.columns,
        "config": encoder.get_config() if encoder.get_backbone() is None else {},
        "state": state,
        "shape": [None, *encoder.input_shape],
        "dtype": encoder.input_dtype,
        **encoder.input_description(),
    }
    return {"inputs": {encoder.name: described}}


BAGS = [
    {},
    {"words": False},
    {"tfidf": False},
    {"tfidf": False, "binary": True},
    {"tfidf": False, "sublinear_tf": False},
    {"lowercase": True},
    {"drop": ["space opera", "War"]},
    {"drop": ["OPERA"], "lowercase": True},
]


@pytest.mark.parametrize("options", BAGS, ids=str)
def test_bags_are_those_of_the_encoder(options):
    values = [
        ["space opera", "War", "War"],
        ["SPACE", "opera buffa", "caf\u00e9", "cafe\u0301"],
        ["Stra\u00dfe", "\u0130zmir", "\uff19 lives", "co\u00adop"],
        [],
        ["\u0939\u093f\u0928\u094d\u0926\u0940 film", "unknown"],
    ]
    encoder = BagOfWordsEncoder("tags", **options).fit(values[:4])
    found = _preprocess.make_inputs(describe(encoder), [{"tags": value} for value in values])
    np.testing.assert_allclose(found["tags"], encoder.encode(values), rtol=1e-6)


@pytest.mark.parametrize(
    "options", [{"tokenizer": "words", "ngram_range": (1, 3)}, {"delimiter": "|"}]
)
def test_strings_are_split_as_by_the_encoder(options):
    values = ["A space opera | war", " war|| War | space opera ", ""]
    encoder = BagOfWordsEncoder("tags", drop=["opera"], **options).fit(values)
    found = _preprocess.make_inputs(describe(encoder), [{"tags": value} for value in values])
    np.testing.assert_allclose(found["tags"], encoder.encode(values), rtol=1e-6)


def test_numbers_and_categories_are_those_of_the_encoders():
    table = pd.DataFrame(
        {"a": [1.0, None, 3.0, 8.0], "b": [1.0, 2.0, 5.0, 7.0], "c": ["x", "x", None, "rare"]}
    )
    table["d"] = [1, 1, 2, 2]
    rows = as_rows(table)
    for encoder in (
        DenseEncoder("n", column=["a", "b"]),
        DenseEncoder("n", column=["a", "b"], scaling=None),
        CategoryEncoder("n", column=["c", "d"]),
    ):
        encoder.fit(table[encoder.columns])
        found = _preprocess.make_inputs(describe(encoder), rows)["n"]
        np.testing.assert_allclose(found, encoder.encode(table[encoder.columns]), rtol=1e-6)
    vectors = [[1.0, 2.0], [3.0, 5.0]]
    encoder = DenseEncoder("v").fit(vectors)
    found = _preprocess.make_inputs(describe(encoder), [{"v": vector} for vector in vectors])
    np.testing.assert_allclose(found["v"], encoder.encode(vectors), rtol=1e-6)


@pytest.mark.parametrize("options", [{}, {"words": False, "lowercase": True}], ids=str)
def test_vectors_of_tags_are_those_of_the_encoder(options):
    values = [["space opera", "War", "War"], ["opera buffa", "space"], ["War", "caf\u00e9"], []]
    encoder = TagEmbeddingEncoder("tags", dim=3, **options).fit(values)
    values = [*values, ["unknown"], ["opera", "cafe\u0301"]]
    found = _preprocess.make_inputs(describe(encoder), [{"tags": value} for value in values])
    np.testing.assert_allclose(found["tags"], encoder.encode(values), atol=1e-6)


NUMBERS = {
    ".": [
        "1,234.5",
        "3 %",
        "$ 5",
        "-\u20ac7",
        "\u2212 8",
        "1'000",
        "1e3",
        ".5",
        "n/a",
        " 12 ",
        "?",
    ],
    ",": ["1.234,5", "3 %", "5 \u20ac", "1 000,25", "-0,5", "", "12"],
}


@pytest.mark.parametrize("decimal", NUMBERS)
def test_numbers_as_text_are_those_of_the_encoder(decimal):
    values = NUMBERS[decimal]
    encoder = DenseEncoder("n", decimal=decimal).fit(values)
    found = _preprocess.make_inputs(describe(encoder), [{"n": value} for value in values])
    np.testing.assert_allclose(found["n"], encoder.encode(values), rtol=1e-6)


def test_texts_that_stand_for_no_number_are_missing():
    values = ["1", "", " N/A ", None, "2.5", float("nan")]
    encoder = DenseEncoder("n", decimal=".", optional=True).fit(values)
    description = describe(encoder)
    description["inputs"]["n_present"] = {}
    found = _preprocess.make_inputs(description, [{"n": value} for value in values])
    missing = encoder.find_missing(values)
    assert missing.tolist() == [False, True, True, True, False, True]
    np.testing.assert_array_equal(found["n_present"][:, 0], ~missing)
    present = [value for value, lacks in zip(values, missing, strict=True) if not lacks]
    np.testing.assert_allclose(found["n"][~missing], encoder.encode(present), rtol=1e-6)


def test_an_empty_path_is_no_image(tmp_path):
    path = tmp_path / "image.png"
    Image.fromarray(draw_pixels(8, 8, 3)).save(path)
    description = describe(make_poster(optional=True))
    with pytest.raises(ValueError, match=r"Row 1 has no value for \['poster'\]"):
        _preprocess.make_inputs(description, [{"poster": str(path)}, {"poster": ""}])
    description["inputs"]["poster_present"] = {}
    found = _preprocess.make_inputs(description, [{"poster": str(path)}, {"poster": ""}])
    assert found["poster_present"].tolist() == [[1], [0]]
    assert not found["poster"][1].any()


@pytest.mark.parametrize("value", ["many", "1.2.3", [1.0, 2.0]])
def test_a_value_that_is_no_number_is_refused_with_its_row(value):
    encoder = DenseEncoder("n", decimal=".").fit(["1", "2.5"])
    with pytest.raises(ValueError, match=r"Row 1 cannot be read in the columns \['n'\]: "):
        _preprocess.make_inputs(describe(encoder), [{"n": "1"}, {"n": value}])


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "1", "CMYK", "I;16"])
@pytest.mark.parametrize("resampling", ["bilinear", "lanczos"])
def test_pixels_are_those_of_the_encoder(mode, resampling, tmp_path):
    pixels = draw_pixels(31, 17, 4)
    if mode == "I;16":
        image = Image.fromarray(pixels[..., 0].astype("uint16") * 200)
    else:
        image = Image.fromarray(pixels).convert("RGB" if mode == "CMYK" else "RGBA").convert(mode)
    path = tmp_path / ("image.tif" if mode == "CMYK" else "image.png")
    exif = Image.Exif()
    exif[274] = 6
    image.save(path, exif=exif)
    encoder = make_poster(resampling=resampling)
    found = _preprocess.make_inputs(describe(encoder), [{"poster": str(path)}])
    np.testing.assert_array_equal(found["poster"], encoder.encode([str(path)]))
    found = _preprocess.make_inputs(describe(encoder), [{"poster": path.read_bytes()}])
    np.testing.assert_array_equal(found["poster"], encoder.encode([str(path)]))


def test_a_value_that_the_model_needs():
    encoder = BagOfWordsEncoder("tags").fit([["a"], ["b"]])
    with pytest.raises(ValueError, match=r"Row 1 has no value for \['tags'\]"):
        _preprocess.make_inputs(describe(encoder), [{"tags": ["a"]}, {}])


@pytest.mark.parametrize(
    ("kind", "thresholds", "labels"),
    [
        ("multilabel", [0.5, "inf", "-inf"], [["a", "c"], ["c"]]),
        ("multiclass", [0.5, 0.1, 0.5], [["a"], ["b"]]),
        ("binary", [0.5], [["b"], ["a"]]),
    ],
)
def test_labels_of_scores(kind, thresholds, labels):
    description = {"target_type": kind, "classes": ["a", "b", "c"], "thresholds": thresholds}
    scores = np.array([[0.9, 0.05, 0.1], [0.2, 0.7, 0.1]])[:, : len(thresholds)]
    assert _preprocess.choose_labels(description, scores) == labels


def test_another_program_of_the_same_name_is_kept(tmp_path):
    estimator = fit_classifier([DenseEncoder("year")], epochs=1)
    (tmp_path / "preprocess.py").write_text("mine")
    with pytest.raises(FileExistsError, match="is another program; move it"):
        estimator.export(tmp_path / "model", format="tf_saved_model")
    assert [entry.name for entry in tmp_path.iterdir()] == ["preprocess.py"]
    (tmp_path / "preprocess.py").unlink()
    for name in ("one", "two"):
        estimator.export(tmp_path / name, format="tf_saved_model")
    assert (tmp_path / "preprocess.py").read_text().startswith('"""Inputs of an exported model')
