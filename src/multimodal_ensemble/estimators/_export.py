"""A fitted model for programs that have neither Keras nor this package."""

from __future__ import annotations

import io
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from importlib.resources import files as files_of
from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from multimodal_ensemble._keras import all_layers
from multimodal_ensemble._layer_names import presence_name
from multimodal_ensemble._target import BINARY, MULTICLASS, MULTILABEL
from multimodal_ensemble._validation import check_choice
from multimodal_ensemble._version import __version__
from multimodal_ensemble._warnings import ignored
from multimodal_ensemble.encoders import Encoder, FeatureScaling
from multimodal_ensemble.estimators._fitted import Fitted
from multimodal_ensemble.estimators._onnx_operations import further_operations
from multimodal_ensemble.estimators._preprocess import makes_input

_MAX_REASON = 500
# Beside the model, for programs without this package; it is the same for all models.
_PREPROCESS = "preprocess.py"
_PREDICATES = {
    MULTILABEL: "a label is predicted where its score >= its threshold",
    BINARY: "the second class is predicted where its score >= its threshold, else the first",
    MULTICLASS: "the class with the highest score / threshold is predicted",
}


def export_fitted(fitted: Fitted, path: str | PathLike[str], *, format: str) -> None:
    """Write the model in another format, with a description of its inputs and outputs."""
    _check_format(format)
    path = Path(path)
    is_folder = format == "tf_saved_model"
    if path.is_dir() or (is_folder and path.exists()):
        kind = "folder" if path.is_dir() else "file"
        msg = f"{str(path)!r} is an existing {kind}; remove it, or choose another path."
        raise FileExistsError(msg)
    source = files_of(__package__).joinpath("_preprocess.py").read_bytes()
    _check_replaceable(path.with_name(_PREPROCESS), source)
    # In the folder of the target, so that the complete model can be moved there in one step.
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".export-") as folder:
        written = Path(folder) / "model"
        _EXPORTS[format](fitted.model, written)
        described = describe(fitted)
        companions: list[str] = []
        for encoder in fitted.encoders:
            files = {
                f"{path.name}.{encoder.name}.{name}": content
                for name, content in sorted(encoder.companion_files().items())
            }
            for name, content in files.items():
                (Path(folder) / name).write_bytes(content)
            if files:
                described["inputs"][encoder.name]["files"] = list(files)
            companions += files
        (Path(folder) / _PREPROCESS).write_bytes(source)
        companions.append(_PREPROCESS)
        description = Path(folder) / "description"
        text = json.dumps(described, indent=1, allow_nan=False)
        description.write_text(f"{text}\n", encoding="utf-8")
        written.replace(path)
        description.replace(path.with_name(f"{path.name}.json"))
        for name in companions:
            (Path(folder) / name).replace(path.with_name(name))


def check_export(encoder: Encoder, *, format: str) -> None:
    """Try whether the backbone of an encoder can be exported, before a model is trained with it.

    The backbone is converted, and the result is thrown away. This takes as long as the export.

    Parameters
    ----------
    encoder : Encoder
        The encoder. It need not be fitted if its backbone does not depend on what ``fit`` learns.
    format : {"tf_saved_model", "litert", "onnx"}
        The format; see `MultimodalClassifier.export`.

    Raises
    ------
    ImportError
        If ``"onnx"`` is asked for without tf2onnx.
    ValueError
        If the backbone has operations that the format, or the program that converts it, lacks; the
        message names them.

    Examples
    --------
    >>> import keras
    >>> from multimodal_ensemble import ImageEncoder
    >>> from multimodal_ensemble.estimators import check_export
    >>> network = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 3)])
    >>> check_export(ImageEncoder("photo", backbone=network), format="tf_saved_model")
    """
    _check_format(format)
    backbone = encoder.get_backbone()
    if backbone is None:
        return
    tensor = keras.Input(
        backbone.input_shape[1:], dtype=backbone.inputs[0].dtype, name=encoder.name
    )
    model = keras.Model({encoder.name: tensor}, backbone(tensor))
    # Old versions of Keras print where the model is, which is then deleted.
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(io.StringIO()):
        _EXPORTS[format](model, Path(folder) / "model")


def _check_replaceable(path: Path, source: bytes) -> None:
    """Raise a FileExistsError for a file that no version of this package has written."""
    if path.exists() and not path.read_bytes().startswith(source.partition(b"\n")[0]):
        msg = f"{str(path)!r} is another program; move it, or export to another folder."
        raise FileExistsError(msg)


def _check_format(format: str) -> None:
    check_choice(format, tuple(_EXPORTS), name="format")
    if format == "onnx" and find_spec("tf2onnx") is None:
        msg = "format='onnx' needs tf2onnx: pip install tf2onnx onnx."
        raise ImportError(msg)


def describe(fitted: Fitted) -> dict[str, Any]:
    """Return what a program needs besides the model, in JSON values."""
    inputs: dict[str, dict[str, Any]] = {
        tensor.name: {"shape": [None, *tensor.shape[1:]], "dtype": str(tensor.dtype)}
        for tensor in fitted.model.inputs
    }
    for encoder in fitted.encoders:
        inputs[encoder.name] |= _describe_encoder(encoder)
        if (presence := presence_name(encoder.name)) in inputs:
            inputs[presence] |= {
                "presence_of": encoder.name,
                "meaning": "1 if the row has the modality; 0 if not, with zeros as its input",
            }
        inputs[encoder.name]["made_by_preprocess"] = makes_input(inputs[encoder.name])
    for member in fitted.members or []:
        if member.is_scored:
            inputs[member.name]["meaning"] = "log-odds of the member's scores, one for each label"
    target = fitted.target
    return {
        "library_version": __version__,
        "target_type": target.kind,
        "classes": target.classes.tolist(),
        "labels": target.labels.tolist(),
        # JSON has no infinite numbers.
        "thresholds": [
            value if np.isfinite(value) else str(value) for value in fitted.thresholds.tolist()
        ],
        "predicate": _PREDICATES[target.kind],
        "inputs": inputs,
        "output": {"shape": [None, len(target.labels)], "meaning": "scores, 0 to 1"},
    }


def _describe_encoder(encoder: Encoder) -> dict[str, Any]:
    state = {
        key: value.tolist() if isinstance(value, np.ndarray | np.generic) else value
        for key, value in encoder.fitted_attributes().items()
    }
    return {
        "encoder": type(encoder).__name__,
        "columns": encoder.columns,
        "config": encoder.get_config() if encoder.get_backbone() is None else {},
        "state": state,
        **encoder.input_description(),
    }


def _export_saved_model(model: keras.Model, path: Path) -> None:
    # `model.export` of Keras 3.8 mistakes a dictionary of inputs for a list.
    archive = keras.export.ExportArchive()
    archive.track(model)
    signature = {
        tensor.name: tf.TensorSpec((None, *tensor.shape[1:]), tensor.dtype, name=tensor.name)
        for tensor in model.inputs
    }
    archive.add_endpoint(
        "serve", lambda inputs: model(inputs, training=False), input_signature=[signature]
    )
    archive.write_out(path, verbose=False)


def _export_litert(model: keras.Model, path: Path) -> None:
    _refuse_dtypes(model, "LiteRT", {"bfloat16", "float16", "float64"})
    saved = path.with_name("saved_model")
    with _without_log1p(model):
        _export_saved_model(model, saved)
    try:
        converted = tf.lite.TFLiteConverter.from_saved_model(str(saved)).convert()
    except Exception as error:
        # TensorFlow has no public name for the class of this error.
        msg = f"The model has operations that LiteRT does not support: {str(error)[:_MAX_REASON]}"
        raise ValueError(msg) from error
    path.write_bytes(converted)
    shutil.rmtree(saved)


def _export_onnx(model: keras.Model, path: Path) -> None:
    import onnx

    # The files that tf2onnx writes of such models cannot be loaded.
    _refuse_dtypes(model, "ONNX", {"bfloat16"})
    # The model takes a list of inputs here, for the same reason.
    inputs = {
        tensor.name: keras.Input(tensor.shape[1:], dtype=tensor.dtype, name=tensor.name)
        for tensor in model.inputs
    }
    # Keras 3.15 uses names whose meaning NumPy is about to change.
    with _without_log1p(model), further_operations(), ignored(FutureWarning):
        tensors = list(inputs.values())
        # A single input must not be in a list.
        positional = keras.Model(tensors if len(tensors) > 1 else tensors[0], _Call(model)(inputs))
        # Keras exports only models that were called before.
        # Keras warns of an attention over one position.
        shapes = [(1, *(size or 2 for size in tensor.shape[1:])) for tensor in tensors]
        rows = [
            np.zeros(shape, tensor.dtype) for shape, tensor in zip(shapes, tensors, strict=True)
        ]
        positional(rows if len(rows) > 1 else rows[0])
        positional.export(path, format="onnx", verbose=False)
    try:
        onnx.checker.check_model(str(path))
    except onnx.checker.ValidationError as error:
        # tf2onnx only logs the operations that it cannot convert.
        msg = f"The model has operations that ONNX or tf2onnx does not support: {error}"
        raise ValueError(msg) from error
    found = {entry.name for entry in onnx.load(path).graph.input}
    if further := sorted(found - set(inputs)):
        msg = f"The model has constants that tf2onnx turns into inputs of the file: {further}."
        raise ValueError(msg)


def _refuse_dtypes(model: keras.Model, format_name: str, dtypes: set[str]) -> None:
    found = sorted(dtypes & {str(layer.compute_dtype) for layer in all_layers(model)})
    if found:
        msg = (
            f"Layers of this model compute in {', '.join(found)}, which {format_name} does not "
            "support. Train it after keras.config.set_dtype_policy('float32'), or export it in "
            "another format."
        )
        raise ValueError(msg)


class _Call(keras.layers.Layer):
    """A model as a layer with another name, because an input may have the name of the model."""

    def __init__(self, model: keras.Model) -> None:
        super().__init__(name="exported_model")
        self.model = model
        self.built = True

    def call(self, inputs: Any) -> Any:
        return self.model(inputs, training=False)


@contextmanager
def _without_log1p(model: keras.Model) -> Iterator[None]:
    """Trace a model without log1p, which ONNX lacks and LiteRT computes as ``log(1 + x)``."""
    scalings = [layer for layer in all_layers(model) if isinstance(layer, FeatureScaling)]
    try:
        for scaling in scalings:
            scaling.avoids_log1p = True
        yield
    finally:
        for scaling in scalings:
            scaling.avoids_log1p = False


_EXPORTS = {"tf_saved_model": _export_saved_model, "litert": _export_litert, "onnx": _export_onnx}
