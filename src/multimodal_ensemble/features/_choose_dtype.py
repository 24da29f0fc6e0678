"""The choice between features in float32 and in bfloat16, with ``compute_dtype="auto"``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from multimodal_ensemble._encoder_calls import checked_encode
from multimodal_ensemble._keras import has_lambda
from multimodal_ensemble._tables import counted, locating_errors
from multimodal_ensemble.features._compute_dtype import (
    LEAST_COSINE,
    LEAST_ROWS,
    N_CHECKED,
    gains_from_bfloat16,
    is_bfloat16_fast,
    lowest_cosine,
)
from multimodal_ensemble.features._request import Request
from multimodal_ensemble.features._shards import ShardFolder


def choose_known_dtype(request: Request, in_bfloat16: ShardFolder, compute_dtype: str) -> Request:
    """Return the request for features in the given dtype.

    With ``"auto"``, it is bfloat16 if the store has such features, or a check decides later.
    """
    if compute_dtype == "bfloat16":
        return request.using_bfloat16(in_bfloat16)
    if compute_dtype == "float32" or not is_bfloat16_fast():
        return request
    if len(in_bfloat16.index()):
        return request.using_bfloat16(in_bfloat16)
    if has_lambda(request.backbone) or not gains_from_bfloat16(request.backbone):
        return request
    return replace(request, in_bfloat16=in_bfloat16)


def choose_dtypes(requests: Sequence[Request], verbose: int) -> list[Request]:
    """Return the requests, those for many new features in bfloat16 if a check allows it."""
    # Encoders with the same backbone share its features.
    is_exact: dict[Path, bool] = {}
    chosen = []
    for request in requests:
        folder, others = request.shards.folder, request.in_bfloat16
        if others is None or len(request.rows) < LEAST_ROWS:
            chosen.append(request)
            continue
        if folder not in is_exact:
            positions = request.find_uncomputed()
            n_known = len(request.shards.recent_index())
            is_exact[folder] = n_known < LEAST_ROWS <= len(positions) and _check_rows(
                request, positions[:N_CHECKED], verbose
            )
        chosen.append(request.using_bfloat16(others) if is_exact[folder] else request)
    return chosen


def _check_rows(request: Request, positions: Sequence[int], verbose: int) -> bool:
    """Return whether the features of rows are nearly the same in bfloat16."""
    rows = request.rows.take(np.array(positions, dtype=np.intp))
    with locating_errors(rows.numbers):
        encoded = checked_encode(rows.reader, rows.values)
    try:
        cosine = lowest_cosine(request.backbone, encoded)
    except (TypeError, ValueError) as error:
        reason, is_exact = f"a layer cannot be copied ({error})", False
    else:
        is_exact = cosine >= LEAST_COSINE
        compared = "at least" if is_exact else "less than"
        reason = (
            f"the features of {counted(len(rows), rows.reader.unit)} have a cosine of {compared} "
            f"{LEAST_COSINE} with those in float32 (lowest: {cosine:.5f})"
        )
    if verbose:
        dtype = "bfloat16" if is_exact else "float32"
        print(f"{request.network_name} computes in {dtype}: {reason}.", flush=True)
    return is_exact
