"""The contract that every modality fulfils."""

from __future__ import annotations

import copy
import hashlib
import inspect
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.metadata_routing import UNUSED

from multimodal_ensemble._tables import as_object_array, is_missing, to_python
from multimodal_ensemble._validation import check_choice
from multimodal_ensemble.encoders._split_backbone import split_backbone
from multimodal_ensemble.exceptions import ModalityError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Encoder(BaseEstimator, ABC):
    """One modality: how its raw values become arrays, features and an embedding.

    Subclass it to add a modality of your own. A subclass says at least what one encoded row
    looks like (`input_shape`), how raw values become such rows (`encode`) and which trainable
    layers stand on top (`head`); everything else has a default. Like a scikit-learn estimator,
    it stores each constructor argument under its own name, learns in `fit`, and ends the name
    of what it learned in an underscore: then configuration, cloning and saving need no code.
    `multimodal_ensemble.testing.check_encoder` tests a subclass against this contract.

    Parameters
    ----------
    name : str
        Name of the modality: the Keras input's name and, unless `column` says otherwise, the
        DataFrame column. ASCII letters, digits, ``.``, ``_`` and ``-`` that begin with a letter
        or digit, because TensorFlow refuses other names of variables.
    column : str or sequence of str, optional
        The column, or columns, of the data that hold this modality. Default: `name`.
    optional : bool, default=False
        Whether rows may lack this modality: None or NaN in place of a value, or data without its
        column. A fusion answers that with one vector that it learns, in place of the embedding.

    Attributes
    ----------
    input_shape : tuple of int
        Shape of one encoded row, without the batch axis.
    input_dtype : str
        dtype of the Keras input. ``"float32"`` unless a subclass says otherwise.
    n_views : int
        How many augmented views of each training value `augment` can give. 0 unless a subclass
        says otherwise.

    Raises
    ------
    ModalityError
        If the name is one that TensorFlow would refuse, or `column` is empty.

    Examples
    --------
    An encoder for lists of three numbers:

    >>> import keras, numpy as np
    >>> from multimodal_ensemble import Encoder
    >>> class TripleEncoder(Encoder):
    ...     input_shape = (3,)
    ...     def encode(self, values):
    ...         return np.array(list(values), dtype="float32").reshape(-1, 3)
    ...     def build_head(self):
    ...         return keras.layers.Dense(4, activation="relu")
    >>> encoder = TripleEncoder("position")
    >>> encoder.encode([[1, 2, 3], [4, 5, 6]]).shape
    (2, 3)
    >>> encoder.output_dim
    4
    """

    input_dtype: str = "float32"
    n_views: int = 0
    # A subclass whose constructor does not pass it on is not optional.
    optional: bool = False
    # `fit` takes raw values and no metadata, so scikit-learn is not to route any to it.
    __metadata_request__fit: ClassVar = {"values": UNUSED}

    def __init__(
        self, name: str, *, column: str | Sequence[str] | None = None, optional: bool = False
    ) -> None:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            msg = (
                "An encoder's name becomes the name of layers: ASCII letters, digits, '.', '_' and "
                "'-' that begin with a letter or digit. "
                f"Received name={name!r}; rename it and pass column={name!r} instead."
            )
            raise ModalityError(msg)
        if column is not None and not isinstance(column, str) and not list(column):
            msg = f"column must name at least one column. Received column={column!r}."
            raise ModalityError(msg)
        check_choice(optional, (True, False), name="optional")
        self.name = name
        self.column = column
        self.optional = optional

    # -- what a subclass must say ------------------------------------------------------------

    @property
    @abstractmethod
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one encoded row, without the batch axis."""

    @abstractmethod
    def encode(self, values: Any) -> NDArray[Any]:
        """Turn raw values into an array of shape ``(n, *input_shape)``: one batch, on the host.

        Parameters
        ----------
        values : sequence of length n
            Raw values, or rows of what `prepare` returned.

        Returns
        -------
        ndarray of shape (n, ...)
            Rows of shape `input_shape`.
        """

    @abstractmethod
    def build_head(self) -> keras.Layer:
        """Return new trainable layers from features, or from the input, to an embedding.

        Each call returns a new layer or model, so that two models never share a head. Layers
        with an `adapt` method in a `keras.Sequential` head are adapted to the training rows
        before training (`multimodal_ensemble.adapt_heads`).

        Returns
        -------
        keras.Layer or keras.Model
            Maps ``(n, *feature_shape)`` to ``(n, output_dim)``.
        """

    # -- what a subclass may say -------------------------------------------------------------

    def fit(self, values: Any) -> Self:
        """Learn from the raw values of training rows only. Nothing, by default.

        Parameters
        ----------
        values : sequence
            Raw values of the training rows.

        Returns
        -------
        Encoder
            The encoder itself.
        """
        del values
        return self

    def get_backbone(self) -> keras.Model | None:
        """Return the pretrained network in front of the head, or None where there is none.

        The same model at each call. It maps ``(n, *input_shape)`` to a feature vector, holds
        the preprocessing of what `encode` returns, and runs in inference mode always: make it
        a `multimodal_ensemble.encoders.InferenceModel` if it holds dropout or the like. What
        its layers give in front of the first one that is trained is computed once and reused.

        Returns
        -------
        keras.Model or None
            Its output has shape ``(n, *feature_shape)``.
        """
        return None

    def prepare(self, values: Any) -> Any:
        """Do the work on raw values that need not be repeated each epoch.

        Called once for a data set; batches of rows of what it returns go to `encode`, so
        ``encode(prepare(values)[rows])`` must equal ``encode(values)[rows]``.

        Parameters
        ----------
        values : sequence of length n
            Raw values.

        Returns
        -------
        array-like of length n
            Anything that has a `shape` and can be indexed by an array of row numbers; by default
            the raw values as an object array.
        """
        return as_object_array(values)

    def find_unusable(self, values: Any) -> dict[int, str]:
        """Return the positions of the values that this encoder wants left out, with reasons.

        Called once for a data set before training; these rows are dropped. Default: none.

        Parameters
        ----------
        values : sequence
            Raw values.

        Returns
        -------
        dict of int to str
            Position to reason.
        """
        del values
        return {}

    def find_missing(self, values: Any) -> NDArray[np.bool_]:
        """Return which values are missing, where the encoder is `optional`.

        The other methods never see these. An empty value, such as an empty list of tags, is not
        missing: that there are no tags is known then.

        Parameters
        ----------
        values : sequence of length n
            Raw values.

        Returns
        -------
        ndarray of shape (n,)
            True where a value is None or NaN or, of several columns, each of them is.
        """
        if isinstance(values, pd.DataFrame):
            return np.asarray(values.isna().to_numpy().all(axis=1), dtype=bool)
        return np.array([is_missing(value) for value in values], dtype=bool)

    def content_digests(self, values: Any) -> list[bytes]:
        """Return what identifies each value's content, to look its features up by.

        The default digests the encoded rows, which is always right. A subclass whose encoding
        is dear may digest something cheaper, and then says in `encoding_config` all that
        its encoding depends on besides.

        Parameters
        ----------
        values : array-like of length n
            What `prepare` returned.

        Returns
        -------
        list of n bytes
            SHA-256 digests.
        """
        digests: list[bytes] = []
        # Row by row, so that a large data set of large arrays is never encoded all at once.
        for position in range(values.shape[0]):
            row = np.ascontiguousarray(self.encode(values[[position]]))
            digests.append(
                hashlib.sha256(f"{row.dtype.str}{row.shape}".encode() + row.tobytes()).digest()
            )
        return digests

    def encoding_config(self) -> dict[str, Any]:
        """Return the settings that change `encode` but not `content_digests`.

        They become part of the key of stored features.

        Returns
        -------
        dict
            JSON values; empty by default.
        """
        return {}

    def augment(
        self, encoded: NDArray[Any], digests: Sequence[bytes], views: NDArray[np.intp]
    ) -> NDArray[Any]:
        """Return one augmented view of each encoded row.

        A view is a function of the encoder's configuration, the content and the number of the
        view, and of nothing else, so that it can be computed again, or once and kept.

        Parameters
        ----------
        encoded : ndarray of shape (n, ...)
            What `encode` returned.
        digests : sequence of n bytes
            What `content_digests` returned for the same rows.
        views : ndarray of shape (n,)
            Which view of each row, from 0 to ``n_views - 1``.

        Returns
        -------
        ndarray of shape (n, ...)
            Augmented rows, of the shape of `encoded`.
        """
        del digests, views
        msg = f"Modality {self.name!r} has no augmented views (n_views={self.n_views})."
        raise ModalityError(msg)

    def view_digests(self, digests: Sequence[bytes], view: int) -> list[bytes]:
        """Return what identifies one augmented view of each value, to look its features up by.

        Parameters
        ----------
        digests : sequence of n bytes
            What `content_digests` returned.
        view : int
            Which view, from 0 to ``n_views - 1``.

        Returns
        -------
        list of n bytes
            SHA-256 digests that depend on all that `augment` depends on.
        """
        settings = f"augmented view {view}: {self.augmentation_config()}".encode()
        return [hashlib.sha256(settings + digest).digest() for digest in digests]

    def augmentation_config(self) -> str:
        """Return the settings that `augment` depends on, as text.

        Returns
        -------
        str
            Empty by default.
        """
        return ""

    def without_backbone(self) -> Self:
        """Return a copy that encodes and augments as this encoder does, to send to workers.

        By default the copy is complete; a subclass that holds its backbone leaves it out, because
        a copy is sent with each piece of work.

        Returns
        -------
        Encoder
            A copy, which need not be able to give its backbone.
        """
        return copy.copy(self)

    # -- what follows from it ----------------------------------------------------------------

    @property
    def feature_shape(self) -> tuple[int, ...]:
        """Shape of what the head receives, without the batch axis."""
        backbone = self.get_backbone()
        shape = self.input_shape if backbone is None else backbone.output_shape[1:]
        return tuple(int(size) for size in shape)

    @property
    def output_dim(self) -> int:
        """Number of units of the embedding."""
        return int(self.build_head()(keras.Input(self.feature_shape)).shape[-1])

    @property
    def is_frozen(self) -> bool:
        """Whether there is a backbone and none of its weights is trainable."""
        backbone = self.get_backbone()
        return backbone is not None and not backbone.trainable_weights

    @property
    def has_named_weights(self) -> bool:
        """Whether the configuration alone says where the backbone's weights come from."""
        return False

    def frozen_part(self) -> keras.Model | None:
        """Return the part of the backbone that training does not change, or None.

        That is the whole backbone as long as none of its weights is trainable, and otherwise
        its layers in front of the first one that is trained. Its output is what a
        `multimodal_ensemble.FeatureStore` keeps.

        Returns
        -------
        keras.Model or None
            None without a backbone, and where training changes its first layers.
        """
        backbone = self.get_backbone()
        return None if backbone is None else split_backbone(backbone).frozen

    @property
    def columns(self) -> list[str]:
        """The data's columns that this encoder reads."""
        if self.column is None:
            return [self.name]
        return [self.column] if isinstance(self.column, str) else list(self.column)

    def select(self, data: Any) -> Any:
        """Return this modality's raw values from a DataFrame or a mapping of columns.

        Parameters
        ----------
        data : DataFrame or mapping of str to sequence
            The raw columns.

        Returns
        -------
        sequence or DataFrame
            One column, or several where the encoder reads several. Of an `optional` modality whose
            columns are all missing, None for each row.

        Raises
        ------
        ModalityError
            If a column is missing; the message lists the columns there are.
        """
        missing = [column for column in self.columns if column not in data]
        if missing and not (self.optional and missing == self.columns):
            msg = (
                f"Modality {self.name!r} reads the column(s) {missing}, which the data lacks. "
                f"The data has {list(data)}. Pass column=... to the encoder to read another one, "
                "or optional=True if the modality may be missing as a whole."
            )
            raise ModalityError(msg)
        if missing:
            return np.full(_count_rows(data), None, dtype=object)
        if self.column is None or isinstance(self.column, str):
            return data[self.columns[0]]
        if isinstance(data, Mapping):
            # As lists, because pandas would match the rows of Series by their index.
            return pd.DataFrame({column: list(data[column]) for column in self.columns})
        return data[self.columns]

    # -- saving ------------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments as values that Keras can write to JSON."""
        return {
            key: keras.saving.serialize_keras_object(_json_value(value))
            for key, value in self.get_params(deep=False).items()
        }

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """Make an unfitted encoder from what `get_config` returned."""
        known = inspect.signature(cls).parameters
        return cls(
            **{
                key: keras.saving.deserialize_keras_object(value)
                for key, value in config.items()
                if key in known
            }
        )

    def get_state(self) -> dict[str, Any]:
        """Return what `fit` learned: the attributes whose names end in one underscore."""
        return {
            key: value
            for key, value in vars(self).items()
            if key.endswith("_") and not key.startswith("_")
        }

    def set_state(self, state: Mapping[str, Any]) -> Self:
        """Take over what another encoder of the same configuration learned."""
        for key, value in state.items():
            setattr(self, key, value)
        return self


def _count_rows(data: Any) -> int:
    if isinstance(data, pd.DataFrame):
        return len(data)
    return max((len(column) for column in data.values()), default=0)


def _json_value(value: Any) -> Any:
    """Return a path as a string and a NumPy number as a Python one, for JSON."""
    return os.fspath(value) if isinstance(value, os.PathLike) else to_python(value)
