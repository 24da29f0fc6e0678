"""How much is known of a label from few rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# With so many rows that have (or lack) a label, its own value and the mean of all labels count the
# same.
_ROWS_OF_HALF_TRUST = 30


def own_share(n_rows: NDArray[Any]) -> NDArray[np.float64]:
    """Return the weights of the own values of labels beside the mean of all labels.

    Parameters
    ----------
    n_rows : ndarray of shape (n_labels,)
        Number of rows that have each label, or that lack it if these are fewer.

    Returns
    -------
    ndarray of shape (n_labels,)
        ``n_rows / (n_rows + 30)``.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.linear._rare_labels import own_share
    >>> own_share(np.array([0, 30, 90])).tolist()
    [0.0, 0.5, 0.75]
    """
    share: NDArray[np.float64] = n_rows / (n_rows + _ROWS_OF_HALF_TRUST)
    return share
