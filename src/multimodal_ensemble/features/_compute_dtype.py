"""Backbones that compute in bfloat16, and whether that is faster and exact enough."""

from __future__ import annotations

import os
import platform
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._graphs import has_gpu, predict_batch
from multimodal_ensemble._keras import all_layers, clone_model, remembered
from multimodal_ensemble.features._fingerprint import model_fingerprint

COMPUTE_DTYPES = ("auto", "float32", "bfloat16")
# With "auto", the least similarity of each checked row to that in float32.
LEAST_COSINE = 0.9999
# With "auto", fewer rows are computed in float32, because the check takes as long. They do not
# decide about later ones.
LEAST_ROWS = 256
# A check of more rows would take longer and finds hardly more: rows of a backbone are alike in it.
N_CHECKED = 8

_CPU_FLAGS = {"avx512_bf16", "amx_bf16"}


@lru_cache(maxsize=1)
def is_bfloat16_fast() -> bool:
    """Return whether this processor multiplies bfloat16 faster, and TensorFlow makes use of it.

    False where there is a GPU, which computes the features then.
    """
    if platform.system() != "Linux" or os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "0":
        return False
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="ignore").split()
    except OSError:
        return False
    return not _CPU_FLAGS.isdisjoint(flags) and not has_gpu()


def gains_from_bfloat16(model: keras.Model) -> bool:
    """Return whether bfloat16 shortens the pass of a model by more than a check takes.

    Depthwise convolutions take most of the time of their networks and are limited by memory.
    """
    return not any(isinstance(layer, keras.layers.DepthwiseConv2D) for layer in all_layers(model))


def in_bfloat16(model: keras.Model) -> keras.Model:
    """Return a copy of a model that computes in bfloat16 from its first to its last weights.

    What comes before and after, such as the scaling of pixels and the mean over positions, stays in
    float32. The copy is made once, unless the weights change.

    Raises
    ------
    TypeError, ValueError
        If a layer cannot be made from its configuration.
    """
    return remembered(model, "bfloat16", model_fingerprint(model), partial(_copy_model, model))


def lowest_cosine(model: keras.Model, encoded: NDArray[Any]) -> float:
    """Return the least cosine of a row's features in bfloat16 with those in float32, -1..1."""
    # Without a graph, which takes longer to trace than it saves. The pass needs the other one.
    outputs = model(encoded, training=False), predict_batch(in_bfloat16(model), encoded)
    exact, rounded = (
        np.asarray(each, dtype=np.float64).reshape(len(encoded), -1) for each in outputs
    )
    norms = np.linalg.norm(exact, axis=1) * np.linalg.norm(rounded, axis=1)
    products = (exact * rounded).sum(axis=1)
    # Rows of zeros in both are equal.
    is_zero = (np.abs(exact) + np.abs(rounded)).max(axis=1) == 0
    cosines = np.where(is_zero, 1.0, products / np.where(norms > 0, norms, 1.0))
    return float(cosines.min())


def _copy_model(model: keras.Model) -> keras.Model:
    inner = _names_between_weights(model)

    def copy(layer: keras.Layer) -> keras.Layer:
        config = layer.get_config()
        changed = _config_in_bfloat16(layer, config) if layer.name in inner else config
        return type(layer).from_config(changed)

    converted = clone_model(model, clone_function=copy)
    converted.set_weights(model.get_weights())
    return converted


def _names_between_weights(model: keras.Model) -> set[str]:
    """Return the names of the layers from the first with weights to the last."""
    with_weights = [place for place, layer in enumerate(model.layers) if layer.weights]
    if not with_weights:
        return set()
    return {layer.name for layer in model.layers[with_weights[0] : with_weights[-1] + 1]}


def _config_in_bfloat16(layer: keras.Layer, config: dict[str, Any]) -> dict[str, Any]:
    if isinstance(layer, keras.Model) and "layers" in config:
        inner = _names_between_weights(layer)
        entries = [
            {**entry, "config": _config_in_bfloat16(layer.get_layer(name), entry["config"])}
            if (name := entry["config"]["name"]) in inner
            else entry
            for entry in config["layers"]
        ]
        return {**config, "layers": entries}
    changed: dict[str, Any] = _replace_float32(config)
    return changed


def _replace_float32(node: Any) -> Any:
    """Return a configuration in which dtype policies of float32 are those of bfloat16."""
    if isinstance(node, dict):
        if node.get("class_name") == "DTypePolicy" and node["config"] == {"name": "float32"}:
            return {**node, "config": {"name": "bfloat16"}}
        return {
            key: "bfloat16" if key == "dtype" and value == "float32" else _replace_float32(value)
            for key, value in node.items()
        }
    if isinstance(node, list | tuple):
        return type(node)(_replace_float32(value) for value in node)
    return node
