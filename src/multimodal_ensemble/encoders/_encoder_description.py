"""What other modules ask an encoder about its rows, besides encoding them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

PART_KINDS = ("column", "token", "word")


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

    def encoding_config(self) -> dict[str, Any]:
        """Return the settings that change `encode` but not `content_digests`.

        Returns
        -------
        dict
            JSON values, which become part of the key of stored features; empty by default.
        """
        return {}

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

    # -- parts of a row, for explanations ------------------------------------------------------

    # Documented in `Encoder`.
    part_kind: str = "column"

    def additive_parts(
        self, values: Any, centre: NDArray[np.float64]
    ) -> list[tuple[list[str], NDArray[np.float64]]] | None:
        """Return named parts of each row, with vectors that add up to the encoded row.

        Explanations use them: in a linear model, each part has its own share of the log-odds.

        Parameters
        ----------
        values : sequence of length n
            Raw values, none of them missing.
        centre : ndarray of shape (n_features,)
            What is subtracted from encoded rows, such as their mean. It is divided among the parts.

        Returns
        -------
        list of n (list of str, ndarray of shape (n_parts, n_features)), or None
            Names and vectors of the parts of each row. If there are any, the vectors add up to the
            encoded row less the centre. None, the default, if encoded rows are no vectors or have
            no such parts.
        """
        del values, centre
        return None

    def without_each_part(self, value: Any) -> tuple[list[str], list[Any]] | None:
        """Return named parts of one value, and the value without each of them.

        Explanations encode these values where encoded rows have no `additive_parts`.

        Parameters
        ----------
        value : object
            A raw value that is not missing.

        Returns
        -------
        (list of str, list of values) or None
            Both of the same length. Empty lists or None, the default, if a value has no parts.
        """
        del value
        return None
