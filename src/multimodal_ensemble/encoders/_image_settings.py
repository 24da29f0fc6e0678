"""How images are prepared for a network: settings of presets, and layers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from PIL import Image

from multimodal_ensemble._validation import check_choice
from multimodal_ensemble.encoders._keras_hub import import_keras_hub, read_json_file

PREPROCESSING = "preprocessing"
# The names of KerasHub's filters that differ from those of Pillow.
_FILTERS = {"lanczos3": "lanczos", "lanczos5": "lanczos"}


def check_preprocessing(preprocessing: Any) -> None:
    """Raise a ValueError unless it is a kind of preprocessing, or a layer that is no model."""
    is_layer = isinstance(preprocessing, keras.layers.Layer)
    if isinstance(preprocessing, keras.Model) or not is_layer:
        check_choice(preprocessing, ("imagenet", "unit", None), name="preprocessing")


def copy_preprocessing(preprocessing: Any) -> Any:
    """Return a kind of preprocessing as it is, and of a layer a copy for a backbone."""
    if not isinstance(preprocessing, keras.layers.Layer):
        return preprocessing
    if is_image_converter(preprocessing):
        settings = converter_settings(preprocessing)
        return keras.layers.Rescaling(settings["scale"], settings["offset"], name=PREPROCESSING)
    layer = type(preprocessing).from_config({**preprocessing.get_config(), "name": PREPROCESSING})
    if preprocessing.built:
        layer.build((None, None, None, 3))
        layer.set_weights(preprocessing.get_weights())
    return layer


def is_image_converter(layer: Any) -> bool:
    """Return whether a layer is an image converter of KerasHub, without importing KerasHub."""
    return any(
        kind.__name__ == "ImageConverter" and kind.__module__.startswith("keras_hub.")
        for kind in type(layer).__mro__
    )


def read_settings(source: str | os.PathLike[str]) -> dict[str, Any]:
    """Return scale, offset, resampling and image size of a preset, as far as it has them."""
    return _read_converter(source) or _read_processor(source)


def _read_converter(source: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the settings of the preset's image converter, empty without one."""
    hub = import_keras_hub()
    try:
        converter = hub.layers.ImageConverter.from_preset(os.fspath(source))
    except Exception:
        # KerasHub raises errors of many types where a preset has no converter.
        return {}
    return converter_settings(converter)


def converter_settings(converter: Any) -> dict[str, Any]:
    """Return the settings of an image converter of KerasHub, empty for anything else."""
    if not is_image_converter(converter):
        return {}
    scale = 1.0 if converter.scale is None else _to_list(converter.scale)
    offset = 0.0 if converter.offset is None else _to_list(converter.offset)
    filter_name = _FILTERS.get(converter.interpolation, converter.interpolation)
    size = {} if converter.image_size is None else {"image_size": tuple(converter.image_size)}
    return {"scale": scale, "offset": offset, "resampling": filter_name, **size}


def _read_processor(source: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the settings in Hugging Face's `preprocessor_config.json`, empty without one."""
    config = read_json_file(source, "preprocessor_config.json")
    if config is None:
        return {}
    factor = config.get("rescale_factor", 1 / 255) if config.get("do_rescale", True) else 1.0
    settings: dict[str, Any] = {"scale": factor}
    if config.get("do_normalize", True) and {"image_mean", "image_std"} <= config.keys():
        mean, deviation = (
            np.array(config[f"image_{name}"], dtype=float) for name in ("mean", "std")
        )
        settings |= {"scale": _to_list(factor / deviation), "offset": _to_list(-mean / deviation)}
    if "resample" in config:
        settings["resampling"] = Image.Resampling(config["resample"]).name.lower()
    crop = config.get("crop_size") if config.get("do_center_crop") else None
    return {**settings, **_read_size(crop or config.get("size"))}


def _read_size(size: Any) -> dict[str, tuple[int, int]]:
    if isinstance(size, Mapping):
        if {"height", "width"} <= size.keys():
            return {"image_size": (int(size["height"]), int(size["width"]))}
        size = size.get("shortest_edge")
    return {} if size is None else {"image_size": (int(size), int(size))}


def _to_list(values: Any) -> float | list[float]:
    numbers: float | list[float] = np.asarray(values, dtype=float).tolist()
    return numbers
