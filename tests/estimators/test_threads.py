"""A training with a seed has the same result whatever runs beside it."""

import pytest

from benchmarks.stress.threads import count_differing


@pytest.mark.parametrize("case", ["table", pytest.param("images", marks=pytest.mark.slow)])
def test_trainings_in_threads_equal_the_same_training_alone(case):
    counts = count_differing([(case, 1)] * 4, n_threads=4)
    assert counts.pop("draws of a bystander") > 0
    assert counts.pop("fits") == 4
    assert set(counts.values()) == {0}, counts
