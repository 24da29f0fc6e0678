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


def quiet_params(estimator: Any) -> dict[str, bool]:
    """Return the parameter that makes an estimator print nothing, if it has one."""
    # False and not 0, because a Pipeline takes no numbers.
    return {"verbose": False} if "verbose" in estimator.get_params(deep=False) else {}


@contextmanager
def temporary_store(*, is_needed: bool) -> Iterator[str | None]:
    """Provide a folder for features that is removed at the end, or None."""
    if not is_needed:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="features-") as folder:
        yield folder
