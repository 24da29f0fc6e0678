"""Sources of the rows of one modality: encoded batch by batch, or stored features."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble.encoders import Encoder

# Vectors are encoded once if all of them take no more than this: 400 tags of 160,000 movies.
# Encoding batch by batch, for example from a sparse matrix, takes longer than training.
_KEPT_BYTES = 2**28


class EncodedRows:
    """Raw values that are encoded on demand, or once if they are small vectors.

    Parameters
    ----------
    encoder : Encoder
        A fitted encoder.
    values : sequence
        The raw values of the rows that have the modality.
    present : ndarray of shape (n,)
        True for these rows.
    augment : bool
        Whether augmented views will be requested.
    """

    def __init__(
        self, encoder: Encoder, values: Any, present: NDArray[np.bool_], *, augment: bool
    ) -> None:
        self._encoder = encoder
        self._present = present
        # The position of each row among the rows that have the modality.
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
        """Return encoded rows, or the given view of each; zeros where the modality is missing."""
        present = self._present[rows]
        if present.all():
            return self._take_present(self._position[rows], views)
        shape = (len(rows), *self._encoder.input_shape)
        if not self._present.any():
            return np.zeros(shape, dtype=self._encoder.input_dtype)
        # Keras needs batches of one dtype. If none of these rows has the modality, another row of
        # the data determines the dtype.
        sample = rows[present] if present.any() else np.flatnonzero(self._present)[:1]
        sample_views = None if views is None else (views[present] if present.any() else views[:1])
        encoded = self._take_present(self._position[sample], sample_views)
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
    """Features of rows and of their augmented views.

    Parameters
    ----------
    encoder : Encoder
        The encoder of the rows.
    features : ndarray of shape (1 + views, n, ...)
        The features of the rows without augmentation, then those of each view.
    """

    def __init__(self, encoder: Encoder, features: NDArray[np.float32]) -> None:
        self._encoder = encoder
        self._features = features
        self._plain = features[0]
        self._frozen_weights = _frozen_weights(encoder)

    def take(self, rows: NDArray[np.intp], views: NDArray[np.intp] | None = None) -> NDArray[Any]:
        """Return the features of rows, or of the given view of each."""
        taken: NDArray[Any] = (
            self._plain[rows] if views is None else self._features[1 + views, rows]
        )
        return taken

    def is_current(self) -> bool:
        """Return whether the frozen layers are still those that computed the features."""
        return _frozen_weights(self._encoder) == self._frozen_weights


def _frozen_weights(encoder: Encoder) -> list[int] | None:
    frozen = encoder.frozen_part()
    return None if frozen is None else [id(weight) for weight in frozen.weights]
