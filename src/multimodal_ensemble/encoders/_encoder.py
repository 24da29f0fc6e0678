"""The contract that every modality fulfils."""

from __future__ import annotations

import copy
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Self

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.exceptions import NotFittedError
from sklearn.utils.metadata_routing import UNUSED

from multimodal_ensemble._digest import digest_arrays
from multimodal_ensemble._encoder_calls import checked_encode
from multimodal_ensemble._layer_names import head_name
from multimodal_ensemble._tables import as_object_array, is_missing
from multimodal_ensemble._validation import check_choice
from multimodal_ensemble.encoders._columns import (
    check_column_option,
    find_columns,
)
from multimodal_ensemble.encoders._dense_head import DenseHead
from multimodal_ensemble.encoders._encoder_description import PART_KINDS, EncoderDescription
from multimodal_ensemble.encoders._encoder_state import EncoderState
from multimodal_ensemble.encoders._parameters import CheckedParameters
from multimodal_ensemble.encoders._split_backbone import split_backbone
from multimodal_ensemble.exceptions import ModalityError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class Encoder(CheckedParameters, EncoderDescription, EncoderState, ABC):
    """One modality: how raw values become arrays, features and an embedding.

    A subclass must override `input_shape` (the shape of one encoded row) and `encode` (from raw
    values to such rows); all else has defaults. As in scikit-learn, a subclass stores
    each constructor argument under its own name, learns in `fit`, and ends the names of what it
    learned in an underscore. Configuration, cloning and saving then need no code.
    `multimodal_ensemble.testing.check_encoder` tests a subclass against this contract.

    Parameters
    ----------
    name : str
        Name of the modality and of the Keras input: at most 100 ASCII letters, digits, ``.``,
        ``_`` and ``-``, starting with a letter or digit.
    column : str or list of str, optional
        The columns of the data that hold this modality. Default: `name`.
    head : callable, optional
        The trainable layers: a `DenseHead`, or any callable that takes the shape of one row of
        features and returns a new Keras layer. Default: ``DenseHead()``.
    optional : bool, default=False
        Whether rows may lack this modality: None or NaN in place of a value, or data without the
        column. A fusion learns one vector in place of their embeddings.

    Attributes
    ----------
    input_dtype : str
        dtype of the Keras input. ``"float32"`` unless overridden.
    augmentation : Augmentation or None
        Augmented views of the training rows: an object with the attribute `views` and the methods
        ``apply`` and ``view_digests`` of `Augmentation`. None unless overridden.
    zeros_are_empty : bool
        Whether a row of zeros holds nothing that the encoder knows, such as a bag without a known
        token. False unless overridden.
    values_are_tokens : bool
        Whether each encoded value that is not 0 stands for a token. False unless overridden.
    values_are_scaled : bool
        Whether linear models keep the variances of encoded values. False unless overridden.
    unit : str
        What a value is called in progress bars. ``"value"`` unless overridden.
    part_kind : {"column", "token", "word"}
        What the parts of a value are in explanations: those of kind ``"column"`` are in
        `Explanation.columns`, and all others in `Explanation.tokens`. ``"column"`` unless
        overridden.
    reads_missing : bool
        Whether `fit` and `encode` handle or refuse None and NaN themselves, although the encoder
        is not `optional`. False unless overridden: the methods never receive such values, because
        rows with them are refused before.
    uses_unlabelled : bool
        Whether `fit` learns from rows without labels, and so takes ``unlabelled=``, the raw values
        of such rows. False unless overridden.

    Raises
    ------
    ModalityError
        If TensorFlow would refuse the name, or `column` is no string or list of distinct strings.
    ValueError
        If `head` is not a callable that builds layers, or `part_kind` is another one.

    Examples
    --------
    An encoder for lists of three numbers:

    >>> import numpy as np
    >>> from multimodal_ensemble import Encoder
    >>> from multimodal_ensemble.encoders import DenseHead
    >>> class TripleEncoder(Encoder):
    ...     input_shape = (3,)
    ...     def encode(self, values):
    ...         return np.array(list(values), dtype="float32").reshape(-1, 3)
    >>> encoder = TripleEncoder("position", head=DenseHead(4))
    >>> encoder.encode([[1, 2, 3], [4, 5, 6]]).shape
    (2, 3)
    >>> encoder.build_head().compute_output_shape((None, 3))
    (None, 4)
    """

    input_dtype: str = "float32"
    augmentation: Any = None
    zeros_are_empty: bool = False
    values_are_tokens: bool = False
    values_are_scaled: bool = False
    reads_missing: bool = False
    uses_unlabelled: bool = False
    # The value of a subclass whose constructor has no such argument.
    optional: bool = False
    # `fit` takes raw values and no metadata, so scikit-learn must not route any to it.
    __metadata_request__fit: ClassVar = {"values": UNUSED}

    def __init__(
        self,
        name: str,
        *,
        column: str | Sequence[str] | None = None,
        head: Callable[[tuple[int, ...]], keras.Layer] | None = None,
        optional: bool = False,
    ) -> None:
        if type(name) is not str or not _NAME.fullmatch(name):
            msg = (
                "An encoder's name becomes the name of layers: a str of at most 100 ASCII letters, "
                "digits, '.', '_' and '-', starting with a letter or digit. "
                f"Received name={name!r} of type {type(name).__name__}; rename it and pass "
                f"column={str(name)!r} instead."
            )
            raise ModalityError(msg)
        if column is not None:
            check_column_option(column)
        check_choice(optional, (True, False), name="optional")
        check_choice(self.part_kind, PART_KINDS, name=f"{type(self).__name__}.part_kind")
        if isinstance(head, keras.Layer) or not (head is None or callable(head)):
            msg = (
                "head must be a DenseHead or another callable that takes the shape of one row of "
                "features and returns a new Keras layer, for example "
                f"lambda feature_shape: keras.layers.Dense(8). Received head={head!r}."
            )
            raise ValueError(msg)
        self.name = name
        self.column = column
        self.head = DenseHead() if head is None else head
        self.optional = optional

    # -- what a subclass must override -------------------------------------------------------

    @property
    @abstractmethod
    def input_shape(self) -> tuple[int | None, ...]:
        """Shape of one encoded row, without the batch axis; None for a length that differs."""

    @abstractmethod
    def encode(self, values: Any) -> NDArray[Any]:
        """Turn one batch of raw values into an array of shape ``(n, *input_shape)``.

        Parameters
        ----------
        values : sequence of length n
            Raw values, or rows of what `prepare` returned.

        Returns
        -------
        ndarray of shape (n, ...)
            Encoded rows.
        """

    # -- what a subclass may override --------------------------------------------------------

    def fit(self, values: Any) -> Self:
        """Learn from the raw values of the training rows. The default learns nothing.

        Parameters
        ----------
        values : sequence
            Raw values of the training rows, and of no others.

        Returns
        -------
        Encoder
            The encoder itself.
        """
        del values
        return self

    def get_backbone(self) -> keras.Model | None:
        """Return the pretrained network in front of the head, or None.

        Every call returns the same model, which always runs in inference mode. If it holds dropout
        or the like, make it a `multimodal_ensemble.encoders.InferenceModel`.

        Returns
        -------
        keras.Model or None
            Maps ``(n, *input_shape)`` to features of shape ``(n, *feature_shape)``.
        """
        return None

    def build_head(self) -> keras.Layer:
        """Return new trainable layers from features, or from the input, to an embedding.

        Layers with an `adapt` method in a `keras.Sequential` head are adapted to the training rows
        before training (`multimodal_ensemble.fusion.adapt_heads`).

        Returns
        -------
        keras.Layer or keras.Model
            Maps ``(n, *feature_shape)`` to an embedding of shape ``(n, n_units)``. Each call
            returns a new one, so that two models never share a head.

        Raises
        ------
        ModalityError
            If `head` returns anything but a Keras layer.
        """
        layer: Any = self.head(self.feature_shape)
        if not isinstance(layer, keras.Layer):
            msg = (
                f"The head of modality {self.name!r} must return a Keras layer. "
                f"Received {layer!r} of type {type(layer).__name__}."
            )
            raise ModalityError(msg)
        layer.name = head_name(self.name)
        return layer

    def prepare(self, values: Any) -> Any:
        """Do the work on raw values that need not be repeated in each epoch.

        Parameters
        ----------
        values : sequence of length n
            Raw values.

        Returns
        -------
        array-like of length n
            Anything that has a ``shape`` and accepts an array of row numbers as an index, so that
            ``encode(prepare(values)[rows])`` equals ``encode(values)[rows]``. A sparse matrix of
            SciPy is the encoded rows, so that its ``toarray()`` equals ``encode(values)``. By
            default the raw values as an object array.
        """
        return as_object_array(values)

    def find_unusable(self, values: Any) -> dict[int, str]:
        """Return the positions of values whose rows are left out of a data set, with reasons.

        The default leaves out no row.

        Parameters
        ----------
        values : sequence
            Raw values.

        Returns
        -------
        dict of int to str
            Reason by position.
        """
        del values
        return {}

    def find_missing(self, values: Any) -> NDArray[np.bool_]:
        """Return which values are missing, if the encoder is `optional`.

        The other methods never receive these. An empty list is not missing: the row has no tags.

        Parameters
        ----------
        values : sequence of length n
            Raw values.

        Returns
        -------
        ndarray of shape (n,)
            True where a value is None or NaN or, for several columns, where all of them are.
        """
        if isinstance(values, pd.DataFrame):
            return np.asarray(values.isna().to_numpy().all(axis=1), dtype=bool)
        return np.array([is_missing(value) for value in values], dtype=bool)

    def content_digests(self, values: Any) -> list[bytes]:
        """Return what identifies the content of each value, to look up its features.

        A subclass whose encoding is expensive may digest something cheaper than the encoded rows.
        ``encoding_config`` must then return all else that the encoding depends on.

        Parameters
        ----------
        values : array-like of length n
            What `prepare` returned.

        Returns
        -------
        list of n bytes
            SHA-256 digests.
        """
        # Row by row, so that large arrays are never encoded all at once.
        return [
            bytes.fromhex(digest_arrays([checked_encode(self, values[[position]])]))
            for position in range(values.shape[0])
        ]

    def without_backbone(self) -> Self:
        """Return a copy that encodes and augments in the same way, to send to other processes.

        Returns
        -------
        Encoder
            A copy whose `get_backbone` need not work. The default copy is complete; a subclass
            that holds its backbone should leave it out.
        """
        return copy.copy(self)

    # -- what follows from these ---------------------------------------------------------------

    @property
    def feature_shape(self) -> tuple[Any, ...]:
        """Shape of what the head receives, without the batch axis."""
        backbone = self.get_backbone()
        shape = self.input_shape if backbone is None else backbone.output_shape[1:]
        return tuple(size if size is None else int(size) for size in shape)

    def frozen_part(self) -> keras.Model | None:
        """Return the part of the backbone that training does not change, or None.

        Returns
        -------
        keras.Model or None
            The whole backbone if it is frozen, otherwise its layers in front of the first trained
            one. None without a backbone, and where training changes the first layers.
        """
        backbone = self.get_backbone()
        return None if backbone is None else split_backbone(backbone).frozen

    @property
    def columns(self) -> list[str]:
        """The columns of the data that this encoder reads."""
        if self.column is None:
            return [self.name]
        return [self.column] if isinstance(self.column, str) else list(self.column)

    def select(self, data: Any) -> Any:
        """Return the raw values of this modality.

        Parameters
        ----------
        data : DataFrame or mapping of str to sequence
            The raw columns.

        Returns
        -------
        sequence or DataFrame
            One column, or a DataFrame where the encoder reads several. In pandas, their index
            counts the rows from 0. None for each row where the data has none of the columns of an
            `optional` modality.

        Raises
        ------
        ModalityError
            If the data lacks a column, has it more than once, or has anything but a sequence in
            its place.
        """
        columns = self.columns
        if not find_columns(data, columns, modality=self.name, optional=self.optional):
            lengths = [len(data)] if isinstance(data, pd.DataFrame) else map(len, data.values())
            return np.full(max(lengths, default=0), None, dtype=object)
        several = self.column is not None and not isinstance(self.column, str)
        if several and isinstance(data, Mapping):
            # As lists, because pandas would match the rows of Series by their index.
            return pd.DataFrame({column: list(data[column]) for column in columns})
        selected = data[columns] if several else data[columns[0]]
        # Rows are counted from 0, so that `values[0]` is the first one.
        is_indexed = isinstance(selected, pd.Series | pd.DataFrame)
        return selected.reset_index(drop=True) if is_indexed else selected

    def _learned(self, attribute: str) -> Any:
        """Return an attribute that `fit` sets, or raise a NotFittedError."""
        if not hasattr(self, attribute):
            msg = (
                f"Modality {self.name!r} is not fitted yet. Call fit with the training rows, "
                "or fit_encoders for several encoders, first."
            )
            raise NotFittedError(msg)
        return getattr(self, attribute)
