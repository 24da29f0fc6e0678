"""A fitted model for programs that have neither Keras nor this package."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from multimodal_ensemble._keras import all_layers
from multimodal_ensemble._layer_names import presence_name
from multimodal_ensemble._validation import check_choice
from multimodal_ensemble._version import __version__
from multimodal_ensemble._warnings import ignored
from multimodal_ensemble.encoders import Encoder, FeatureScaling
from multimodal_ensemble.estimators._fitted import Fitted

_MAX_REASON = 500


def export_fitted(fitted: Fitted, path: str | PathLike[str], *, format: str) -> None:
    """Write the model in another format, with a description of its inputs and outputs."""
    check_choice(format, tuple(_EXPORTS), name="format")
    if format == "onnx" and find_spec("tf2onnx") is None:
        msg = "format='onnx' needs tf2onnx: pip install 'multimodal-ensemble[export]'."
        raise ImportError(msg)
    path = Path(path)
    is_folder = format == "tf_saved_model"
    if path.is_dir() or (is_folder and path.exists()):
        kind = "folder" if path.is_dir() else "file"
        msg = f"{str(path)!r} is an existing {kind}; remove it, or choose another path."
        raise FileExistsError(msg)
    # In the folder of the target, so that the complete model can be moved there in one step.
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".export-") as folder:
        written = Path(folder) / "model"
        _EXPORTS[format](fitted.model, written)
        description = Path(folder) / "description"
        text = json.dumps(describe(fitted), indent=1, allow_nan=False)
        description.write_text(f"{text}\n", encoding="utf-8")
        companions = {
            f"{path.name}.{encoder.name}.{name}": content
            for encoder in fitted.encoders
            for name, content in encoder.companion_files().items()
        }
        for name, content in companions.items():
            (Path(folder) / name).write_bytes(content)
        written.replace(path)
        description.replace(path.with_name(f"{path.name}.json"))
        for name in companions:
            (Path(folder) / name).replace(path.with_name(name))


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
    for member in fitted.members or []:
        if member.is_scored:
            inputs[member.name]["meaning"] = "log-odds of the member's scores, one for each label"
    return {
        "library_version": __version__,
        "labels": fitted.classes.tolist(),
        # JSON has no infinite numbers.
        "thresholds": [
            value if np.isfinite(value) else str(value) for value in fitted.thresholds.tolist()
        ],
        "predicate": "a label is predicted where its score >= its threshold",
        "inputs": inputs,
        "output": {"shape": [None, len(fitted.classes)], "meaning": "scores, 0 to 1"},
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
        **encoder.input_description(),
        **({"files": files} if (files := sorted(encoder.companion_files())) else {}),
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

    _teach_erfc()

    # The files that tf2onnx writes of such models cannot be loaded.
    _refuse_dtypes(model, "ONNX", {"bfloat16"})
    # The model takes a list of inputs here, for the same reason.
    inputs = {
        tensor.name: keras.Input(tensor.shape[1:], dtype=tensor.dtype, name=tensor.name)
        for tensor in model.inputs
    }
    # Keras 3.15 uses names whose meaning NumPy is about to change.
    with _without_log1p(model), ignored(FutureWarning):
        tensors = list(inputs.values())
        # A single input must not be in a list.
        positional = keras.Model(tensors if len(tensors) > 1 else tensors[0], _Call(model)(inputs))
        # Keras exports only models that were called before.
        rows = [np.zeros([size or 1 for size in tensor.shape], tensor.dtype) for tensor in tensors]
        positional(rows if len(rows) > 1 else rows[0])
        positional.export(path, format="onnx", verbose=False)
    try:
        onnx.checker.check_model(str(path))
    except onnx.checker.ValidationError as error:
        # tf2onnx only logs the operations that it cannot convert.
        msg = f"The model has operations that ONNX or tf2onnx does not support: {error}"
        raise ValueError(msg) from error


def _teach_erfc() -> None:
    """Teach tf2onnx the operation of TensorFlow's exact GELU, which many text encoders use."""
    from tf2onnx import handler, utils

    class Erfc:
        @classmethod
        def version_9(cls, graph: Any, node: Any, **_: Any) -> None:
            output, shape = node.output[0], graph.get_shape(node.output[0])
            dtype = graph.get_dtype(output)
            inputs = list(node.input)
            graph.remove_node(node.name)
            erf = graph.make_node("Erf", inputs, dtypes=[dtype], shapes=[shape])
            one = np.ones((), dtype=utils.map_onnx_to_numpy_type(dtype))
            constant = graph.make_const(utils.make_name("one"), one)
            graph.make_node(
                "Sub",
                [constant.output[0], erf.output[0]],
                outputs=[output],
                dtypes=[dtype],
                shapes=[shape],
            )

    handler.tf_op("Erfc")(Erfc)


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
