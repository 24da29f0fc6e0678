"""What other modules ask an encoder about its rows, besides encoding them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class EncoderDescription:
    """The part of the contract of an `Encoder` that describes values, rows and features."""

    # Documented in `Encoder`.
    unit: str = "value"

    def lengths(self, values: Any) -> NDArray[np.intp]:
        """Return the length of each row, so that rows of similar length are encoded together.

        Override it where the first size in `input_shape` is None, so that rows differ in length:
        `encode` pads the rows of a batch to the longest one.

        Parameters
        ----------
        values : array-like of length n
            What `prepare` returned.

        Returns
        -------
        ndarray of shape (n,)
            Whole numbers; by default 1 for each row.
        """
        return np.ones(values.shape[0], dtype=np.intp)

    def input_description(self) -> dict[str, Any]:
        """Return what a program must know to make the input of an exported model.

        Returns
        -------
        dict of str to JSON value
            For example the ``meaning`` of the numbers; empty by default.
        """
        return {}

    def companion_files(self) -> dict[str, bytes]:
        """Return the files that a program needs to make the input of an exported model.

        Returns
        -------
        dict of str to bytes
            Contents by file name; empty by default.
        """
        return {}
