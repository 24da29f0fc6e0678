"""Which values may be the network of an `ImageEncoder`."""

from __future__ import annotations

import os
from typing import Any

import keras

from multimodal_ensemble.encoders._applications import application_names
from multimodal_ensemble.encoders._keras_hub import is_hub_backbone, is_preset


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
