"""What all tests share."""

import os
import random

# Before TensorFlow is first imported: its start-up lines are no warnings of ours.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

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
