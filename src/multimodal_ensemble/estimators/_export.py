"""A fitted classifier's model for programs that have neither Keras nor this package."""

from __future__ import annotations

import json
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from multimodal_ensemble._keras import all_layers
from multimodal_ensemble._layer_names import presence_name
from multimodal_ensemble._validation import check_choice
from multimodal_ensemble._version import __version__
from multimodal_ensemble.encoders import Encoder, FeatureScaling

if TYPE_CHECKING:
    from multimodal_ensemble.estimators._multimodal_classifier import MultimodalClassifier

FORMATS = ("tf_saved_model", "litert", "onnx")


def export_classifier(
    classifier: MultimodalClassifier, path: str | PathLike[str], *, format: str
) -> None:
    """Write the model in a format, and beside it what its inputs and outputs mean."""
    check_choice(format, FORMATS, name="format")
    if format == "onnx" and find_spec("tf2onnx") is None:
        msg = "format='onnx' needs tf2onnx: pip install 'multimodal-ensemble[export]'."
        raise ImportError(msg)
    path = Path(path)
    is_folder = format == "tf_saved_model"
    if path.is_dir() or (is_folder and path.exists()):
        kind = "folder" if path.is_dir() else "file"
        msg = f"{str(path)!r} is a {kind} that is there already; remove it, or name another one."
        raise FileExistsError(msg)
    # Beside the target, so that it can be moved there in one step once it is complete.
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".export-") as folder:
        written = Path(folder) / "model"
        _EXPORTS[format](classifier.model_, written)
        description = Path(folder) / "description"
        text = json.dumps(describe(classifier), indent=1, allow_nan=False)
        description.write_text(text + "\n", encoding="utf-8")
        written.replace(path)
        description.replace(path.with_name(f"{path.name}.json"))


def describe(classifier: MultimodalClassifier) -> dict[str, Any]:
    """Return what a program needs to know besides the model, in JSON values."""
    encoders = {encoder.name: encoder for encoder in classifier.encoders_}
    presence = {presence_name(encoder.name): encoder for encoder in classifier.encoders_}
    inputs = {}
    for tensor in classifier.model_.inputs:
        inputs[tensor.name] = {
            "shape": [None, *tensor.shape[1:]],
            "dtype": str(tensor.dtype),
            **(
                _describe_encoder(encoders[tensor.name])
                if tensor.name in encoders
                else {
                    "presence_of": presence[tensor.name].name,
                    "meaning": "1 where the row has the modality; 0, beside zeros, where not",
                }
            ),
        }
    return {
        "library_version": __version__,
        "labels": classifier.classes_.tolist(),
        # JSON has no infinite numbers.
        "thresholds": [
            value if np.isfinite(value) else str(value) for value in classifier.thresholds_.tolist()
        ],
        "predicate": "a label is predicted where its score >= its threshold",
        "inputs": inputs,
        "output": {"shape": [None, len(classifier.classes_)], "meaning": "scores, 0 to 1"},
    }


def _describe_encoder(encoder: Encoder) -> dict[str, Any]:
    state = {
        key: value.tolist() if isinstance(value, np.ndarray | np.generic) else value
        for key, value in Encoder.get_state(encoder).items()
    }
    return {
        "encoder": type(encoder).__name__,
        "columns": encoder.columns,
        "config": encoder.get_config() if encoder.get_backbone() is None else {},
        "state": state,
        **({"meaning": "RGB pixels, 0 to 255"} if encoder.input_shape[2:] == (3,) else {}),
    }


def _export_saved_model(model: keras.Model, path: Path) -> None:
    # Not `model.export`, which in Keras 3.8 takes the inputs of a dictionary for a list.
    archive = keras.export.ExportArchive()
    archive.track(model)
    signature = {
        tensor.name: tf.TensorSpec((None, *tensor.shape[1:]), tensor.dtype, name=tensor.name)
        for tensor in model.inputs
    }

    def serve(inputs: Any) -> Any:
        return model(inputs, training=False)

    archive.add_endpoint("serve", serve, input_signature=[signature])
    archive.write_out(path, verbose=False)


def _export_litert(model: keras.Model, path: Path) -> None:
    saved = path.with_name("saved_model")
    with _without_log1p(model):
        _export_saved_model(model, saved)
    path.write_bytes(tf.lite.TFLiteConverter.from_saved_model(str(saved)).convert())
    shutil.rmtree(saved)


def _export_onnx(model: keras.Model, path: Path) -> None:
    import onnx

    # As a list, for the same reason.
    inputs = {
        tensor.name: keras.Input(tensor.shape[1:], dtype=tensor.dtype, name=tensor.name)
        for tensor in model.inputs
    }
    with _without_log1p(model), warnings.catch_warnings():
        # Keras 3.15 looks for names that NumPy is about to give another meaning.
        warnings.simplefilter("ignore", FutureWarning)
        tensors = list(inputs.values())
        # Of one input, not even as a list.
        positional = keras.Model(tensors if len(tensors) > 1 else tensors[0], _Call(model)(inputs))
        # Keras exports only what was called.
        rows = [np.zeros((1, *tensor.shape[1:]), tensor.dtype) for tensor in tensors]
        positional(rows if len(rows) > 1 else rows[0])
        positional.export(path, format="onnx", verbose=False)
    try:
        onnx.checker.check_model(str(path))
    except onnx.checker.ValidationError as error:
        # What tf2onnx cannot convert it only logs.
        msg = f"The model has operations that ONNX, or tf2onnx, does not have: {error}"
        raise ValueError(msg) from error


class _Call(keras.layers.Layer):
    """A model as a layer of another name, because its own may be that of an input."""

    def __init__(self, model: keras.Model) -> None:
        super().__init__(name="exported_model")
        self.model = model
        self.built = True

    def call(self, inputs: Any) -> Any:
        return self.model(inputs, training=False)


@contextmanager
def _without_log1p(model: keras.Model) -> Iterator[None]:
    """Trace a model without log1p: ONNX has none, and LiteRT computes ``log(1 + x)`` for it."""
    scalings = [layer for layer in all_layers(model) if isinstance(layer, FeatureScaling)]
    try:
        for scaling in scalings:
            scaling.avoids_log1p = True
        yield
    finally:
        for scaling in scalings:
            scaling.avoids_log1p = False


_EXPORTS = {
    "tf_saved_model": _export_saved_model,
    "litert": _export_litert,
    "onnx": _export_onnx,
}
