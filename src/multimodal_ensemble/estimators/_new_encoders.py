"""The encoders of a new training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sklearn.base import clone

from multimodal_ensemble._warnings import warn
from multimodal_ensemble.encoders import Encoder, as_encoder_list, fit_encoders, infer_encoders
from multimodal_ensemble.estimators._rows import Rows


def fit_new_encoders(
    given: Any,
    rows: Rows,
    excluded: Sequence[str],
    *,
    seed: int,
    verbose: int,
    embed_tags: bool = False,
    unlabelled: Any = None,
) -> list[Encoder]:
    """Return encoders that are fitted to the training rows; those that are given stay as is.

    `given` is the parameter `encoders` of an estimator, and `excluded` are the columns of labels.
    Of many rows in files, some are taken at random.
    """
    n_rows, rows = len(rows.y), rows.in_memory(seed)
    if verbose and len(rows.y) < n_rows:
        print(f"Encoders are fitted to {len(rows.y):,} of {n_rows:,} rows, chosen at random.")
    if isinstance(given, str):
        # A column that y names is no longer in X.
        exclude = [column for column in excluded if column in rows.data.columns]
        encoders = infer_encoders(
            rows.data, exclude=exclude, embed_tags=embed_tags, verbose=min(verbose, 1)
        )
    else:
        encoders = [clone(encoder) for encoder in as_encoder_list(given)]
    warn_of_leakage(encoders, excluded)
    with rows.locating_errors():
        return fit_encoders(encoders, rows.data, unlabelled=unlabelled)


def warn_of_leakage(encoders: Sequence[Encoder], columns: Sequence[str]) -> None:
    """Warn if an encoder reads a column that y is made of."""
    for encoder in encoders:
        if leaking := [column for column in encoder.columns if column in columns]:
            warn(
                f"Modality {encoder.name!r} reads the column(s) {leaking}, which are part of y, so "
                "it knows the answer. Rename the column if it is a different one."
            )
