"""Lists of encoders."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multimodal_ensemble._encoder_calls import checked_find_missing, naming
from multimodal_ensemble._tables import counted, from_arrow, locating_errors
from multimodal_ensemble._validation import find_repeated
from multimodal_ensemble._warnings import warn
from multimodal_ensemble.encoders._encoder import Encoder
from multimodal_ensemble.exceptions import ModalityError


def as_encoder_list(encoders: Encoder | Sequence[Encoder]) -> list[Encoder]:
    """Check encoders and return them as a list.

    Parameters
    ----------
    encoders : Encoder or sequence of Encoder
        One encoder per modality.

    Returns
    -------
    list of Encoder
        The same encoders.

    Raises
    ------
    ModalityError
        If there is no encoder, an item is not an encoder, or two encoders have the same name.

    Examples
    --------
    >>> from multimodal_ensemble import BagOfWordsEncoder
    >>> from multimodal_ensemble.encoders import as_encoder_list
    >>> [encoder.name for encoder in as_encoder_list(BagOfWordsEncoder("tags"))]
    ['tags']
    """
    encoders = [encoders] if isinstance(encoders, Encoder) else list(encoders)
    if not encoders:
        msg = "At least one encoder is needed. Received an empty list."
        raise ModalityError(msg)
    for encoder in encoders:
        if not isinstance(encoder, Encoder):
            msg = (
                "Each modality must be an instance of multimodal_ensemble.Encoder. "
                f"Received {encoder!r} of type {type(encoder).__name__}."
            )
            raise ModalityError(msg)
    if clashing := find_repeated(encoder.name for encoder in encoders):
        msg = (
            f"Encoders must have distinct names, because each becomes a Keras input. "
            f"Received {clashing} more than once; give each its own name and pass column=..."
        )
        raise ModalityError(msg)
    return encoders


def fit_encoders(
    encoders: Sequence[Encoder], data: Any, *, unlabelled: Any = None
) -> list[Encoder]:
    """Fit each encoder to its column of the training rows.

    An optional encoder is fitted to the rows that have its modality. An encoder that learns
    without labels (`Encoder.uses_unlabelled`), such as a `TagEmbeddingEncoder`, also learns from
    the unlabelled rows.

    Parameters
    ----------
    encoders : sequence of Encoder
        One encoder per modality, with distinct names.
    data : DataFrame or mapping of str to sequence
        The raw columns of the training rows, and of no others.
    unlabelled : DataFrame or mapping of str to sequence, optional
        The raw columns of further rows, whose labels need not be known, and of no test rows. It
        needs only the columns of the encoders that learn from them. A warning is issued if there
        is no such encoder.

    Returns
    -------
    list of Encoder
        The same encoders, fitted.

    Raises
    ------
    ModalityError
        If the data lacks a column, an optional modality is missing in all rows, or two encoders
        have the same name.

    Examples
    --------
    >>> from multimodal_ensemble import BagOfWordsEncoder, fit_encoders
    >>> data = {"tags": [["space", "war"], ["war"]]}
    >>> (tags,) = fit_encoders([BagOfWordsEncoder("tags")], data)
    >>> tags.vocabulary_
    ['war', 'space']
    """
    encoders = as_encoder_list(encoders)
    data = from_arrow(data, name="data")
    unlabelled = from_arrow(unlabelled, name="unlabelled")
    if unlabelled is not None and not any(encoder.uses_unlabelled for encoder in encoders):
        warn(
            "No encoder learns from unlabelled rows, so they are not used. Leave them out, or pass "
            "an encoder that does, such as TagEmbeddingEncoder('tags')."
        )
    for encoder in encoders:
        values, present = present_values(encoder, encoder.select(data))
        if not present.any() and present.size:
            msg = (
                f"Modality {encoder.name!r} is missing in all {present.size} training rows "
                f"(it reads {encoder.columns}; the data has {list(data)}). Leave its encoder out."
            )
            raise ModalityError(msg)
        more = {}
        if unlabelled is not None and encoder.uses_unlabelled:
            try:
                more["unlabelled"], _ = present_values(encoder, encoder.select(unlabelled))
            except ModalityError as error:
                msg = f"In the unlabelled rows: {error}"
                raise ModalityError(msg) from error
        with locating_errors(np.flatnonzero(present)), naming(encoder, "fit"):
            encoder.fit(values, **more)
    return encoders


def present_values(encoder: Encoder, values: Any) -> tuple[Any, NDArray[np.bool_]]:
    """Return the values of the rows that have a modality, and which rows these are.

    Parameters
    ----------
    encoder : Encoder
        The encoder of the modality. Unless it is optional, every row has the modality.
    values : sequence of length n
        Raw values, as `Encoder.select` returns them.

    Returns
    -------
    values : sequence of length n_present
        The values that are not missing.
    present : ndarray of shape (n,)
        True where a row has the modality.

    Raises
    ------
    ModalityError
        If a value is missing, and the encoder is neither optional nor `reads_missing`.

    Examples
    --------
    >>> from multimodal_ensemble import BagOfWordsEncoder
    >>> from multimodal_ensemble.encoders import present_values
    >>> tags = BagOfWordsEncoder("tags", optional=True)
    >>> values, present = present_values(tags, [["war"], None])
    >>> values, present.tolist()
    ([['war']], [True, False])
    """
    if not encoder.optional:
        if not encoder.reads_missing:
            _refuse_missing(encoder, values)
        return values, np.ones(len(values), dtype=bool)
    present = ~checked_find_missing(encoder, values)
    if present.all():
        return values, present
    if isinstance(values, pd.DataFrame | pd.Series):
        return values[present].reset_index(drop=True), present
    if isinstance(values, np.ndarray):
        return values[present], present
    return list(itertools.compress(values, present)), present


def _refuse_missing(encoder: Encoder, values: Any) -> None:
    """Raise a ModalityError about the first value that is missing."""
    missing = checked_find_missing(encoder, values)
    if not missing.any():
        return
    row = int(np.argmax(missing))
    msg = (
        f"Modality {encoder.name!r} ({type(encoder).__name__}) has no value in row {row} "
        f"({counted(int(missing.sum()), 'such row')} in total), as None and NaN are none. Pass "
        "optional=True to the encoder, so that such rows lack the modality, or leave them out."
    )
    raise ModalityError(msg, row=row)
