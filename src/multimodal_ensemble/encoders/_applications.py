"""The networks in `keras.applications`: names, image sizes, preprocessing and weights."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import keras

from multimodal_ensemble.exceptions import ModalityError, WeightsUnavailableError
from multimodal_ensemble.saving import check_weights_file

# Keras does not expose the image size that a network was trained with. A network that is not
# listed has 224 pixels. A test compares the table with the default of each network.
_DEFAULT_SIZES = {
    "EfficientNetB1": 240,
    "EfficientNetB2": 260,
    "EfficientNetB3": 300,
    "EfficientNetB4": 380,
    "EfficientNetB5": 456,
    "EfficientNetB6": 528,
    "EfficientNetB7": 600,
    "EfficientNetV2B1": 240,
    "EfficientNetV2B2": 260,
    "EfficientNetV2B3": 300,
    "EfficientNetV2L": 480,
    "EfficientNetV2M": 480,
    "EfficientNetV2S": 384,
    "InceptionResNetV2": 299,
    "InceptionV3": 299,
    "NASNetLarge": 331,
    "Xception": 299,
}


def application_names() -> list[str]:
    """Return the names of the networks in `keras.applications`, sorted."""
    return sorted(
        name
        for name, value in vars(keras.applications).items()
        if inspect.isfunction(value) and "include_top" in inspect.signature(value).parameters
    )


def find_application(name: str) -> Callable[..., keras.Model]:
    """Return the function that builds a network, or raise a ValueError that lists all networks."""
    if name not in application_names():
        msg = (
            f"keras.applications has no network {name!r}. "
            f"It has {', '.join(application_names())}. "
            "To use a network of your own, pass a keras.Model."
        )
        raise ValueError(msg)
    return getattr(keras.applications, name)  # type: ignore[no-any-return]


def find_preprocessing(name: str) -> Callable[..., Any]:
    """Return the function that prepares RGB pixels 0..255 as in the training of the network."""
    # `keras.applications.vgg16` is the public name of the module that defines `VGG16`.
    module = find_application(name).__module__.rpartition(".")[2]
    return getattr(keras.applications, module).preprocess_input  # type: ignore[no-any-return]


def default_size(name: str) -> int:
    """Return the side of the square images, in pixels, that the network was trained with."""
    return _DEFAULT_SIZES.get(name, 224)


def build_application(
    name: str, *, input_shape: tuple[int, int, int], pooling: str | None, weights: str | None
) -> keras.Model:
    """Build a network without its classifier, with random or ImageNet weights."""
    build = find_application(name)
    if keras.config.image_data_format() != "channels_last":
        # The function that builds a network takes no format.
        msg = (
            f"{name} is built in Keras's global image format, which is "
            f"{keras.config.image_data_format()!r}, and images are read as (height, width, 3). "
            "Call keras.config.set_image_data_format('channels_last') first."
        )
        raise ModalityError(msg)
    try:
        return build(include_top=False, input_shape=input_shape, pooling=pooling, weights=weights)
    except Exception as error:
        # Keras raises a bare Exception when a download fails.
        if weights is None or isinstance(error, ValueError):
            raise
        msg = (
            f"The ImageNet weights of {name} are not in Keras's cache and could not be "
            f"downloaded ({error}). Pass weights='path/to/file.weights.h5' for a file that you "
            "have, or weights=None for random weights."
        )
        # The message has the reason; the traces through the other libraries only hide it.
        raise WeightsUnavailableError(msg) from None


def load_weights(model: keras.Model, path: str, *, name: str) -> None:
    """Load a weights file into a network built without its classifier."""
    if not Path(path).exists():
        msg = (
            f"The weights file {path!r} of {name} does not exist. Pass the path of a file, "
            "weights='imagenet' to download ImageNet weights, or weights=None for random weights."
        )
        raise WeightsUnavailableError(msg)
    try:
        check_weights_file(path)
        model.load_weights(path)
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        msg = (
            f"The weights file {path!r} does not fit {name} without its classifier "
            f"(include_top=False): {error} Pass a file that was saved from this network, "
            "weights='imagenet' to download ImageNet weights, or weights=None for random weights."
        )
        raise WeightsUnavailableError(msg) from None
