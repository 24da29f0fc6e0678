"""Image files, and a counter of the rows that pass a network."""

import numpy as np
import pytest

from multimodal_ensemble import FeatureStore
from tests import toys


@pytest.fixture
def make_network():
    return toys.make_network


@pytest.fixture
def make_encoder():
    return toys.make_poster


@pytest.fixture
def posters(tmp_path):
    """Return the paths of ten different images."""
    return toys.write_images(tmp_path / "posters", 10)


@pytest.fixture
def store(tmp_path):
    return FeatureStore(tmp_path / "store", batch_size=4, dtype="float32")


class Counter:
    """Counts the rows that go through a model, and can interrupt it."""

    def __init__(self):
        self.watched = []
        self.batches = []
        self.stop_after = None
        self.error = KeyboardInterrupt

    @property
    def rows(self):
        return sum(self.batches)

    def watch(self, model):
        predict = model.predict_on_batch

        def predict_on_batch(batch):
            if self.stop_after is not None and len(self.batches) >= self.stop_after:
                raise self.error
            result = predict(batch)
            self.batches.append(len(batch))
            return result

        model.predict_on_batch = predict_on_batch
        self.watched.append((model, predict))

    def stop(self):
        """Leave the models as they were: other tests use them too."""
        for model, predict in reversed(self.watched):
            model.predict_on_batch = predict


@pytest.fixture
def counter():
    counter = Counter()
    yield counter
    counter.stop()


@pytest.fixture
def compute():
    """Return a function that computes features without a store, image by image."""

    def compute_features(encoder, values):
        backbone = encoder.get_backbone()
        return np.concatenate(
            [np.asarray(backbone(encoder.encode([value]), training=False)) for value in values]
        )

    return compute_features
