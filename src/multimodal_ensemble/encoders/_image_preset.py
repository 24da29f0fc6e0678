"""Image networks of KerasHub, and how their images are prepared."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
from numpy.typing import NDArray

from multimodal_ensemble.encoders._image_settings import PREPROCESSING, read_settings
from multimodal_ensemble.encoders._keras_hub import check_network, load_hub_backbone
from multimodal_ensemble.exceptions import ModalityError, WeightsUnavailableError
from multimodal_ensemble.images import check_image_size
from multimodal_ensemble.saving import load_object

# The side of images where neither a preset nor its network has one.
_ANY_SIZE = 224


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
        return keras.layers.Rescaling(self.scale, self.offset, name=PREPROCESSING)


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
    settings = read_settings(source)
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
        if any("token" in str(tensor.name) for tensor in tensors):
            msg += " It is a model of texts."
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
    check_network(config, weights, where=where)
    network = load_object(config, where=where)
    size = check_image_size(settings.pop("image_size"), name="image_size")
    return ImagePreset(network, size, **settings)
