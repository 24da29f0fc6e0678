"""Estimators that share one feature store and print nothing while many of them are fitted."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def store_params(estimator: Any, store: Any, *, deep: bool) -> dict[str, Any]:
    """Return `store` as the value of each parameter `store` that is None.

    With `deep`, parameters of nested estimators are included.
    """
    return {
        name: store
        for name, value in estimator.get_params(deep=deep).items()
        if value is None and name.rpartition("__")[2] == "store"
    }


def quiet_params(estimator: Any, *, deep: bool) -> dict[str, bool]:
    """Return the parameters that make an estimator print nothing.

    With `deep`, parameters of nested estimators are included.
    """
    # False and not 0, because a Pipeline takes no numbers.
    return {
        name: False
        for name in estimator.get_params(deep=deep)
        if name.rpartition("__")[2] == "verbose"
    }


@contextmanager
def temporary_store(*, is_needed: bool) -> Iterator[str | None]:
    """Provide a folder for features that is removed at the end, or None."""
    if not is_needed:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="features-") as folder:
        yield folder
