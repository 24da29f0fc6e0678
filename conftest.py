"""Settings and fixtures for all tests."""

import gc
import os
import random
from collections.abc import Iterator

# Set before TensorFlow is imported, to suppress its start-up messages.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
if "PYTEST_XDIST_WORKER" in os.environ:
    # The models are small, and the workers already use all cores.
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import hypothesis
import numpy as np
import pytest

# The first call may trace a TensorFlow graph, so the run time of an example is not meaningful.
# Checks have the same result each time; `make stress` looks for further examples.
IS_RANDOM = "RANDOM_EXAMPLES" in os.environ
hypothesis.settings.register_profile(
    "default", deadline=None, derandomize=not IS_RANDOM, max_examples=200 if IS_RANDOM else 40
)
hypothesis.settings.load_profile("default")


# Models have many objects and live until the end of a file (see `_leave_garbage`), so the usual
# search for garbage after each few hundred new objects takes a fifth of the run time of the tests.
gc.set_threshold(200_000, 50, 100)


@pytest.fixture(autouse=True)
def _seed() -> None:
    random.seed(0)
    np.random.seed(0)


@pytest.fixture(autouse=True, scope="module")
def _leave_garbage() -> Iterator[None]:
    # TensorFlow needs minutes to free the graphs of hundreds of models, a third of the run time of
    # the tests. Not freeing them costs a few gigabytes of memory.
    yield
    gc.freeze()
