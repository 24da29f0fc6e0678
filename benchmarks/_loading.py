"""Reading images, iterating over batches, and validation during training."""

import numpy as np
import pandas as pd
import tensorflow as tf

from benchmarks._data import N_LABELS, Movies
from benchmarks._figure import Figure, at_least, time_pairs
from multimodal_ensemble import (
    DenseEncoder,
    FeatureStore,
    MultimodalDataset,
    fit_model,
    fuse_encoders,
)
from multimodal_ensemble.encoders import DenseHead
from multimodal_ensemble.images import read_images

BATCH_SIZE = 32
SIZE = 224


def measure_loading(movies: Movies, repeats: int, scale: float) -> list[Figure]:
    """Return the figures of reading images and of validation during training."""
    return [_images(movies, repeats), _validation(int(8_000 * scale), repeats)]


def _images(movies: Movies, repeats: int) -> Figure:
    paths = movies.table["poster"].tolist()
    starts = range(0, len(paths), BATCH_SIZE)

    def ours() -> None:
        for start in starts:
            read_images(paths[start : start + BATCH_SIZE], SIZE, workers=2)

    def read(path: tf.Tensor) -> tf.Tensor:
        pixels = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
        return tf.cast(tf.round(tf.image.resize(pixels, (SIZE, SIZE), antialias=True)), tf.uint8)

    options = tf.data.Options()
    options.threading.private_threadpool_size = 2
    pipeline = (
        tf.data.Dataset.from_tensor_slices(paths)
        .map(read, num_parallel_calls=2)
        .batch(BATCH_SIZE)
        .with_options(options)
    )

    def tensorflow() -> None:
        for _ in pipeline:
            pass

    ratios, seconds = time_pairs(ours, tensorflow, repeats=at_least(5, repeats))
    return Figure(
        "reading and resizing JPEG posters, two threads",
        "tf.data with decode_jpeg and antialiased resize on two threads",
        1,
        ratios,
        details=seconds | {"images": len(paths), "size": SIZE},
    )


def measure_batches(store: FeatureStore, encoders: list, movies: Movies, repeats: int) -> Figure:
    """Return the figure of an epoch over stored features."""
    dataset = MultimodalDataset(
        movies.table,
        encoders,
        movies.labels,
        batch_size=BATCH_SIZE,
        shuffle=True,
        store=store,
        verbose=0,
    )
    arrays = dataset.encode_rows(np.arange(dataset.n_samples))
    y = movies.labels.astype("float32")
    orders = np.random.default_rng(0)

    def ours() -> None:
        for _ in range(20):
            for number in range(len(dataset)):
                dataset[number]
            dataset.on_epoch_end()

    def slices() -> None:
        for _ in range(20):
            order = orders.permutation(len(y))
            for start in range(0, len(y), BATCH_SIZE):
                rows = order[start : start + BATCH_SIZE]
                ({name: array[rows] for name, array in arrays.items()}, y[rows])

    ratios, seconds = time_pairs(ours, slices, repeats=at_least(5, repeats))
    return Figure(
        "one epoch of the batch generator over stored features",
        "slicing in-memory arrays",
        1.5,
        ratios,
        details=seconds | {"rows": len(y), "passes": 20},
    )


def _validation(n_train: int, repeats: int) -> Figure:
    rng = np.random.default_rng(0)
    n_validation, n_features = 1_000, 1_424
    table = pd.DataFrame({"x": list(rng.normal(size=(n_train + n_validation, n_features)))})
    labels = (rng.random((len(table), N_LABELS)) < 0.2).astype(int)
    encoder = DenseEncoder("x", head=DenseHead(256, activation="relu")).fit(table["x"])
    train, validation = (
        MultimodalDataset(table.iloc[rows], [encoder], labels[rows], batch_size=BATCH_SIZE)
        for rows in (slice(n_train), slice(n_train, None))
    )

    def model() -> object:
        return fuse_encoders([encoder], N_LABELS, seed=1)

    def without() -> None:
        plain = model()
        plain.compile("adam", "binary_crossentropy")
        plain.fit(train, epochs=6, shuffle=False, verbose=0)

    ratios, seconds = time_pairs(
        lambda: fit_model(
            model(), train, validation, epochs=6, evaluate_every=150, patience=None, verbose=0
        ),
        without,
        repeats=at_least(7, repeats),
    )
    return Figure(
        "training with a validation evaluation every 150 batches",
        "the same training without validation",
        1.10,
        ratios,
        details=seconds | {"batches": 6 * len(train), "validation_rows": n_validation},
    )
