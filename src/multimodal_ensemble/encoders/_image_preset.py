"""Image networks of KerasHub, and how their images are prepared."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from multimodal_ensemble._validation import check_choice
from multimodal_ensemble.encoders._applications import application_names
from multimodal_ensemble.encoders._keras_hub import (
    import_keras_hub,
    is_hub_backbone,
    is_preset,
    load_hub_backbone,
    read_json_file,
)
from multimodal_ensemble.exceptions import ModalityError, WeightsUnavailableError
from multimodal_ensemble.images import check_image_size
from multimodal_ensemble.saving import check_config, check_model_sizes, load_object

# Of a file whose weights are elsewhere.
_MAX_ABSENT_WEIGHTS = 2**28
_PREPROCESSING = "preprocessing"
# The side of images where neither a preset nor its network has one.
_ANY_SIZE = 224
# The names of KerasHub's filters that differ from those of Pillow.
_FILTERS = {"lanczos3": "lanczos", "lanczos5": "lanczos"}


@dataclass(frozen=True, eq=False)
class ImagePreset:
    """A network of KerasHub, and the preparation of images that belongs to its weights.

    `scale` and `offset`, numbers or one per colour, turn pixels 0..255 into what the network
    receives. A `scale` of None means that the preset does not tell.
    """

    network: keras.Model
    image_size: tuple[int, int]
    resampling: str = "bilinear"
    scale: float | list[float] | None = None
    offset: float | list[float] = 0.0

    def make_preprocessing(self) -> keras.layers.Layer:
        """Return a new layer from pixels 0..255 to what the network receives."""
        if self.scale is None:
            msg = (
                f"The preset of {self.network.name!r} does not tell how its images are prepared. "
                "Pass preprocessing='unit' for pixels 0..1, None for pixels 0..255, or a layer "
                "such as keras.layers.Rescaling(1 / 127.5, -1)."
            )
            raise ModalityError(msg)
        return keras.layers.Rescaling(self.scale, self.offset, name=_PREPROCESSING)


def check_backbone(backbone: Any, preprocessing: Any) -> None:
    """Raise a ValueError unless `backbone` may be the network of an `ImageEncoder`."""
    if isinstance(backbone, keras.Model):
        if is_hub_backbone(backbone):
            _check_hub_object(backbone, preprocessing)
        return
    if not isinstance(backbone, str | os.PathLike):
        msg = (
            "backbone must be the name of a network in keras.applications, a preset of KerasHub, "
            "the path of a folder, or a keras.Model. "
            f"Received {backbone!r} of type {type(backbone).__name__}."
        )
        raise ValueError(msg)
    if not names_preset(backbone) or "/" in str(backbone) or os.sep in str(backbone):
        # A folder may be absent where a saved file holds all that is needed from it.
        return
    try:
        reason = "" if is_preset(backbone) else "KerasHub has no preset and there is no folder"
    except ImportError as error:
        reason = f"If it is a preset of KerasHub: {error} There is no folder"
    if reason:
        msg = (
            f"keras.applications has no network {str(backbone)!r}. "
            f"It has {', '.join(application_names())}. {reason} of this name. "
            "To use a network of your own, pass a keras.Model."
        )
        raise ValueError(msg)


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
        return keras.layers.Rescaling(settings["scale"], settings["offset"], name=_PREPROCESSING)
    layer = type(preprocessing).from_config({**preprocessing.get_config(), "name": _PREPROCESSING})
    if preprocessing.built:
        layer.build((None, None, None, 3))
        layer.set_weights(preprocessing.get_weights())
    return layer


def is_image_converter(layer: Any) -> bool:
    """Return whether a layer is an image converter of KerasHub, without importing KerasHub."""
    return any(kind.__name__ == "ImageConverter" for kind in type(layer).__mro__)


def _check_hub_object(network: keras.Model, preprocessing: Any) -> None:
    if isinstance(getattr(network, "backbone", None), keras.Model):
        msg = (
            f"{type(network).__name__} is a task of KerasHub, which returns predictions. Pass "
            "backbone=task.backbone and preprocessing=task.preprocessor.image_converter."
        )
        raise ValueError(msg)
    if isinstance(getattr(network, "vision_encoder", None), keras.Model):
        msg = (
            f"{type(network).__name__} takes images and texts. Pass "
            "backbone=model.vision_encoder, or the name of its preset."
        )
        raise ValueError(msg)
    if preprocessing == "imagenet":
        msg = (
            "A backbone object of KerasHub does not tell how its images are prepared. Pass the "
            "name or folder of its preset as backbone, or preprocessing=the image converter of "
            "its preset, a layer such as keras.layers.Rescaling(1 / 127.5, -1), 'unit' or None."
        )
        raise ValueError(msg)


def names_preset(backbone: Any) -> bool:
    """Return whether a backbone is named, and not by a network of `keras.applications`."""
    is_name = isinstance(backbone, str | os.PathLike)
    return is_name and backbone not in application_names()


def load_image_preset(
    source: str | os.PathLike[str],
    *,
    modality: str,
    image_size: int | Sequence[int] | None,
    load_weights: bool,
    seed: int | None,
) -> ImagePreset:
    """Return the image network of a preset, a folder or a handle.

    Of a model of images and texts, it is the network of the images.
    """

    def load(**options: Any) -> keras.Model:
        whole = load_hub_backbone(
            source, modality=modality, load_weights=load_weights, seed=seed, **options
        )
        tower = getattr(whole, "vision_encoder", None)
        return tower if isinstance(tower, keras.Model) else whole

    network = load()
    settings = _read_converter(source) or _read_processor(source)
    of_preset = settings.pop("image_size", None)
    own = own_input_size(network)
    size: tuple[int, int]
    if image_size is not None:
        size = check_image_size(image_size, name="image_size")
    else:
        size = of_preset or (own[0] or _ANY_SIZE, own[1] or _ANY_SIZE)
    if any(fixed not in (None, side) for side, fixed in zip(size, own, strict=True)):
        try:
            network = load(image_shape=(*size, 3))
        except WeightsUnavailableError as error:
            msg = (
                f"The network {os.fspath(source)!r} takes images of {own} pixels, and its weights "
                f"do not fit images of {size}. Leave image_size out, or pass image_size={own}."
            )
            raise ModalityError(msg) from error
    return ImagePreset(network, size, **settings)


def own_input_size(network: keras.Model) -> tuple[int | None, int | None]:
    """Return the size of the images that a network takes, with None for any, or refuse it."""
    # A subclassed model, or one that is not built yet, has no such attribute.
    tensors = keras.tree.flatten(getattr(network, "inputs", None) or ())
    shape = tuple(tensors[0].shape) if len(tensors) == 1 else None
    if shape is None or len(shape) != 4 or shape[-1] != 3:
        takes = getattr(network, "input_shape", None)
        msg = (
            "A backbone must take RGB images of shape (batch, height, width, 3). "
            f"The model {network.name!r} takes {takes}."
        )
        if shape is not None and shape[1:2] == (3,) and len(shape) == 4:
            msg += " If its colours come first, put keras.layers.Permute((3, 1, 2)) in front of it."
        raise ModalityError(msg)
    return shape[1:3]


def describe_preset(preset: ImagePreset) -> str:
    """Return all but the weights as JSON, so that a saved file needs no other."""
    described = {
        "network": keras.saving.serialize_keras_object(preset.network),
        "image_size": preset.image_size,
        "resampling": preset.resampling,
        "scale": preset.scale,
        "offset": preset.offset,
    }
    return json.dumps(described)


def restore_preset(
    described: str, weights: Sequence[NDArray[Any]] | None, *, modality: str
) -> ImagePreset:
    """Return what `describe_preset` received, with random weights.

    The network may not have more weights than the file holds.
    """
    settings = json.loads(described)
    config = settings.pop("network")
    where = f"The backbone of {modality!r}"
    n_available = sum(array.size for array in weights or ()) if weights else _MAX_ABSENT_WEIGHTS
    import_keras_hub()
    check_config(config, where=where)
    check_model_sizes(config, n_available=n_available, where=where)
    network = load_object(config, where=where)
    size = check_image_size(settings.pop("image_size"), name="image_size")
    return ImagePreset(network, size, **settings)


def _read_converter(source: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the settings of the preset's image converter, empty without one."""
    hub = import_keras_hub()
    try:
        converter = hub.layers.ImageConverter.from_preset(os.fspath(source))
    except Exception:
        # KerasHub raises errors of many types where a preset has no converter.
        return {}
    return {} if converter is None else converter_settings(converter)


def converter_settings(converter: Any) -> dict[str, Any]:
    """Return the settings of an image converter of KerasHub."""
    scale = 1.0 if converter.scale is None else _to_list(converter.scale)
    offset = 0.0 if converter.offset is None else _to_list(converter.offset)
    filter_name = _FILTERS.get(converter.interpolation, converter.interpolation)
    size = {} if converter.image_size is None else {"image_size": tuple(converter.image_size)}
    return {"scale": scale, "offset": offset, "resampling": filter_name, **size}


def _read_processor(source: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the settings in Hugging Face's `preprocessor_config.json`, empty without one."""
    config = read_json_file(source, "preprocessor_config.json")
    if not isinstance(config, dict):
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
