"""Setting the pass that a data set is in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble.generators import MultimodalDataset

# All that this room touches of the data set's inside; to become methods of it.


def current_pass(dataset: MultimodalDataset) -> int:
    """Return the number of the pass whose order of rows is drawn, from 0."""
    return dataset._pass


def draw_pass(dataset: MultimodalDataset, number: int) -> NDArray[np.intp]:
    """Draw the order, and the augmented views, of a pass; return the order."""
    dataset._pass = number
    dataset._draw()
    return dataset._order
