"""Sequences of numbers or of vectors, such as time series."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Self

import keras
import numpy as np
from numpy.typing import NDArray
from sklearn.preprocessing import StandardScaler

from multimodal_ensemble._keras import PACKAGE
from multimodal_ensemble._tables import as_object_array, column_fault, counted
from multimodal_ensemble._validation import check_at_least, check_choice
from multimodal_ensemble._warnings import warn
from multimodal_ensemble.encoders._columns import check_single_column
from multimodal_ensemble.encoders._encoder import Encoder
from multimodal_ensemble.encoders._numbers import LARGEST
from multimodal_ensemble.encoders._sequence_head import SequenceHead
from multimodal_ensemble.exceptions import ModalityError

_ROWS_PER_CHUNK = 1024


@keras.saving.register_keras_serializable(package=PACKAGE)
class SequenceEncoder(Encoder):
    """Sequences of different length, such as time series or frames of audio.

    A value is an array of shape ``(length, channels)``, or a list of numbers, which is one channel.
    Batches are padded with zeros to their longest sequence. One more channel behind the others is 1
    in each step of a sequence and 0 in padding, so that layers can tell padding from values.

    Only the head of a network can use sequences. `MultimodalEnsemble` takes them through a
    `MultimodalClassifier` as one of its members.

    Parameters
    ----------
    name : str
        Name of the modality and of the Keras input.
    column : str, optional
        The column of sequences. Default: `name`.
    max_length : int, optional
        Largest number of steps. The rest of a longer sequence is left out, and a warning says how
        many there are. Default: no limit.
    scaling : {"standard", None}, default="standard"
        ``"standard"`` scales each channel to mean 0 and variance 1 over all steps of the training
        rows.
    head : callable, optional
        The trainable layers; see `Encoder`. Default: ``SequenceHead()``, which is convolutions.
    optional : bool, default=False
        Whether rows may lack this modality; see `Encoder`. An empty list is not missing: it is a
        sequence without a step.

    Attributes
    ----------
    n_channels_ : int
        Number of channels of the values.
    mean_, scale_ : ndarray of shape (n_channels,)
        The value that is subtracted and the value that is divided by; only with
        ``scaling="standard"``.

    Raises
    ------
    ValueError
        If an option is out of range.

    Examples
    --------
    >>> from multimodal_ensemble import SequenceEncoder
    >>> encoder = SequenceEncoder("pulse", scaling=None).fit([[60, 61], [70, 80, 90]])
    >>> encoder.encode([[60, 61], [80]]).tolist()
    [[[60.0, 1.0], [61.0, 1.0]], [[80.0, 1.0], [0.0, 0.0]]]
    """

    unit = "sequence"
    reads_missing = True

    def __init__(
        self,
        name: str,
        *,
        column: str | None = None,
        max_length: int | None = None,
        scaling: str | None = "standard",
        head: Callable[[tuple[int | None, ...]], keras.Layer] | None = None,
        optional: bool = False,
    ) -> None:
        head = SequenceHead() if head is None else head
        super().__init__(name, column=column, head=head, optional=optional)
        check_single_column(column, modality=name)
        if max_length is not None:
            check_at_least(max_length, 1, name="max_length")
        check_choice(scaling, ("standard", None), name="scaling")
        self.max_length = max_length
        self.scaling = scaling
        # The largest number of shortened sequences that a warning has reported.
        self._n_reported = 0

    def fit(self, values: Any) -> Self:
        """Learn the number of channels, and the mean and the scale of each.

        Parameters
        ----------
        values : sequence of length n
            Of training rows: arrays of shape (length, n_channels), or (length,) for one channel.

        Returns
        -------
        SequenceEncoder
            The encoder itself.

        Raises
        ------
        ModalityError
            If a value is no sequence of finite numbers, or no sequence has a step.
        """
        rows = [row for row in self._read_rows(values, None) if len(row)]
        if not rows:
            msg = f"Modality {self.name!r} has no step in any of the {len(values)} training rows."
            raise ModalityError(msg)
        self.n_channels_ = int(rows[0].shape[1])
        if self.scaling == "standard":
            scaler = StandardScaler()
            for start in range(0, len(rows), _ROWS_PER_CHUNK):
                steps = np.concatenate(rows[start : start + _ROWS_PER_CHUNK])
                scaler.partial_fit(steps.astype(np.float64))
            self.mean_, self.scale_ = scaler.mean_, scaler.scale_
        return self

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """Any number of steps, and the channels with the one that marks steps."""
        return (None, self._learned("n_channels_") + 1)

    def lengths(self, values: Any) -> NDArray[np.intp]:
        """Return the number of steps of each sequence, at least 1.

        Parameters
        ----------
        values : array-like of length n
            What `prepare` returned.

        Returns
        -------
        ndarray of shape (n,), int
            Numbers of steps.
        """
        return np.array([max(1, len(row)) for row in values], dtype=np.intp)

    def prepare(self, values: Any) -> NDArray[Any]:
        """Check the sequences, and return those of at most `max_length` steps, not scaled.

        Parameters
        ----------
        values : sequence of length n
            Arrays of shape (length, n_channels), or (length,) for one channel.

        Returns
        -------
        ndarray of shape (n,)
            Objects: arrays of shape (length, n_channels).

        Raises
        ------
        ModalityError
            If a value is no sequence of finite numbers, or has other channels than in training.
        """
        return as_object_array(self._read_rows(values, getattr(self, "n_channels_", None)))

    def encode(self, values: Any) -> NDArray[np.float32]:
        """Return scaled sequences as one padded float32 array of shape (n, length, channels + 1).

        Parameters
        ----------
        values : sequence of length n
            Raw values, or rows of what `prepare` returned.

        Returns
        -------
        ndarray of shape (n, length, n_channels + 1), float32
            As long as the longest sequence of the batch. The last channel is 1 in the steps of the
            sequence, and 0 in the padding.

        Raises
        ------
        ModalityError
            As `prepare`, or if a number is too large after scaling.
        """
        (_, width) = self.input_shape
        rows = self._read_rows(values, self.n_channels_)
        longest = max(map(len, rows), default=1)
        encoded = np.zeros((len(rows), max(1, longest), int(width or 0)), dtype=np.float32)
        for position, row in enumerate(rows):
            steps = row.astype(np.float64)
            if self.scaling == "standard" and len(row):
                steps = (steps - self.mean_) / self.scale_
                self._check_finite(steps, position, after=" after scaling")
            encoded[position, : len(row), : self.n_channels_] = steps
            encoded[position, : len(row), -1] = 1
        return encoded

    def input_description(self) -> dict[str, Any]:
        """Return the meaning of the input of an exported model.

        Returns
        -------
        dict of str to JSON value
            The ``meaning`` of the numbers.
        """
        return {
            "meaning": "scaled channels, then 1; zeros in padding behind the steps of a sequence"
        }

    def _read_rows(self, values: Any, n_channels: int | None) -> list[NDArray[Any]]:
        """Return the steps of each sequence; None is the number of channels of the first one."""
        if fault := column_fault(values):
            msg = f"Modality {self.name!r} expects one sequence per row. Received {fault}."
            raise ModalityError(msg)
        rows = [self._read_row(value, row) for row, value in enumerate(values)]
        widths = [(row, steps.shape[1]) for row, steps in enumerate(rows) if len(steps)]
        if n_channels is None:
            n_channels = widths[0][1] if widths else 1
        for row, width in widths:
            if width != n_channels:
                msg = (
                    f"Modality {self.name!r} expects sequences of {counted(n_channels, 'channel')}"
                    f". Received {width} in row {row}."
                )
                raise ModalityError(msg, row=row)
        rows = [steps if len(steps) else steps.reshape(0, n_channels) for steps in rows]
        if self.max_length is None:
            return rows
        self._report_shortened([len(steps) for steps in rows])
        return [steps[: self.max_length] for steps in rows]

    def _read_row(self, value: Any, row: int) -> NDArray[Any]:
        try:
            if isinstance(value, np.ma.MaskedArray):
                value = np.ma.filled(value.astype(np.float64), np.nan)
            steps = np.asarray(value)
        except (OverflowError, TypeError, ValueError):
            # NumPy refuses lists of different lengths.
            steps = np.empty(0, dtype=object)
        steps = steps[:, np.newaxis] if steps.ndim == 1 else steps
        is_empty = (
            steps.size == 0 and steps.ndim == 2 and hasattr(value, "__len__") and not len(value)
        )
        if not is_empty and (steps.ndim != 2 or steps.dtype.kind not in "biuf" or not steps.size):
            msg = (
                f"Modality {self.name!r} expects an array of shape (length, channels), or a list "
                f"of numbers, in each row. Received {repr(value)[:80]} in row {row}. "
                "If a sequence is unknown, use None and pass optional=True to the encoder."
            )
            raise ModalityError(msg, row=row)
        self._check_finite(steps, row)
        return steps

    def _check_finite(self, steps: NDArray[Any], row: int, *, after: str = "") -> None:
        if not steps.size or (usable := np.abs(steps.astype(np.float64)) <= LARGEST).all():
            return
        step, channel = np.argwhere(~usable)[0]
        msg = (
            f"Modality {self.name!r} expects finite numbers of at most {LARGEST:.2g} (float32)"
            f"{after}. Received {steps[step, channel]} in step {step}, channel {channel} of the "
            f"sequence in row {row}. Fill it in first, for example with the number before it."
        )
        raise ModalityError(msg, row=row)

    def _report_shortened(self, lengths: list[int]) -> None:
        """Warn of sequences that are shortened, unless as many were reported before."""
        n_shortened = sum(length > int(self.max_length or 0) for length in lengths)
        if n_shortened <= self._n_reported:
            return
        self._n_reported = n_shortened
        warn(
            f"{n_shortened} of {counted(len(lengths), 'sequence')} in {self.name!r} have more than "
            f"max_length={self.max_length} steps (the longest has {max(lengths)}), and the rest "
            "of each is left out."
        )
