"""Batches of several modalities, for Keras."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Any

import keras
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from multimodal_ensemble._known_labels import known_labels, read_known_labels
from multimodal_ensemble._layer_names import presence_name
from multimodal_ensemble._open_table import as_table, is_lazy, open_lazy
from multimodal_ensemble._table_files import TableFile, take_rows
from multimodal_ensemble._tables import check_columns, check_same_index, from_arrow, named_rows
from multimodal_ensemble._validation import (
    check_at_least,
    check_label_names,
    check_sample_weight,
)
from multimodal_ensemble.encoders import Encoder, as_encoder_list
from multimodal_ensemble.exceptions import ModalityError
from multimodal_ensemble.features import FeatureStore, open_store
from multimodal_ensemble.generators._batch import Batch
from multimodal_ensemble.generators._read_rows import read_rows
from multimodal_ensemble.generators._row_files import ROWS_PER_BLOCK
from multimodal_ensemble.generators._row_order import (
    BlockOrder,
    FullOrder,
    RowOrder,
    SequentialOrder,
)
from multimodal_ensemble.generators._row_sources import FileRows, StoredRows


class MultimodalDataset(keras.utils.PyDataset):
    """Batches ``({modality: array}, y)`` from the rows of a table.

    Raw values are encoded batch by batch. With a feature store, batches hold the output of frozen
    backbones or, if last layers are trained, the input of the first of these.

    Features of up to 128 MiB are kept in memory, about 65,000 rows of VGG16. Larger ones are
    written to a temporary file in half precision, in the folder that ``TMPDIR`` names. Shuffled
    batches then mix the rows of 256 blocks of 256 rows (fewer, if 64 MiB hold fewer) that are
    chosen at random.

    Parameters
    ----------
    data : DataFrame, mapping of str to sequence, or path
        The raw columns, or a Parquet file or a folder of these, which is read part by part.
    encoders : sequence of Encoder
        One fitted encoder per modality.
    y : array-like of shape (n_samples, n_labels), optional
        Multi-hot labels, 0 or 1, or NaN where a label is unknown, which then has no weight. Without
        them, batches are ``({modality: array},)``.
    batch_size : int, default=32
        Number of rows per batch; the last batch of a pass may be smaller.
    shuffle : bool, default=False
        Whether each pass over the rows has a new random order.
    seed : int, default=0
        Seed of the orders and of the choice of augmented views.
    sample_weight : array-like of shape (n_samples,) or (n_samples, n_labels), optional
        Weight of each row in the loss, or of each row for each label, not negative.
    labels : sequence of str, optional
        Names of the labels. Default: the columns of a DataFrame `y`, else numbers.
    augment : bool, optional
        Whether each row of a batch is one of its augmented views, chosen at random for each pass,
        for encoders with an ``augmentation``. For training rows only. Default: `shuffle`.
    store : FeatureStore or path, optional
        Store of the features of frozen backbones. Features that it lacks are computed now.
    verbose : {0, 1}, default=1
        Whether a progress bar shows the computation of features.
    **kwargs
        Passed to `keras.utils.PyDataset`: ``workers``, ``use_multiprocessing``,
        ``max_queue_size``.

    Attributes
    ----------
    features : dict of str to ndarray of shape (n_samples, ...)
        Features from the store, of the rows without augmentation, by modality. Those in a file are
        objects with a `shape` that return arrays for slices of rows.
    augment : bool
        Whether batches hold augmented views.
    dropped : DataFrame
        Rows dropped by an encoder such as ``ImageEncoder(on_error="drop")``, with the index of the
        data and the columns ``row`` (position in the data, from 0) and ``reason``.
    y : ndarray of shape (n_samples, n_labels) or None
        Multi-hot labels of the rows that are not dropped, bool; False where a label is unknown.
    labels : list of str
        Names of the labels; empty without `y`.
    pass_number : int
        Number of the current pass over the rows, from 0.

    Raises
    ------
    ModalityError
        If the data lacks a column, two encoders have the same name, or columns differ in length.
    ValueError
        If `y` is not multi-hot or differs in length from the data.
    TypeError
        If `store` is neither a store nor a path.

    Notes
    -----
    For a plain `keras.Model.fit`, pass ``shuffle=False``; otherwise Keras shuffles the batches
    again from the global random state. If features come from a store, train
    ``feature_model(model)``. `fit_model` does both.

    Examples
    --------
    >>> import pandas as pd
    >>> from multimodal_ensemble import BagOfWordsEncoder, MultimodalDataset
    >>> data = pd.DataFrame({"tags": [["space", "war"], ["love"], []]})
    >>> tags = BagOfWordsEncoder("tags").fit(data["tags"])
    >>> dataset = MultimodalDataset(data, [tags], [[1, 0], [0, 1], [0, 1]], batch_size=2)
    >>> len(dataset)
    2
    >>> inputs, y = dataset[1]
    >>> inputs["tags"].tolist(), y.tolist()
    ([[0.0, 0.0, 0.0]], [[0.0, 1.0]])
    """

    def __init__(
        self,
        data: Any,
        encoders: Sequence[Encoder],
        y: Any = None,
        *,
        batch_size: int = 32,
        shuffle: bool = False,
        seed: int = 0,
        sample_weight: Any = None,
        labels: Sequence[str] | None = None,
        augment: bool | None = None,
        store: FeatureStore | str | PathLike[str] | None = None,
        verbose: int = 1,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        check_at_least(batch_size, 1, name="batch_size")
        check_at_least(seed, 0, name="seed")
        opened = open_store(store)
        self.encoders = as_encoder_list(encoders)
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        table = open_lazy(data) if is_lazy(data) else as_table(data, name="data")
        if not isinstance(table, pd.DataFrame | TableFile):
            check_columns(table)
        wanted = [column for encoder in self.encoders for column in encoder.columns]
        is_optional = all(encoder.optional for encoder in self.encoders)
        if is_optional and not any(column in table.columns for column in wanted):
            # Optional modalities may be absent, but not all of them: this is the wrong table.
            msg = f"The data has none of the columns {wanted}. It has {list(table.columns)}."
            raise ModalityError(msg)
        if not (n_rows := len(table)):
            msg = "The data has no rows."
            raise ValueError(msg)
        if y is None and sample_weight is not None:
            msg = "sample_weight weights the loss, which needs labels. Pass y=... also."
            raise ValueError(msg)
        check_same_index(data=named_rows(data, table), y=y, sample_weight=sample_weight)
        y, sample_weight = from_arrow(y, name="y"), from_arrow(sample_weight, name="sample_weight")
        self.y, known = _read_y(y, n_rows)
        self.labels: list[str] = []
        if self.y is not None:
            named = getattr(y, "columns", None)
            self.labels = check_label_names(labels, self.y.shape[1], columns=named)
        n_labels = None if self.y is None else self.y.shape[1]
        weight: Any = check_sample_weight(sample_weight, n_rows, n_labels)
        if known is not None:
            weight = known if weight is None else known * weight.reshape(n_rows, -1)
        self.sample_weight = None if weight is None else weight.astype(np.float32)
        has_views = any(encoder.augmentation is not None for encoder in self.encoders)
        self.augment = has_views and (shuffle if augment is None else augment)
        usable = read_rows(table, self.encoders, opened, augment=self.augment, verbose=verbose)
        self.raw, self.dropped = usable.raw, usable.dropped
        self._n_samples = len(usable.kept)
        if self._n_samples < n_rows:
            self.y = None if self.y is None else self.y[usable.kept]
            weights = self.sample_weight
            self.sample_weight = None if weights is None else weights[usable.kept]
        self._rows, self._present = usable.sources, usable.present
        self._blocks_per_group = usable.blocks_per_group
        self.features: dict[str, Any] = {
            name: source.features
            for name, source in self._rows.items()
            if isinstance(source, StoredRows | FileRows) and source.is_stored
        }
        self.begin_pass(0)

    # -- methods that Keras calls ------------------------------------------------------------

    def __len__(self) -> int:
        """Return the number of batches in a pass."""
        return -(-self.n_samples // self.batch_size)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        """Return a batch: the inputs, then labels and weights if there are any."""
        rows = self._batch_rows(index)
        inputs = {
            name: source.take(rows, self._views[name][rows] if name in self._views else None)
            for name, source in self._rows.items()
        }
        inputs |= self._presence(rows)
        parts: list[Any] = [inputs]
        if self.y is not None:
            parts.append(self.y[rows].astype(np.float32))
            if self.sample_weight is not None:
                parts.append(self.sample_weight[rows])
        return tuple(parts)

    def on_epoch_end(self) -> None:
        """Begin the next pass."""
        self.begin_pass(self.pass_number + 1)

    # -- methods for users and other modules -------------------------------------------------

    @property
    def n_samples(self) -> int:
        """Number of rows."""
        return self._n_samples

    @property
    def truth(self) -> NDArray[Any] | None:
        """Labels as metrics take them: `y`, or float32 with NaN where a label has no weight."""
        return None if self.y is None else known_labels(self.y, self.sample_weight)

    @property
    def has_vectors_only(self) -> bool:
        """Whether each modality has one vector per row, and none has images or the like."""
        return all(
            self.features[encoder.name].ndim == 2
            if encoder.name in self.features
            else len(encoder.input_shape) == 1 and None not in encoder.input_shape
            for encoder in self.encoders
        )

    def begin_pass(self, number: int) -> None:
        """Draw the order of rows and the augmented views of a pass, for example to resume there.

        Parameters
        ----------
        number : int
            Number of the pass, from 0. Keras begins pass 1 before the first epoch.
        """
        self.pass_number = number
        self._order, self._views = self._draw(number)

    def order_of(self, number: int) -> NDArray[np.intp]:
        """Return the order of rows in a pass.

        Parameters
        ----------
        number : int
            Number of the pass, from 0.

        Returns
        -------
        ndarray of shape (n_samples,)
            Row numbers.
        """
        return self._draw(number)[0].rows(0, self.n_samples)

    def peek(self, index: int) -> Batch:
        """Return a batch together with its raw rows.

        Parameters
        ----------
        index : int
            Number of the batch in the current pass.

        Returns
        -------
        Batch
            The batch and its raw rows.
        """
        rows = self._batch_rows(index)
        inputs, *rest = self[index]
        names = np.asarray(self.labels, dtype=object)
        labels = None if self.y is None else [names[row].tolist() for row in self.y[rows]]
        y, weight = (*rest, None, None)[:2]
        return Batch(inputs, y, weight, take_rows(self.raw, rows), labels)

    def encode_rows(
        self, rows: NDArray[np.intp], modalities: Sequence[str] | None = None
    ) -> dict[str, NDArray[Any]]:
        """Return the inputs of the model for some rows, without augmentation.

        Parameters
        ----------
        rows : ndarray of shape (n,)
            Row numbers, from 0.
        modalities : sequence of str, optional
            Modalities to encode. Default: all, and which rows have the optional ones.

        Returns
        -------
        dict of str to ndarray of shape (n, ...)
            Features from the store, or encoded rows, by input.
        """
        names = self._rows if modalities is None else modalities
        inputs = {name: self._rows[name].take(rows) for name in names}
        return inputs | self._presence(rows) if modalities is None else inputs

    def feature_matrix(self, modality: str) -> Any:
        """Return the features of all rows as vectors.

        Parameters
        ----------
        modality : str
            Name of one of the encoders.

        Returns
        -------
        ndarray or sparse matrix of shape (n_samples, n_features)
            Stored features, or encoded rows; zeros where the modality is missing.
        """
        return self._rows[modality].matrix()

    def present(self, modality: str) -> NDArray[np.bool_]:
        """Return which rows have a modality.

        Parameters
        ----------
        modality : str
            Name of an encoder.

        Returns
        -------
        ndarray of shape (n_samples,)
            False where it is missing.
        """
        return self._present[modality]

    def has_features_of(self, encoder: Encoder) -> bool:
        """Return whether the features are the output of the layers that are now frozen.

        Parameters
        ----------
        encoder : Encoder
            One of the encoders.

        Returns
        -------
        bool
            False if layers were frozen or unfrozen after the data set was made.
        """
        source = self._rows[encoder.name]
        return isinstance(source, StoredRows | FileRows) and source.is_current()

    # -- internals ---------------------------------------------------------------------------

    def _batch_rows(self, index: int) -> NDArray[np.intp]:
        if not 0 <= index < len(self):
            msg = f"There are {len(self)} batches, numbered from 0. Received index {index}."
            raise IndexError(msg)
        return self._order.rows(index * self.batch_size, (index + 1) * self.batch_size)

    def _presence(self, rows: NDArray[np.intp]) -> dict[str, NDArray[np.float32]]:
        """Return the inputs that are 1 where a row has an optional modality, else 0."""
        names = [encoder.name for encoder in self.encoders if encoder.optional]
        return {presence_name(n): self._present[n][rows, None].astype(np.float32) for n in names}

    def _draw(self, number: int) -> tuple[RowOrder, dict[str, NDArray[np.intp]]]:
        """Return the order of rows in a pass and the augmented view of each row."""
        # From the seed and the pass alone, so that any pass can be repeated.
        generator = np.random.default_rng([self.seed, number])
        n = self.n_samples
        order: RowOrder
        if not self.shuffle:
            order = SequentialOrder(n)
        elif self._blocks_per_group is None:
            order = FullOrder(generator.permutation(n))
        else:
            order = BlockOrder(
                n,
                rows_per_block=ROWS_PER_BLOCK,
                blocks_per_group=self._blocks_per_group,
                seed=[self.seed, number],
            )
        views = {
            encoder.name: generator.integers(encoder.augmentation.views, size=n)
            for encoder in self.encoders
            if self.augment and encoder.augmentation is not None
        }
        return order, views


def _read_y(y: Any, n_rows: int) -> tuple[NDArray[np.bool_] | None, NDArray[np.bool_] | None]:
    if y is None:
        return None, None
    labels, known = read_known_labels(y, name="y")
    if len(labels) != n_rows:
        msg = f"y must have one row for each row of the data ({n_rows}). Received {len(labels)}."
        raise ValueError(msg)
    return labels, known
