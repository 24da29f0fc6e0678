"""Exported models return the same scores, and a file describes their inputs and outputs."""

import dataclasses
import importlib.util
import json
import warnings
from contextlib import nullcontext

import keras
import numpy as np
import pytest
import tensorflow as tf

from multimodal_ensemble import (
    BagOfWordsEncoder,
    DenseEncoder,
    ImageEncoder,
    MultimodalClassifier,
    MultimodalDataset,
    MultimodalEnsemble,
    fuse_encoders,
)
from multimodal_ensemble.encoders import DenseHead
from multimodal_ensemble.estimators import _export, check_export
from multimodal_ensemble.estimators._calibration import with_calibration
from multimodal_ensemble.fusion import IsotonicCalibration, PlattCalibration
from multimodal_ensemble.metrics import apply_thresholds
from tests.estimators.conftest import fit_classifier
from tests.toys import draw_labels, draw_table, make_network, make_poster


def encode(classifier, table):
    """Return the inputs of the model, as another program would compute them."""
    dataset = MultimodalDataset(table, classifier.encoders_, batch_size=len(table))
    inputs, *_ = dataset[0]
    return {name: np.asarray(values, dtype="float32") for name, values in inputs.items()}


def open_saved_model(path):
    loaded = tf.saved_model.load(str(path))

    def run(inputs):
        tensors = {name: tf.constant(values) for name, values in inputs.items()}
        served = np.asarray(loaded.serve(tensors))
        (output,) = loaded.signatures["serving_default"](**tensors).values()
        np.testing.assert_array_equal(served, np.asarray(output))
        return served

    return run


def open_litert(path):
    with warnings.catch_warnings():
        # The interpreter moves to a package of its own, which the tests do not install.
        warnings.filterwarnings("ignore", ".*tf.lite.Interpreter is deprecated", UserWarning)
        interpreter = tf.lite.Interpreter(model_path=str(path))

    def run(inputs):
        (scores,) = interpreter.get_signature_runner()(**inputs).values()
        return scores

    return run


def open_onnx(path):
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def run(inputs):
        assert {entry.name for entry in session.get_inputs()} == set(inputs)
        (scores,) = session.run(None, inputs)
        return scores

    return run


def run_onnx(path, inputs):
    return open_onnx(path)(inputs)


# Format to a function that returns a function from inputs to scores.
OPEN = {"tf_saved_model": open_saved_model, "litert": open_litert, "onnx": open_onnx}


def needs(format):
    if format == "onnx":
        pytest.importorskip("tf2onnx")
        pytest.importorskip("onnxruntime")


FILES = ["model", "model.json", "preprocess.py"]
THRESHOLDS = {"Drama": 0.5, "War": np.inf, "Western": -np.inf}


def calibrate(estimator, layer, *weights):
    """Return an estimator whose scores pass through this layer."""
    layer.build((None, len(estimator.classes_)))
    layer.set_weights([*map(np.array, weights)])
    estimator.model_ = with_calibration(estimator.model_, layer)
    return estimator


@pytest.fixture(scope="module")
def ensemble():
    """Return a calibrated ensemble of an image, optional tags, and numbers with radial features."""
    encoders = [
        make_poster(optional=True),
        BagOfWordsEncoder("tags", optional=True),
        DenseEncoder("numbers", column=["year", "minutes"]),
    ]
    ensemble = MultimodalEnsemble(encoders, threshold=THRESHOLDS, random_state=1, verbose=0)
    ensemble.fit(draw_table(), draw_labels())
    knots, values = [[0, 0.4, 1]] * 3, [[0.1, 0.2, 1], [0, 0.7, 0.9], [0, 0.4, 1]]
    return calibrate(ensemble, IsotonicCalibration(3, name="calibration"), knots, values)


@pytest.fixture(scope="module")
def two():
    """Return a calibrated classifier of an image and of optional tags."""
    two = fit_classifier(
        [
            make_poster(optional=True, head=DenseHead(4, scaling="log")),
            BagOfWordsEncoder("tags", tfidf=True, optional=True, head=DenseHead(3)),
        ],
        threshold=THRESHOLDS,
        modality_dropout=0.2,
        dropout=0.1,
    )
    return calibrate(two, PlattCalibration(name="calibration"), [1, 0.5, 2], [0, 0.5, -1])


@pytest.fixture(scope="module")
def numbers():
    """Return a classifier whose export is quick."""
    return fit_classifier([DenseEncoder("numbers", column=["year", "minutes"], head=DenseHead(2))])


@pytest.mark.slow
# Radial features depend on differences of large float32 numbers.
@pytest.mark.parametrize(("name", "atol"), [("two", 1e-5), ("ensemble", 1e-4)])
@pytest.mark.parametrize("format", OPEN)
def test_an_exported_model_returns_the_same_scores(format, name, atol, request, table, tmp_path):
    needs(format)
    estimator = request.getfixturevalue(name)
    path = tmp_path / "model"
    estimator.export(path, format=format)
    inputs = encode(estimator, table)
    assert {"poster", "poster_present", "tags", "tags_present"} <= set(inputs)
    expected = estimator.predict_proba(table)
    run = OPEN[format](path)
    np.testing.assert_allclose(run(inputs), expected, atol=atol)
    one = {name: values[:1] for name, values in inputs.items()}
    np.testing.assert_allclose(run(one), expected[:1], atol=atol)
    # The export keeps the inputs that mark rows without a modality.
    without = {**inputs, "tags": 0 * inputs["tags"], "tags_present": 0 * inputs["tags_present"]}
    scores = run(without)
    np.testing.assert_allclose(
        scores, estimator.predict_proba(table.drop(columns="tags")), atol=atol
    )
    assert np.abs(scores - expected).max() > 1e-3
    # Nothing else was written, and the estimator is unchanged.
    assert sorted(entry.name for entry in tmp_path.iterdir()) == FILES
    np.testing.assert_array_equal(estimator.predict_proba(table), expected)


@pytest.mark.slow
@pytest.mark.parametrize(("format", "fusion"), [("litert", "gated"), ("onnx", "attention")])
def test_a_fusion_with_weights_is_exported(format, fusion, numbers, table, tmp_path):
    needs(format)
    encoders = [
        DenseEncoder("year", head=DenseHead(2)).fit(table["year"]),
        DenseEncoder("minutes", head=DenseHead(3)).fit(table["minutes"]),
    ]
    model = fuse_encoders(encoders, 3, fusion=fusion, seed=1)
    fitted = dataclasses.replace(numbers._fitted(), encoders=encoders, model=model)
    _export.export_fitted(fitted, tmp_path / "model", format=format)
    inputs = {encoder.name: encoder.encode(table[encoder.name]) for encoder in encoders}
    scores = OPEN[format](tmp_path / "model")(inputs)
    np.testing.assert_allclose(scores, model(inputs), atol=1e-5)


@pytest.mark.parametrize("format", OPEN)
def test_the_described_thresholds_return_the_same_labels(format, numbers, table, tmp_path):
    needs(format)
    numbers.export(tmp_path / "model", format=format)
    description = json.loads((tmp_path / "model.json").read_text(encoding="utf-8"))
    scores = OPEN[format](tmp_path / "model")(encode(numbers, table))
    thresholds = np.array([float(value) for value in description["thresholds"]])
    np.testing.assert_array_equal(scores >= thresholds, numbers.predict(table))
    np.testing.assert_array_equal(apply_thresholds(scores, thresholds), numbers.predict(table))


def test_a_loaded_classifier_has_the_same_export(numbers, table, tmp_path):
    numbers.save(tmp_path / "file")
    MultimodalClassifier.load(tmp_path / "file").export(tmp_path / "model", format="tf_saved_model")
    numbers.export(tmp_path / "other", format="tf_saved_model")
    inputs = encode(numbers, table)
    np.testing.assert_array_equal(
        open_saved_model(tmp_path / "model")(inputs), open_saved_model(tmp_path / "other")(inputs)
    )
    assert (tmp_path / "model.json").read_bytes() == (tmp_path / "other.json").read_bytes()


@pytest.fixture
def no_conversion(monkeypatch):
    """Let an export write an empty file in place of the model."""
    monkeypatch.setitem(_export._EXPORTS, "tf_saved_model", lambda model, path: path.touch())


def test_the_description_of_a_model(two, tmp_path, no_conversion):
    two.export(tmp_path / "model", format="tf_saved_model")
    text = (tmp_path / "model.json").read_text(encoding="utf-8")
    description = json.loads(text, parse_constant=pytest.fail)
    assert description["labels"] == ["Drama", "War", "Western"]
    assert description["thresholds"] == [0.5, "inf", "-inf"]
    assert ">=" in description["predicate"]
    assert description["output"]["shape"] == [None, 3]
    inputs = description["inputs"]
    assert list(inputs) == ["poster", "poster_present", "tags", "tags_present"]
    poster, tags, present = inputs["poster"], inputs["tags"], inputs["tags_present"]
    assert poster["shape"] == [None, 8, 8, 3]
    assert poster["meaning"] == "RGB pixels, 0 to 255"
    assert poster["columns"] == ["poster"]
    assert tags["encoder"] == "BagOfWordsEncoder"
    assert tags["state"]["vocabulary_"] == two.encoders_[1].vocabulary_
    assert tags["state"]["idf_"] == two.encoders_[1].idf_.tolist()
    assert tags["config"]["tfidf"] is True
    assert tags["shape"] == [None, 3]
    assert tags["dtype"] == "float32"
    assert present["presence_of"] == "tags"
    assert present["shape"] == [None, 1]


@keras.saving.register_keras_serializable(package="tests.estimators")
class ShiftedEncoder(DenseEncoder):
    def fit(self, values):
        self.shift_ = np.float32(0.5)
        return super().fit(values)


def test_numpy_numbers_of_an_encoder_are_written(tmp_path, no_conversion):
    fit_classifier([ShiftedEncoder("year", head=DenseHead(2))], epochs=1).export(
        tmp_path / "model", format="tf_saved_model"
    )
    description = json.loads((tmp_path / "model.json").read_text(encoding="utf-8"))
    assert description["inputs"]["year"]["state"]["shift_"] == 0.5


# LiteRT has neither log1p nor arcsinh, and its log(1 + x) is 0 for tiny x.


@pytest.mark.slow
@pytest.mark.parametrize("format", ["litert", "onnx"])
def test_tiny_features_keep_their_scores_in_an_export(format, table, tmp_path):
    needs(format)
    # Deep networks with random weights return features as small as these.
    inputs = keras.Input((8, 8, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(inputs)
    network = keras.Model(inputs, keras.layers.Rescaling(1e-22)(pooled), name="network")
    classifier = fit_classifier(
        [ImageEncoder("poster", backbone=network, optional=True, head=DenseHead(4, scaling="log"))],
        epochs=6,
    )
    scaling = classifier.model_.get_layer("poster_head").get_layer("scaling")
    assert 0 < scaling.scale.numpy().max() < 1e-19
    expected = classifier.predict_proba(table)
    assert np.ptp(expected, axis=0).min() > 0.01
    classifier.export(tmp_path / "model", format=format)
    scores = OPEN[format](tmp_path / "model")(encode(classifier, table))
    np.testing.assert_allclose(scores, expected, atol=1e-4)
    assert not scaling.avoids_log1p


# -- errors ----------------------------------------------------------------------------------


def test_an_unknown_format_is_an_error(numbers, tmp_path):
    with pytest.raises(ValueError, match=r"format must be .*tf_saved_model.*litert.*onnx.*'pmml'"):
        numbers.export(tmp_path / "model", format="pmml")
    assert not list(tmp_path.iterdir())


def test_a_classifier_must_be_fitted_to_be_exported(tmp_path):
    with pytest.raises(ValueError, match="not fitted yet"):
        MultimodalClassifier().export(tmp_path / "model", format="litert")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("format", OPEN)
def test_an_existing_folder_is_not_replaced(format, numbers, tmp_path):
    needs(format)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine").write_text("mine")
    with pytest.raises(FileExistsError, match=r"model' is an existing folder; remove"):
        numbers.export(tmp_path / "model", format=format)
    assert [entry.name for entry in tmp_path.iterdir()] == ["model"]
    assert (tmp_path / "model" / "mine").read_text() == "mine"


def test_a_folder_does_not_replace_a_file(numbers, tmp_path):
    (tmp_path / "model").write_text("mine")
    with pytest.raises(FileExistsError, match=r"model' is an existing file; remove"):
        numbers.export(tmp_path / "model", format="tf_saved_model")
    assert (tmp_path / "model").read_text() == "mine"


def test_an_older_file_is_replaced(numbers, table, tmp_path):
    (tmp_path / "model").write_text("old")
    (tmp_path / "model.json").write_text("old")
    numbers.export(tmp_path / "model", format="litert")
    scores = open_litert(tmp_path / "model")(encode(numbers, table))
    np.testing.assert_allclose(scores, numbers.predict_proba(table), atol=1e-5)
    assert json.loads((tmp_path / "model.json").read_text())["labels"] == list(numbers.classes_)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == FILES


def test_an_absent_package_is_named(numbers, tmp_path, monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        _export, "find_spec", lambda name: None if name == "tf2onnx" else find_spec(name)
    )
    with pytest.raises(ImportError, match="needs tf2onnx: pip install tf2onnx onnx"):
        numbers.export(tmp_path / "model", format="onnx")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_does_not_exist_is_an_error(numbers, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        numbers.export(tmp_path / "nowhere" / "model", format="litert")


def test_a_failed_export_leaves_the_older_files(numbers, tmp_path, monkeypatch):
    (tmp_path / "model").write_text("old")

    def fail(fitted):
        msg = "No space left on device"
        raise OSError(msg)

    monkeypatch.setattr(_export, "describe", fail)
    with pytest.raises(OSError, match="No space left on device"):
        numbers.export(tmp_path / "model", format="litert")
    assert [entry.name for entry in tmp_path.iterdir()] == ["model"]
    assert (tmp_path / "model").read_text() == "old"


def test_a_failed_export_restores_the_layers(two, tmp_path, monkeypatch):
    needs("onnx")
    scaling = two.model_.get_layer("poster_head").get_layer("scaling")
    seen = []

    def fail(self, *args, **options):
        seen.append(scaling.avoids_log1p)
        raise KeyboardInterrupt

    monkeypatch.setattr(keras.Model, "export", fail)
    with pytest.raises(KeyboardInterrupt):
        two.export(tmp_path / "model", format="onnx")
    assert seen == [True]
    assert not scaling.avoids_log1p
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("policy", "formats"),
    [
        ("mixed_float16", ["litert"]),
        ("mixed_bfloat16", ["litert", "onnx"]),
        ("float64", ["litert"]),
    ],
)
def test_a_format_without_the_type_of_the_numbers_is_refused(policy, formats, tmp_path):
    for format in formats:
        needs(format)
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        classifier = fit_classifier([DenseEncoder("year", head=DenseHead(2))], epochs=1)
    finally:
        keras.config.set_dtype_policy(before)
    dtype = policy.removeprefix("mixed_")
    match = rf"compute in {dtype}, which .*'float32'.*another format"
    for format in formats:
        with pytest.raises(ValueError, match=match):
            classifier.export(tmp_path / "model", format=format)
    assert list(tmp_path.iterdir()) == []


class AddPositions(keras.layers.Layer):
    """A layer that holds an array which is no weight."""

    def build(self, input_shape):
        self.positions = keras.ops.arange(input_shape[-1])

    def call(self, inputs):
        return inputs + keras.ops.cast(self.positions, inputs.dtype)


def test_the_exact_gelu_and_arrays_of_layers_are_exported_to_onnx(table, tmp_path):
    needs("onnx")
    dense = keras.layers.Dense(2, activation="gelu")
    encoder = DenseEncoder("year", head=lambda _: keras.Sequential([dense, AddPositions()]))
    encoder.fit(table["year"])
    model = fuse_encoders([encoder], 3, seed=1)
    inputs = {"year": encoder.encode(table["year"])}
    _export._EXPORTS["onnx"](model, tmp_path / "model")
    np.testing.assert_allclose(run_onnx(tmp_path / "model", inputs), model(inputs), atol=1e-6)


def test_a_backbone_is_checked_before_training(table):
    needs("onnx")
    inputs = keras.Input((8, 8, 3))
    network = keras.Model(inputs, keras.ops.real(keras.ops.fft2((inputs, inputs))[0]))
    for backbone, match in ((make_network(), None), (network, "ONNX or tf2onnx does not support")):
        encoder = ImageEncoder("poster", backbone=backbone)
        check_export(encoder, format="tf_saved_model")
        with nullcontext() if match is None else pytest.raises(ValueError, match=match):
            check_export(encoder, format="onnx")
    check_export(DenseEncoder("year"), format="onnx")
    with pytest.raises(ValueError, match="format must be one of"):
        check_export(DenseEncoder("year"), format="pt")
