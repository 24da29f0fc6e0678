"""The one head that the encoders of this package share."""

from __future__ import annotations

import keras

from multimodal_ensemble.encoders._layers import FeatureScaling

SCALINGS = ("log", "standard", None)


def build_dense_head(
    name: str,
    input_shape: tuple[int, ...],
    *,
    units: int,
    activation: str | None,
    dropout: float,
    input_dropout: float,
    scaling: str | None = None,
) -> keras.Sequential:
    """Return scaling, dropout, one dense layer and dropout again, each only where asked for."""
    layers: list[keras.Layer] = [keras.Input(input_shape)]
    if scaling is not None:
        layers.append(FeatureScaling(log=scaling == "log", name="scaling"))
    if input_dropout:
        layers.append(keras.layers.Dropout(float(input_dropout), name="input_dropout"))
    layers.append(keras.layers.Dense(int(units), activation=activation, name="dense"))
    if dropout:
        layers.append(keras.layers.Dropout(float(dropout), name="dropout"))
    return keras.Sequential(layers, name=f"{name}_head")
