"""What all tests share."""

import gc
import os
import random
from collections.abc import Iterator

# Before TensorFlow is first imported: its start-up lines are no warnings of ours.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
if "PYTEST_XDIST_WORKER" in os.environ:
    # Small models: the workers have the cores already.
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import hypothesis
import numpy as np
import pytest

# A first call may trace a TensorFlow graph, so time says nothing about an example.
hypothesis.settings.register_profile("default", deadline=None)
hypothesis.settings.load_profile("default")


@pytest.fixture(autouse=True)
def _seed() -> None:
    random.seed(0)
    np.random.seed(0)


@pytest.fixture(autouse=True, scope="module")
def _leave_garbage() -> Iterator[None]:
    # To free the graphs of hundreds of models takes TensorFlow minutes in all, a third of the time
    # of the tests; that they are never freed takes some gigabytes.
    yield
    gc.freeze()
