"""Where the modalities enter a model."""

from __future__ import annotations

import keras

from multimodal_ensemble._layer_names import seam_name
from multimodal_ensemble.encoders import Encoder


def features_of_input(
    encoder: Encoder, backbone: keras.Model | None
) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Return the input of a modality, and its features behind the backbone and the seam."""
    inputs = keras.Input(encoder.input_shape, dtype=encoder.input_dtype, name=encoder.name)
    if backbone is None:
        return inputs, inputs
    seam = keras.layers.Identity(name=seam_name(encoder.name))
    return inputs, seam(backbone(inputs, training=False))
