"""What the processes do that are killed or whose files are damaged."""

from __future__ import annotations

import itertools
import os
from multiprocessing.connection import Connection
from pathlib import Path

# Set before TensorFlow is imported, because its messages would hide the counts.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble import DenseEncoder, FeatureStore, ImageEncoder, MultimodalClassifier
from multimodal_ensemble.features import _compute_features

N_IMAGES = 40
N_EPOCHS = 60


def make_encoder(seed: int = 1) -> ImageEncoder:
    """Return an encoder whose features depend on nothing but the image, to the last bit."""
    kernel = keras.initializers.GlorotUniform(seed)
    network = keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, kernel_initializer=kernel)]
    )
    encoder = ImageEncoder("photo", backbone=network)
    backbone = encoder.get_backbone()
    size = int(np.prod(backbone.output_shape[1:]))

    def predict_on_batch(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        rows = batch.reshape(len(batch), -1)[:, :size]
        return np.sin(seed * rows.astype("float32")).reshape(-1, *backbone.output_shape[1:])

    backbone.predict_on_batch = predict_on_batch
    return encoder


def draw_images() -> list[NDArray[np.uint8]]:
    return list(np.random.default_rng(1).integers(0, 256, (N_IMAGES, 8, 8, 3), dtype="uint8"))


def draw_table() -> tuple[dict[str, NDArray[np.float64]], NDArray[np.int64]]:
    x = np.random.default_rng(1).normal(size=80)
    return {"x": x}, np.column_stack([x > 0, x > 1]).astype(int)


def make_classifier(seed: int = 1) -> MultimodalClassifier:
    return MultimodalClassifier(
        [DenseEncoder("x")],
        random_state=seed,
        epochs=N_EPOCHS,
        patience=N_EPOCHS,
        optimizer=keras.optimizers.Adam(0.05),
        verbose=0,
    )


def fill_store(folder: Path, pipe: Connection) -> None:
    _compute_features.ROWS_PER_SHARD = 1
    encoder, images = make_encoder(), draw_images()
    pipe.send("ready")
    store = FeatureStore(folder / "store", dtype="float32")
    store.compute_features([encoder], {"photo": images}, verbose=0)


def save_classifiers(folder: Path, pipe: Connection) -> None:
    classifiers = [MultimodalClassifier.load(folder / f"{number}.mme") for number in (0, 1)]
    pipe.send("ready")
    # Until the process is killed.
    for number in itertools.count():
        classifiers[number % 2].save(folder / "saved.mme")


def train(folder: Path, pipe: Connection) -> None:
    path = folder / "fit.checkpoint"
    data, y = draw_table()
    pipe.send("ready")
    classifier = make_classifier()
    classifier.fit(data, y, checkpoint=path, resume_from=path if path.exists() else None)
    classifier.save(folder / "trained.mme")
