"""Checks of the parts of a value, which explanations name."""

from __future__ import annotations

from typing import Any

import numpy as np

from multimodal_ensemble._encoder_calls import (
    checked_additive_parts,
    checked_prepare,
    checked_without_each_part,
)
from multimodal_ensemble.encoders import Encoder
from multimodal_ensemble.testing._requirements import (
    require_close,
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
        with step("additive_parts returns named parts of each value with their vectors, or None"):
            split = checked_additive_parts(encoder, values, centre, np.arange(len(values)))
        if split is not None:
            for row, (names, vectors) in zip(whole - centre, split, strict=True):
                if names:
                    what = "the vectors of additive_parts add up to the encoded row less the centre"
                    require_close(what, row, np.sum(vectors, axis=0), tolerance())
            return
    for position in range(len(values)):
        with step("without_each_part returns names and values, or None"):
            without = checked_without_each_part(encoder, given[position], row=position)
        if without is None:
            continue
        names, variants = without
        if names:
            what = f"encode accepts the value {position} without each of its parts"
            with step(what):
                encoded = encoder.encode(checked_prepare(encoder, variants))
            require_shape(what, (len(names), *encoder.input_shape), encoded)
