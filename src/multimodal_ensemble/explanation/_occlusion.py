"""Occlusion: how a score falls if parts of an image are covered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._validation import FloatArray


def region_edges(n_pixels: int, n_regions: int) -> list[int]:
    """Return the first pixel of each region along one side of an image, and the end of the last."""
    edges: list[int] = np.linspace(0, n_pixels, n_regions + 1).round().astype(int).tolist()
    return edges


def occlude(image: NDArray[np.uint8], n_regions: int) -> NDArray[np.uint8]:
    """Return an image, and copies of it of which one region each has the image's mean colour.

    Parameters
    ----------
    image : ndarray of shape (height, width, 3)
        The image.
    n_regions : int
        Number of regions per side.

    Returns
    -------
    ndarray of shape (1 + n_regions**2, height, width, 3)
        The image comes first; the regions follow row by row.
    """
    rows, columns = (region_edges(size, n_regions) for size in image.shape[:2])
    copies = np.repeat(image[np.newaxis], 1 + n_regions**2, axis=0)
    colour = image.reshape(-1, image.shape[-1]).mean(axis=0).round().astype(image.dtype)
    for row in range(n_regions):
        for column in range(n_regions):
            here = copies[1 + row * n_regions + column]
            here[rows[row] : rows[row + 1], columns[column] : columns[column + 1]] = colour
    return copies


def occlusion_values(
    parts: Any, states: Any, row: int, images: Mapping[str, NDArray[np.uint8]], n_regions: int
) -> FloatArray:
    """Return the fall in log-odds for each region and label.

    Parameters
    ----------
    parts : LateFusionParts or NetworkParts
        Made from a model that takes pixels.
    states : object
        What `parts` read from the rows, perhaps from stored features.
    row : int
        The row.
    images : mapping of str to ndarray of shape (height, width, 3)
        The encoded image of each modality that reads the column. All of them are covered at once.
    n_regions : int
        Number of regions per side.

    Returns
    -------
    ndarray of shape (n_regions, n_regions, n_labels)
        Positive where the region speaks for the label.
    """
    covered = {name: occlude(image, n_regions) for name, image in images.items()}
    fall = parts.fall(states, row, covered)
    # Beside the image itself, whose stored features may be rounded.
    values: FloatArray = (fall[1:] - fall[0]).reshape(n_regions, n_regions, -1)
    return values
