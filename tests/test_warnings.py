"""Warnings that are ignored in several threads at once."""

import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest

from multimodal_ensemble._warnings import ignored


def test_overlapping_threads_leave_the_filters_as_they_were():
    before = [*warnings.filters]
    second_began, first_ended = threading.Event(), threading.Event()

    def first():
        with ignored(FutureWarning):
            second_began.wait()
        first_ended.set()

    def second():
        with ignored(UserWarning, "glyph"):
            second_began.set()
            first_ended.wait()
            warnings.warn("glyph 7", UserWarning, stacklevel=1)

    with ThreadPoolExecutor(2) as pool:
        for result in [pool.submit(first), pool.submit(second)]:
            result.result()
    assert warnings.filters == before


def test_other_warnings_are_issued_and_an_error_restores_the_filters():
    before = [*warnings.filters]
    with ignored(FutureWarning), pytest.warns(UserWarning, match="other"):
        warnings.warn("other", UserWarning, stacklevel=1)
    with pytest.raises(ZeroDivisionError), ignored(UserWarning):
        1 / 0  # noqa: B018
    assert warnings.filters == before
