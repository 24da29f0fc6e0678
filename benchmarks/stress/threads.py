"""Trainings in several threads against the same trainings alone.

Usage: ``python -m benchmarks.stress.threads --fits 50``. A training with a seed must have the same
result to the last bit whatever runs beside it, and leave the global state of the process as it is.
"""

import argparse
import os
import random
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multimodal_ensemble import (
    BagOfWordsEncoder,
    DenseEncoder,
    FeatureStore,
    ImageEncoder,
    MultimodalClassifier,
)
from multimodal_ensemble.encoders import Augmentation, DenseHead

_N_ROWS = 60
_WORDS = "space war love paris king robot ship dance".split()


def draw_rows() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a table of tags, numbers and small images, and two labels."""
    rng = np.random.default_rng(0)
    tags = [list(rng.choice(_WORDS, size=3, replace=False)) for _ in range(_N_ROWS)]
    table = pd.DataFrame(
        {
            "tags": [None if row % 9 == 4 else words for row, words in enumerate(tags)],
            "year": rng.normal(1980, 20, _N_ROWS),
            "poster": list(rng.integers(0, 256, (_N_ROWS, 16, 16, 3), dtype="uint8")),
        }
    )
    labels = {
        "War": ["war" in words for words in tags],
        "Late": (table.year > 1980).tolist(),
    }
    return table, pd.DataFrame(labels).astype(int)


def make_network() -> keras.Model:
    """Return a network of images with fixed weights."""
    kernel = keras.initializers.GlorotUniform(1)
    convolution = keras.layers.Conv2D(6, 3, strides=2, activation="relu", kernel_initializer=kernel)
    return keras.Sequential([keras.Input((16, 16, 3)), convolution], name="network")


def table_classifier(seed: int) -> MultimodalClassifier:
    """Return a classifier of tags and numbers, with dropout of units and of modalities."""
    head = DenseHead(16, dropout=0.5, scaling="standard")
    encoders = [BagOfWordsEncoder("tags", optional=True), DenseEncoder("year", head=head)]
    return MultimodalClassifier(encoders, dropout=0.3, epochs=4, random_state=seed, verbose=0)


def image_classifier(seed: int) -> MultimodalClassifier:
    """Return a classifier of numbers and augmented images, with a layer of the network trained."""
    # With seeds, because Keras would draw them from Python's generator in this function.
    layers = [keras.layers.RandomFlip(seed=1), keras.layers.RandomRotation(0.1, seed=1)]
    poster = ImageEncoder(
        "poster",
        backbone=make_network(),
        trainable_layers=seed % 2,
        augmentation=Augmentation(layers, views=2),
    )
    encoders = [poster, DenseEncoder("year")]
    return MultimodalClassifier(encoders, epochs=2, random_state=seed, verbose=0)


CASES: dict[str, Callable[[int], MultimodalClassifier]] = {
    "table": table_classifier,
    "images": image_classifier,
}


def fit(case: str, seed: int, store: FeatureStore) -> MultimodalClassifier:
    """Return a fitted classifier."""
    return CASES[case](seed).set_params(store=store).fit(*draw_rows())


def fit_scores(case: str, seed: int, store: FeatureStore) -> NDArray[np.float32]:
    """Fit one classifier, and return its scores of the training rows."""
    scores: NDArray[np.float32] = fit(case, seed, store).predict_proba(draw_rows()[0])
    return scores


def global_state() -> dict[str, Any]:
    """Return the settings and generators of the process that a training could change."""
    return {
        "random": random.getstate(),
        "numpy.random": [*map(repr, np.random.get_state())],
        "floatx": keras.config.floatx(),
        "dtype policy": keras.config.dtype_policy().name,
        "warnings": [*warnings.filters],
        "environment": dict(os.environ),
    }


class Bystander(threading.Thread):
    """A thread that draws from the global generators, and compares with what they must return."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.n_draws = self.n_wrong = 0
        self._ends = threading.Event()

    def run(self) -> None:
        """Draw until `stop` is called."""
        expected, numpy_expected = random.Random(5), np.random.RandomState(5)
        random.seed(5)
        np.random.seed(5)
        while not self._ends.wait(0.001):
            self.n_draws += 2
            self.n_wrong += random.random() != expected.random()
            self.n_wrong += np.random.random() != numpy_expected.random_sample()

    def stop(self) -> None:
        """End the thread."""
        self._ends.set()
        self.join()


def fit_unrelated() -> NDArray[np.float32]:
    """Train a model of Keras alone, with the global seed, and return its weights."""
    keras.utils.set_random_seed(3)
    x = np.random.default_rng(1).normal(size=(64, 5)).astype("float32")
    layers = [keras.layers.Dense(8, "relu"), keras.layers.Dropout(0.5), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((5,)), *layers])
    model.compile("adam", "mse")
    model.fit(x, x[:, :1], epochs=5, batch_size=8, verbose=0)
    return np.concatenate([weights.ravel() for weights in model.get_weights()])


def count_differing(jobs: Sequence[tuple[str, int]], n_threads: int) -> dict[str, int]:
    """Run trainings alone and in threads that share a store; return counts of what differs."""
    alone = {}
    for job in dict.fromkeys(jobs):
        with tempfile.TemporaryDirectory() as folder:
            alone[job] = fit_scores(*job, FeatureStore(folder))
    before = global_state()
    bystander = Bystander()
    bystander.start()
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(n_threads) as pool:
        store = FeatureStore(folder)
        beside = list(pool.map(lambda job: fit_scores(*job, store), jobs))
    bystander.stop()
    after = global_state()
    # The bystander itself moves the generators, and knows what they must return.
    changed = [name for name in before if "random" not in name and after[name] != before[name]]
    return {
        "fits": len(jobs),
        "differing": sum(
            not np.array_equal(scores, alone[job]) for job, scores in zip(jobs, beside, strict=True)
        ),
        "draws of a bystander": bystander.n_draws,
        "wrong draws": bystander.n_wrong,
        "changed settings": len(changed),
    }


def count_wrong_predictions(n_predictions: int, n_threads: int) -> dict[str, int]:
    """Predict with one fitted classifier of each case from several threads."""
    table, wrong = draw_rows()[0], 0
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(n_threads) as pool:
        for case in CASES:
            classifier = fit(case, 2, FeatureStore(folder))
            # A copy has traced no graph and read no store before the threads begin.
            classifier.save(Path(folder) / "classifier")
            expected = MultimodalClassifier.load(Path(folder) / "classifier").predict_proba(table)
            loaded = MultimodalClassifier.load(Path(folder) / "classifier")
            found = pool.map(lambda _, c=loaded: c.predict_proba(table), range(n_predictions))
            wrong += sum(not np.array_equal(scores, expected) for scores in found)
    return {"predictions": n_predictions * len(CASES), "wrong predictions": wrong}


def count_disturbed(jobs: Sequence[tuple[str, int]], n_threads: int) -> dict[str, int]:
    """Run trainings of Keras alone with the global seed, beside those of the library."""
    alone, n_runs, n_differing = fit_unrelated(), 0, 0
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(n_threads) as pool:
        store = FeatureStore(folder)
        running = [pool.submit(fit_scores, *job, store) for job in jobs]
        while not all(each.done() for each in running):
            n_runs += 1
            n_differing += not np.array_equal(fit_unrelated(), alone)
    return {"unrelated trainings": n_runs, "disturbed": n_differing}


def main() -> int:
    """Print the counts; return 1 if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fits", type=int, default=50, help="number of trainings in threads")
    parser.add_argument("--threads", type=int, default=4, help="number of threads")
    options = parser.parse_args()
    kinds = [(case, seed) for seed in (1, 2) for case in CASES]
    jobs = [kinds[number % len(kinds)] for number in range(options.fits)]
    start = time.perf_counter()
    counts = count_differing(jobs, options.threads)
    counts |= count_wrong_predictions(options.fits, options.threads)
    counts |= count_disturbed(jobs[: options.threads * 3], options.threads)
    for name, count in counts.items():
        print(f"{name}: {count}")
    print(f"Took {time.perf_counter() - start:.0f} s.")
    bad = ("differing", "wrong draws", "changed settings", "wrong predictions", "disturbed")
    return int(any(counts[name] for name in bad))


if __name__ == "__main__":
    sys.exit(main())
