"""A training on two devices gives the result of one device with the same batches."""

import pytest

from tests.fresh_process import run_fresh

# TensorFlow divides a processor into logical devices only before it has used it.
CODE = """
import contextlib
import keras
import numpy as np
import tensorflow as tf
from multimodal_ensemble import (
    DenseEncoder, DenseHead, MultimodalDataset, fit_model, fuse_encoders, predict_scores
)
from tests import toys

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
rng = np.random.default_rng(0)
# Batches of 16, 16 and 1 rows: one device has no row of the last.
y = rng.integers(0, 2, (33, 2))
data = {"x": list(rng.normal(size=(33, 3)) + y[:, :1])}
levels = 120 * y[:, 1].astype("uint8")
data["poster"] = list(toys.draw_pixels(33, 8, 8, 3) // 2 + levels[:, None, None, None])

def train(scope, with_images):
    encoders = [DenseEncoder("x", head=DenseHead(8, dropout=0)).fit(data["x"])]
    if with_images:
        head = DenseHead(8, dropout=0)
        encoders.append(toys.make_poster(trainable_layers="all", head=head))
    rows = MultimodalDataset(data, encoders, y, shuffle=True, batch_size=16, seed=3)
    validation = MultimodalDataset(data, encoders, y, batch_size=16)
    with scope:
        model = fuse_encoders(encoders, n_labels=2, seed=1)
        result = fit_model(
            model, rows, validation, epochs=3, evaluate_every=3, verbose=0,
            optimizer=keras.optimizers.SGD(0.5), label_weight=[1.0, 3.0],
        )
        return model, result, predict_scores(model, validation)

for with_images in (False, True):
    model, result, scores = train(contextlib.nullcontext(), with_images)
    other, on_two, scores_on_two = train(strategy.scope(), with_images)
    assert other.distribute_strategy.num_replicas_in_sync == 2
    # The devices have divided the rows, and the weights have changed.
    for one, two in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(two, one, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(scores_on_two, scores, rtol=1e-5)
    for column in ("loss", "mean_roc_auc"):
        np.testing.assert_allclose(on_two.history[column], result.history[column], rtol=1e-5)
print("equal")
"""


@pytest.mark.slow
def test_two_devices_train_as_one(monkeypatch):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    assert run_fresh(CODE).splitlines()[-1] == "equal"
