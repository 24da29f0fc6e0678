"""Tiny networks, images, tables, labels and encoders that many tests use."""

import functools
import inspect
import io

import keras
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from multimodal_ensemble import Encoder, ImageEncoder

N_ROWS = 24


def make_network(
    seed=1, *, n_maps=4, size=8, name="network", activation="relu", preprocessing=True
):
    """Return a convolution with `n_maps` feature maps; equal arguments result in equal weights."""
    kernel = keras.initializers.GlorotUniform(seed)
    return keras.Sequential(
        [
            keras.Input((size, size, 3)),
            *([keras.layers.Rescaling(1 / 255)] if preprocessing else []),
            keras.layers.Conv2D(n_maps, 3, activation=activation, kernel_initializer=kernel),
        ],
        name=name,
    )


def make_poster(name="poster", *, seed=1, size=8, n_maps=4, network=None, **options):
    """Return an encoder of images with a network of `make_network` or another one."""
    backbone = make_network(seed, size=size, n_maps=n_maps) if network is None else network
    return ImageEncoder(name, backbone=backbone, **options)


def use_shallow_network(monkeypatch: pytest.MonkeyPatch, name, *, n_hidden=32):
    """Replace a network of `keras.applications` by one with fewer blocks of the same kinds.

    Most of the time of a test with such a network is that of making its hundreds of layers.
    `n_hidden` is the number of maps in front of the last 1024 of MobileNet.
    """
    full = getattr(keras.applications, name)
    module = inspect.getmodule(full)

    def stack_blocks(maps):
        maps = module.stack_residual_blocks_v1(maps, 64, 2, stride1=1, name="conv2")
        return module.stack_residual_blocks_v1(maps, 128, 2, name="conv3")

    builders = {
        "MobileNet": functools.partial(_build_shallow_mobilenet, n_hidden),
        "DenseNet121": lambda **options: module.DenseNet([2, 2, 2, 2], **options),
        "EfficientNetB0": lambda **options: module.EfficientNet(1.0, 0.1, 224, **options),
        "ResNet50": lambda **options: module.ResNet(stack_blocks, False, True, **options),
    }
    build = functools.wraps(full)(lambda **options: builders[name](**options))
    monkeypatch.setattr(keras.applications, name, build)


def _build_shallow_mobilenet(n_hidden, *, include_top, weights, input_shape, pooling=None):
    assert not include_top
    assert weights is None
    layers = [keras.Input(input_shape)]
    for convolution in (
        keras.layers.Conv2D(32, 3, strides=4, use_bias=False),
        keras.layers.DepthwiseConv2D(3, strides=2, use_bias=False),
        *(keras.layers.Conv2D(maps, 1, use_bias=False) for maps in (n_hidden, 1024)),
    ):
        layers += [convolution, keras.layers.BatchNormalization(), keras.layers.ReLU(6.0)]
    if pooling is not None:
        pool = {"avg": "GlobalAveragePooling2D", "max": "GlobalMaxPooling2D"}[pooling]
        layers.append(getattr(keras.layers, pool)())
    tensor = layers[0]
    for layer in layers[1:]:
        tensor = layer(tensor)
    return keras.Model(layers[0], tensor, name=f"mobilenet_1.00_{input_shape[0]}")


class ArrayEncoder(Encoder):
    """An encoder of vectors that overrides what it must, and nothing else."""

    input_shape = (2,)

    def encode(self, values):
        rows = np.array([list(value) for value in values], dtype="float32")
        return rows.reshape(-1, *self.input_shape)


def draw_pixels(*shape, seed=0):
    """Return random pixels, such as for the shape (n_images, height, width, 3)."""
    return np.random.default_rng(seed).integers(0, 256, shape, dtype="uint8")


def encode_image(pixels, format="PNG"):
    """Return pixels as a file."""
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, format)
    return content.getvalue()


def png(level=70):
    """Return a grey image of 9 x 6 pixels as a PNG file."""
    return encode_image(np.full((9, 6, 3), level, "uint8"))


def write_images(folder, n_images, *, seed=0):
    """Write different images to a new folder, and return their paths."""
    folder.mkdir()
    paths = [folder / f"{number}.png" for number in range(n_images)]
    for path, pixels in zip(paths, draw_pixels(n_images, 12, 10, 3, seed=seed), strict=True):
        Image.fromarray(pixels).save(path)
    return paths


def draw_table():
    """Return a table of `N_ROWS` rows, in which some posters and tags are missing."""
    rng = np.random.default_rng(1)
    rows = range(N_ROWS)
    posters = [rng.integers(0, 256, (9, 9, 3), dtype="uint8") for _ in rows]
    tags = [["space", "war", "love"][: row % 4] for row in rows]
    return pd.DataFrame(
        {
            "poster": [None if row % 7 == 3 else posters[row] for row in rows],
            "tags": [None if row % 5 == 4 else tags[row] for row in rows],
            "year": rng.normal(1980, 20, N_ROWS),
            "minutes": rng.normal(100, 10, N_ROWS),
        }
    )


def draw_labels():
    """Return three labels for the rows of `draw_table`."""
    rows = np.arange(N_ROWS)
    return pd.DataFrame({"Drama": rows % 2, "War": rows % 3 == 0, "Western": rows % 4 < 2}) * 1
