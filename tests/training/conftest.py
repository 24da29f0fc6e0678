"""A problem that can be learned: three labels from four numbers, and from bright images."""

import keras
import numpy as np
import pytest

from multimodal_ensemble import DenseEncoder, ImageEncoder, MultimodalDataset
from multimodal_ensemble.encoders import DenseHead

LABELS = ["first", "second", "third"]


def draw_rows(n_rows, seed):
    """Return numbers, images whose colours hold the labels too, and the labels."""
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=(n_rows, 4))
    y = (numbers[:, :3] + 0.3 * rng.normal(size=(n_rows, 3)) > 0).astype(int)
    colours = 60 + 100 * y[:, None, None, :] + rng.integers(0, 60, (n_rows, 8, 8, 3))
    return {"numbers": list(numbers), "poster": list(colours.astype("uint8"))}, y


class Problem:
    """Training and validation rows, and encoders for them."""

    def __init__(self, n_train=60, n_validation=40):
        self.train, self.y_train = draw_rows(n_train, 1)
        self.validation, self.y_validation = draw_rows(n_validation, 2)

    def numbers(self, **options):
        encoder = DenseEncoder("numbers", head=DenseHead(6)).set_params(**options)
        return encoder.fit(self.train["numbers"])

    def poster(self, **options):
        kernel = keras.initializers.GlorotUniform(1)
        network = keras.Sequential(
            [
                keras.Input((8, 8, 3)),
                keras.layers.Rescaling(1 / 255),
                keras.layers.Conv2D(6, 3, activation="relu", kernel_initializer=kernel),
            ],
            name="network",
        )
        head = DenseHead(5, scaling="log")
        return ImageEncoder("poster", backbone=network, head=head).set_params(**options)

    def datasets(self, *encoders, batch_size=8, seed=1, sample_weight=None, **options):
        """Return new training and validation data sets."""
        return (
            MultimodalDataset(
                self.train,
                encoders,
                self.y_train,
                labels=LABELS,
                batch_size=batch_size,
                shuffle=True,
                seed=seed,
                sample_weight=sample_weight,
                verbose=0,
                **options,
            ),
            MultimodalDataset(
                self.validation,
                encoders,
                self.y_validation,
                labels=LABELS,
                # Batches of one size, so that a graph is traced once.
                batch_size=20,
                verbose=0,
                **options,
            ),
        )


@pytest.fixture
def problem():
    return Problem()


class Spy(keras.callbacks.Callback):
    """Calls a function with the number of batches so far, from 1, before or after each batch."""

    def __init__(self, after=None, *, before=None):
        super().__init__()
        self.after, self.before, self.step = after, before, 0

    def on_train_batch_begin(self, batch, logs=None):
        if self.before is not None:
            self.before(self.step + 1)

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        if self.after is not None:
            self.after(self.step)


@pytest.fixture
def spy():
    return Spy
