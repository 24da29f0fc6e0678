"""One batch together with its raw rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Batch:
    """One batch together with its raw rows, as returned by `MultimodalDataset.peek`.

    Parameters
    ----------
    inputs : dict of str to ndarray
        Inputs of the model, by modality.
    y : ndarray of shape (n, n_labels) or None
        Multi-hot labels, float32.
    sample_weight : ndarray of shape (n,) or None
        Weights, float32.
    raw : DataFrame of n rows
        The raw columns.
    labels : list of n lists of str, or None
        The names of the labels of each row.

    See Also
    --------
    MultimodalDataset.peek : Returns a batch.

    Examples
    --------
    >>> import pandas as pd
    >>> from multimodal_ensemble import BagOfWordsEncoder, MultimodalDataset
    >>> data = pd.DataFrame({"tags": [["space", "war"], ["love"]]})
    >>> tags = BagOfWordsEncoder("tags").fit(data["tags"])
    >>> MultimodalDataset(data, [tags]).peek(0).raw["tags"].tolist()
    [['space', 'war'], ['love']]
    """

    inputs: dict[str, NDArray[Any]]
    y: NDArray[np.float32] | None
    sample_weight: NDArray[np.float32] | None
    raw: pd.DataFrame
    labels: list[list[str]] | None
