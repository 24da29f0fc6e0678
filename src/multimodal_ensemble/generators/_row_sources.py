"""Where the rows of one modality come from: encoded when their batch comes up, or stored."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble.encoders import Encoder

# Rows of numbers are encoded once if all of them take no more: encoding them batch by batch, out
# of a sparse matrix for example, takes longer than training on them. 400 tags of 160,000 movies.
_KEPT_BYTES = 2**28


class EncodedRows:
    """Raw values, encoded when they are asked for; if they are small vectors, at once.

    Parameters
    ----------
    encoder : Encoder
        A fitted encoder.
    values : sequence
        The raw values that are there.
    present : ndarray of shape (n,)
        Which rows have one.
    augment : bool
        Whether augmented views will be asked for.
    """

    def __init__(
        self, encoder: Encoder, values: Any, present: NDArray[np.bool_], *, augment: bool
    ) -> None:
        self._encoder = encoder
        self._present = present
        # Of each row, where it stands among those that are there.
        self._position = np.cumsum(self._present) - 1
        n_rows = int(self._present.sum())
        shape = encoder.input_shape
        self._kept: NDArray[Any] | None = None
        self._digests: list[bytes] = []
        if not n_rows:
            return
        self._prepared = encoder.prepare(values)
        if len(shape) == 1 and 4 * n_rows * math.prod(shape) <= _KEPT_BYTES:
            self._kept = encoder.encode(self._prepared)
        if augment and encoder.augmentation is not None:
            self._digests = encoder.content_digests(self._prepared)

    def take(self, rows: NDArray[np.intp], views: NDArray[np.intp] | None = None) -> NDArray[Any]:
        """Return rows, or the given view of each; zeros where the modality is missing."""
        present = self._present[rows]
        if present.all():
            return self._take_present(self._position[rows], views)
        shape = (len(rows), *self._encoder.input_shape)
        if not self._present.any():
            return np.zeros(shape, dtype=self._encoder.input_dtype)
        # Of the first row in the data that is there if none of these is, because Keras wants
        # batches of one dtype.
        some = rows[present] if present.any() else np.flatnonzero(self._present)[:1]
        some_views = None if views is None else (views[present] if present.any() else views[:1])
        encoded = self._take_present(self._position[some], some_views)
        taken = np.zeros(shape, dtype=encoded.dtype)
        if present.any():
            taken[present] = encoded
        return taken

    def _take_present(
        self, positions: NDArray[np.intp], views: NDArray[np.intp] | None
    ) -> NDArray[Any]:
        encoded = (
            self._encoder.encode(self._prepared[positions])
            if self._kept is None
            else self._kept[positions]
        )
        if views is None:
            return encoded
        digests = [self._digests[row] for row in positions]
        augmented: NDArray[Any] = self._encoder.augmentation.apply(encoded, digests, views)
        return augmented


class StoredRows:
    """Features of the plain rows and of their augmented views.

    Parameters
    ----------
    encoder : Encoder
        The encoder that they are features of.
    features : ndarray of shape (1 + views, n, ...)
        The plain rows' features, then those of each view, if there are any.
    """

    def __init__(self, encoder: Encoder, features: NDArray[np.float32]) -> None:
        self._encoder = encoder
        self._features = features
        self._plain = features[0]
        self._frozen_weights = _frozen_weights(encoder)

    def take(self, rows: NDArray[np.intp], views: NDArray[np.intp] | None = None) -> NDArray[Any]:
        """Return features of rows, or of the given view of each."""
        taken: NDArray[Any] = (
            self._plain[rows] if views is None else self._features[1 + views, rows]
        )
        return taken

    def is_current(self) -> bool:
        """Return whether the same part of the backbone is frozen as when they were computed."""
        return _frozen_weights(self._encoder) == self._frozen_weights


def _frozen_weights(encoder: Encoder) -> list[int] | None:
    frozen = encoder.frozen_part()
    return None if frozen is None else [id(weight) for weight in frozen.weights]
