"""Features that let a linear model follow curves: similarity to some of the training rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from sklearn.metrics import pairwise_distances

_N_CENTRES = 500
# Directions of the centres below this share of the longest would amplify rounding in float32.
_SMALLEST = 1e-5


@dataclass(frozen=True, eq=False)
class RadialFeatures:
    """Features of the radial basis kernel ``exp(-|x - c|^2 / width)``, by the Nyström method.

    Parameters
    ----------
    centres : ndarray of shape (n_centres, n_inputs)
        Some of the training rows.
    width : float
        The median squared distance between two centres.
    projection : ndarray of shape (n_centres, n_features)
        Turns the similarities to the centres into features, whose inner products are the kernel.

    References
    ----------
    C. Williams and M. Seeger, "Using the Nyström method to speed up kernel machines", NIPS 2000.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.linear import RadialFeatures
    >>> rows = np.array([[0.0], [1.0], [3.0]])
    >>> features = RadialFeatures.fit(rows)(rows)
    >>> np.allclose(features @ features.T, np.exp(-(rows - rows.T) ** 2 / 4))
    True
    """

    centres: NDArray[np.float64]
    width: float
    projection: NDArray[np.float64]

    @classmethod
    def fit(cls, rows: NDArray[Any], *, seed: int = 0) -> RadialFeatures:
        """Choose centres at random, and the width, from training rows.

        Parameters
        ----------
        rows : ndarray of shape (n_samples, n_inputs)
            Standardised training rows.
        seed : int, default=0
            Seed of the choice, which matters with more than 500 distinct rows.

        Returns
        -------
        RadialFeatures
            The fitted map.
        """
        distinct = np.unique(np.asarray(rows, dtype=np.float64), axis=0)
        chosen = np.random.default_rng(seed).permutation(len(distinct))[:_N_CENTRES]
        centres = distinct[np.sort(chosen)]
        squared = pairwise_distances(centres, metric="sqeuclidean")
        positive = squared[squared > 0]
        width = float(np.median(positive)) if positive.size else 1.0
        values, vectors = eigh(np.exp(-squared / width))
        kept = values > _SMALLEST * values[-1]
        return cls(centres, width, vectors[:, kept] / np.sqrt(values[kept]))

    def __call__(self, rows: NDArray[Any]) -> NDArray[np.float64]:
        """Return the features of rows.

        Parameters
        ----------
        rows : ndarray of shape (n, n_inputs)
            Rows that are standardised like the training rows.

        Returns
        -------
        ndarray of shape (n, n_features)
            Features.
        """
        squared = pairwise_distances(
            np.asarray(rows, dtype=np.float64), self.centres, metric="sqeuclidean"
        )
        features: NDArray[np.float64] = np.exp(-squared / self.width) @ self.projection
        return features
