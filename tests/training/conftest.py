"""A problem that can be learned: three labels from four numbers, and from bright images."""

from dataclasses import dataclass

import keras
import numpy as np
import pytest

from multimodal_ensemble import (
    DenseEncoder,
    FeatureStore,
    MultimodalDataset,
    fit_model,
    fuse_encoders,
    mean_roc_auc,
    predict_scores,
)
from multimodal_ensemble.encoders import DenseHead
from tests.toys import make_network, make_poster

LABELS = ["first", "second", "third"]


def draw_rows(n_rows, seed):
    """Return numbers, images whose colours also depend on the labels, and the labels."""
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=(n_rows, 4))
    y = (numbers[:, :3] + 0.3 * rng.normal(size=(n_rows, 3)) > 0).astype(int)
    colours = 60 + 100 * y[:, None, None, :] + rng.integers(0, 60, (n_rows, 8, 8, 3))
    return {"numbers": list(numbers), "poster": list(colours.astype("uint8"))}, y


@dataclass
class Training:
    """A model and its data sets, ready to train."""

    model: keras.Model
    train: MultimodalDataset
    validation: MultimodalDataset

    def fit(self, **options):
        options = {"optimizer": "sgd", "verbose": 0, **options}
        return fit_model(self.model, self.train, self.validation, **options)

    def score(self):
        """Return the mean ROC-AUC of the validation rows."""
        return mean_roc_auc(self.validation.y, predict_scores(self.model, self.validation))


class Problem:
    """Training and validation rows, and encoders for them."""

    def __init__(self, n_train=64, n_validation=40):
        self.train, self.y_train = draw_rows(n_train, 1)
        self.validation, self.y_validation = draw_rows(n_validation, 2)

    def numbers(self, name="numbers", *, units=6, **head):
        head = DenseHead(units, **{"dropout": 0, **head})
        encoder = DenseEncoder(name, column="numbers", head=head)
        return encoder.fit(self.train["numbers"])

    def poster(self, *, scaling="log", **head):
        network = make_network(n_maps=6)
        head = DenseHead(5, scaling=scaling, **{"dropout": 0, **head})
        return make_poster(network=network, head=head)

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

    def prepare(self, *encoders, n_labels=3, fusion=(), **options):
        """Return a new model of encoders with its data sets; `fusion` has options of the model."""
        model = fuse_encoders(encoders, n_labels=n_labels, **{"seed": 1, **dict(fusion)})
        return Training(model, *self.datasets(*encoders, **options))


@pytest.fixture
def problem():
    return Problem()


@pytest.fixture
def training(problem):
    """Return a model of the numbers with its data sets."""
    return problem.prepare(problem.numbers())


@pytest.fixture
def store(tmp_path):
    # The numbers of rows are multiples of the batch size, so that a graph is traced once.
    return FeatureStore(tmp_path / "store", batch_size=20, dtype="float32")


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
