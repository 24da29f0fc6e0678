"""What a search or a comparison depends on, as texts, so that another one does not continue it."""

from __future__ import annotations

import re
import types
from collections.abc import Iterable, Mapping
from typing import Any

import joblib
import numpy as np
import pandas as pd

Identity = dict[str, str]

# Parameters that do not change the scores of an estimator.
_WITHOUT_EFFECT = frozenset({"store", "verbose", "n_jobs"})
# Longer texts are digested.
_MAX_LENGTH = 200


def describe_estimator(estimator: Any, *, without: Iterable[str]) -> Identity:
    """Return the class and each nested parameter of an estimator, `without` those of the space."""
    left_out = set(without)
    params = estimator.get_params()
    # The parameters of these have names of their own.
    named = frozenset(map(id, params.values()))
    return {"estimator": type(estimator).__qualname__} | {
        f"parameter {name!r}": describe_value(params[name], named)
        for name in sorted(params)
        if name not in left_out and name.rpartition("__")[2] not in _WITHOUT_EFFECT
    }


def describe_value(value: Any, named: frozenset[int] = frozenset()) -> str:
    """Return a text that is the same in all processes.

    Functions are described by their name and code, so an edited function counts as another one.
    Estimators are described by their class and parameters; those whose ids are `named` by their
    class alone.
    """
    if isinstance(value, types.FunctionType):
        code = value.__code__
        parts = (code.co_code, code.co_names, _without_addresses(repr(code.co_consts)))
        return f"{value.__qualname__} {joblib.hash(parts)}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(describe_value(item, named) for item in value)}]"
    if isinstance(value, Mapping):
        items = (f"{key!r}: {describe_value(item, named)}" for key, item in value.items())
        return f"{{{', '.join(items)}}}"
    if isinstance(value, np.ndarray | pd.DataFrame | pd.Series):
        return f"{type(value).__name__} {digest_rows(value)}"
    if hasattr(value, "__qualname__"):
        return f"{value.__module__}.{value.__qualname__}"
    if hasattr(value, "get_params"):
        if id(value) in named:
            return type(value).__qualname__
        return _abbreviated(repr(describe_estimator(value, without=())))
    if hasattr(value, "get_config"):
        # Keras numbers the layers of a process.
        config = re.sub(r"_\d+\b", "", repr(value.get_config()))
        return f"{type(value).__qualname__} {_abbreviated(config)}"
    return _abbreviated(_without_addresses(repr(value)))


def _without_addresses(text: str) -> str:
    return re.sub(r"\bat 0x[0-9a-fA-F]+", "", text)


def _abbreviated(text: str) -> str:
    return text if len(text) <= _MAX_LENGTH else str(joblib.hash(text))


def digest_rows(rows: Any) -> str:
    """Return a digest of the values of a table, array, list or sparse matrix."""
    if isinstance(rows, pd.DataFrame):
        # How pandas joins columns of one type to blocks differs between equal tables.
        rows = [(str(name), column.to_numpy()) for name, column in rows.items()]
    elif isinstance(rows, pd.Series):
        rows = rows.to_numpy()
    elif hasattr(rows, "tocsr"):
        matrix = rows.tocsr()
        rows = [matrix.shape, matrix.indptr, matrix.indices, matrix.data]
    return str(joblib.hash(rows))


def describe_differences(known: Identity, given: Identity, *, where: str) -> str:
    """Return what differs from an identity that is stored `where`; empty if nothing does."""
    names = [*known, *(name for name in given if name not in known)]
    return "; ".join(
        f"{name}: {known.get(name, 'absent')} {where}, {given.get(name, 'absent')} now"
        for name in names
        if known.get(name) != given.get(name)
    )
