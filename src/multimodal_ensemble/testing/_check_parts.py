"""Checks of the parts of a value, which explanations name."""

from __future__ import annotations

from typing import Any

import numpy as np

from multimodal_ensemble.encoders import Encoder
from multimodal_ensemble.testing._requirements import (
    require,
    require_close,
    require_equal,
    require_shape,
    step,
    tolerance,
)


def check_parts(encoder: Encoder, values: Any) -> None:
    """Require the parts of values to be named, and to be encoded as explanations need them."""
    prepared = encoder.prepare(values)
    whole = encoder.encode(prepared)
    given = values.iloc if hasattr(values, "iloc") else values
    if whole.ndim == 2 and None not in encoder.input_shape and encoder.get_backbone() is None:
        centre = whole.astype(np.float64).mean(axis=0)
        with step("additive_parts returns the parts of each value, or None"):
            split = encoder.additive_parts(values, centre)
        if split is not None:
            _check_additive_parts(split, whole - centre)
            return
    for position in range(len(values)):
        with step("without_each_part returns names and values, or None"):
            without = encoder.without_each_part(given[position])
        if without is None:
            continue
        is_pair = isinstance(without, tuple | list) and len(without) == 2
        what = "without_each_part returns a pair (names, values), or None"
        require(is_pair, what, "(names, values)", without)
        names, variants = without
        what = f"without_each_part returns as many values as names, for the value {position}"
        require_equal(what, len(names), len(variants))
        _check_names(names)
        if len(names):
            what = f"encode accepts the value {position} without each of its parts"
            with step(what):
                encoded = encoder.encode(encoder.prepare(variants))
            require_shape(what, (len(names), *encoder.input_shape), encoded)


def _check_additive_parts(split: Any, rows: Any) -> None:
    require_equal("additive_parts returns the parts of each value", len(rows), len(split))
    for row, (names, vectors) in zip(rows, split, strict=True):
        _check_names(names)
        what = "additive_parts returns a vector for each name"
        require_equal(what, (len(names), len(row)), np.shape(vectors))
        if len(names):
            what = "the vectors of additive_parts add up to the encoded row less the centre"
            require_close(what, row, np.sum(vectors, axis=0), tolerance())


def _check_names(names: Any) -> None:
    are_strings = all(isinstance(name, str) for name in names)
    require(are_strings, "the names of parts are strings", "str", names)
