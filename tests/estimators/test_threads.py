"""A training with a seed has the same result whatever runs beside it."""

import pytest

from benchmarks.stress.threads import count_differing


@pytest.mark.slow
def test_trainings_in_threads_equal_the_same_trainings_alone():
    counts = count_differing([("table", 1), ("images", 2), ("images", 2)], n_threads=3)
    assert counts.pop("draws of a bystander") > 0
    assert counts.pop("fits") == 3
    assert set(counts.values()) == {0}, counts
