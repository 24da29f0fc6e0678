"""Encoders of items, or of lists of items."""

from __future__ import annotations

import copy
import hashlib
from abc import abstractmethod
from collections.abc import Callable
from typing import Any, Self

import keras
import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._layer_names import backbone_name, head_name
from multimodal_ensemble._tables import counted, locating_errors
from multimodal_ensemble._validation import check_at_least, check_choice
from multimodal_ensemble._warnings import warn
from multimodal_ensemble.encoders._columns import check_single_column
from multimodal_ensemble.encoders._encoder import Encoder
from multimodal_ensemble.encoders._item_layers import (
    ITEM_POOLINGS,
    AttentionPooling,
    FoldItems,
    PoolItems,
)
from multimodal_ensemble.encoders._item_lists import ItemLists
from multimodal_ensemble.encoders._layers import InferenceModel
from multimodal_ensemble.exceptions import ModalityError

# A file of a few bytes must not make a model allocate memory for more.
_MOST_ITEMS = 256


class ItemsEncoder(Encoder):
    """An encoder with a frozen backbone for one item per row or, with `items`, for a list of them.

    A subclass defines how one item is encoded, in the methods that end in ``_items``. This class
    turns lists into items and the features of items into features of rows. A feature store keeps
    the features of items, under the same keys as those of an encoder without `items`.

    Parameters
    ----------
    name : str
        Name of the modality.
    column : str, optional
        The column of the data. Default: `name`.
    head : callable, optional
        The trainable layers; see `Encoder`.
    optional : bool, default=False
        Whether rows may lack this modality; see `Encoder`. A row with an empty list lacks it.
    items : {None, "mean", "max", "attention"}, default=None
        None for one item per row. Otherwise each value is a list of items, and the features of a
        row are the mean or the maximum over its items, or `AttentionPooling` learns the weights of
        a mean.
    max_items : int, default=8
        Maximum number of items per row with ``items="attention"``. Further items are left out, with
        a warning.

    Raises
    ------
    ModalityError
        If `column` is a list.
    ValueError
        If an option is out of range.

    See Also
    --------
    ImageEncoder : Images, or lists of images.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble import ImageEncoder
    >>> photos = ImageEncoder(
    ...     "photos", backbone="MobileNet", weights=None, image_size=32, items="mean")
    >>> dark, light = np.zeros((9, 9), dtype="uint8"), np.full((9, 9), 200, dtype="uint8")
    >>> photos.encode([[dark, light], [dark]]).shape
    (2, 2, 32, 32, 3)
    >>> photos.feature_shape
    (1024,)
    """

    items: str | None = None
    max_items: int = 8
    # Splits strings into items, in a subclass whose constructor has such an argument.
    delimiter: str | None = None
    reads_missing = True

    def __init__(
        self,
        name: str,
        *,
        column: str | None = None,
        head: Callable[[tuple[int, ...]], keras.Layer] | None = None,
        optional: bool = False,
        items: str | None = None,
        max_items: int = 8,
    ) -> None:
        super().__init__(name, column=column, head=head, optional=optional)
        check_single_column(column, modality=name)
        check_choice(items, (None, *ITEM_POOLINGS), name="items")
        check_at_least(max_items, 1, name="max_items")
        if max_items > _MOST_ITEMS:
            msg = f"max_items must be at most {_MOST_ITEMS}. Received max_items={max_items!r}."
            raise ValueError(msg)
        self.items = items
        self.max_items = max_items
        self._list_backbone: keras.Model | None = None

    # -- what a subclass must override -------------------------------------------------------

    @property
    @abstractmethod
    def _item_shape(self) -> tuple[int | None, ...]:
        """Shape of one encoded item."""

    @abstractmethod
    def _encode_items(self, items: Any) -> NDArray[Any]:
        """Turn n items into an array of shape ``(n, *item_shape)``; none may be -1 throughout."""

    @abstractmethod
    def _get_item_backbone(self) -> keras.Model:
        """Return the frozen network from encoded items to one feature vector per item."""

    # -- what a subclass may override --------------------------------------------------------

    def _digest_items(self, items: Any) -> list[bytes]:
        """Return what identifies the content of each item."""
        return super().content_digests(items)

    def _find_unusable_items(self, items: Any) -> dict[int, str]:
        """Return the positions of items whose rows are left out, with reasons."""
        return super().find_unusable(items)

    def _find_missing_items(self, items: Any) -> NDArray[np.bool_]:
        """Return which items of lists are missing; the lists are used without them."""
        return np.zeros(len(items), dtype=bool)

    # -- the contract of an encoder ----------------------------------------------------------

    @property
    def input_shape(self) -> tuple[Any, ...]:
        """Shape of an encoded item; with `items`, None for the number of items in front of it."""
        return self._item_shape if self.items is None else (None, *self._item_shape)

    def prepare(self, values: Any) -> Any:
        """Return the raw values as an object array or, with `items`, as `ItemLists`.

        A warning counts the lists of which only the first `max_items` items are used.

        Parameters
        ----------
        values : sequence of length n
            Items; lists of items with `items`.

        Returns
        -------
        ndarray of shape (n,), object, or ItemLists of n rows
            The same items.
        """
        if self.items is None:
            return super().prepare(values)
        lists = self._read_lists(values)
        n_long = int((lists.counts > self.max_items).sum())
        if n_long and self.items == "attention":
            warn(
                f"Modality {self.name!r}: {counted(n_long, 'row')} of {len(lists.counts)} have "
                f"more than max_items={self.max_items} items, at most {lists.counts.max()}. The "
                f"first {self.max_items} of each row are used; raise max_items to use more."
            )
        return self._shorten(lists)

    def encode(self, values: Any) -> NDArray[Any]:
        """Encode items or, with `items`, lists of them.

        Lists become an array of shape ``(n, n_longest, *item_shape)`` with -1 in the places behind
        the last item of a list.

        Parameters
        ----------
        values : sequence of length n
            Raw values, or rows of what `prepare` returned.

        Returns
        -------
        ndarray of shape (n, ...)
            Encoded items, or lists of them.
        """
        if self.items is None:
            return self._encode_items(list(values))
        lists = self.list_items(values)
        with lists.locating_errors():
            return lists.pad(self._encode_items(lists.items))

    def content_digests(self, values: Any) -> list[bytes]:
        """Return a digest of the content of each item or list.

        Parameters
        ----------
        values : array-like of length n
            What `prepare` returned.

        Returns
        -------
        list of n bytes
            SHA-256 digests.
        """
        if self.items is None:
            return self._digest_items(list(values))
        lists = self.list_items(values)
        with lists.locating_errors():
            digests = self._digest_items(lists.items)
        contents = [hashlib.sha256() for _ in lists.counts]
        for row, item in zip(lists.rows, lists.index, strict=True):
            contents[row].update(digests[item])
        return [content.digest() for content in contents]

    def find_unusable(self, values: Any) -> dict[int, str]:
        """Return the rows that are left out because of an item, with reasons.

        Parameters
        ----------
        values : sequence of length n
            Items; lists of items with `items`.

        Returns
        -------
        dict of int to str
            Reason by position of the row.
        """
        if self.items is None:
            return self._find_unusable_items(list(values))
        lists = self._split_lists(values)
        return lists.reasons_by_row(self._find_unusable_items(lists.items))

    def find_missing(self, values: Any) -> NDArray[np.bool_]:
        """Return which values are missing; with `items`, also lists without any item to use.

        Parameters
        ----------
        values : sequence of length n
            Items; lists of items with `items`.

        Returns
        -------
        ndarray of shape (n,), bool
            True where there is nothing to encode.
        """
        values = list(values)
        missing = super().find_missing(values)
        present = np.flatnonzero(~missing)
        given = [values[position] for position in present]
        if self.items is None:
            missing[present] = self._find_missing_items(given)
        else:
            with locating_errors(present):
                lists = self._split_lists(given)
            lists = lists.without(self._find_missing_items(lists.items))
            missing[present] = lists.counts == 0
        return missing

    def get_backbone(self) -> keras.Model:
        """Return the network from encoded items, or lists of them, to features.

        With `items`, it folds the items of all rows into one batch, runs the network of a single
        item on it, and pools the features of each row.

        Returns
        -------
        keras.Model
            Maps ``(n, *input_shape)`` to features of shape ``(n, *feature_shape)``.
        """
        network = self._get_item_backbone()
        if self.items is None:
            return network
        known = self._list_backbone
        if known is None or not any(layer is network for layer in known.layers):
            lists = keras.Input(self.input_shape, dtype=self.input_dtype, name="lists")
            items, presence = FoldItems(name="fold")(lists)
            # Sums of many items are too large for half precision.
            pool = PoolItems(self.items, self.max_items, name="pool", dtype="float32")
            known = InferenceModel(
                lists, pool([network(items), presence]), name=backbone_name(self.name)
            )
            self._list_backbone = known
        return known

    def build_head(self) -> keras.Layer:
        """Return new trainable layers; with ``items="attention"``, the attention comes first.

        Returns
        -------
        keras.Layer or keras.Model
            Maps ``(n, *feature_shape)`` to an embedding of shape ``(n, n_units)``.
        """
        if self.items != "attention":
            return super().build_head()
        head = self.item_encoder().build_head()
        head.name = "embedding"
        layers = [AttentionPooling(name="attention", dtype="float32"), head]
        return keras.Sequential(layers, name=head_name(self.name))

    # -- what a feature store needs ----------------------------------------------------------

    def item_encoder(self) -> Self:
        """Return the encoder of single items, which shares the network with this one.

        Returns
        -------
        ItemsEncoder
            A copy with ``items=None``.
        """
        # Build it here, so that the copy does not build one of its own.
        self._get_item_backbone()
        encoder = copy.copy(self)
        encoder.items = None
        encoder._list_backbone = None
        return encoder

    def list_items(self, values: Any) -> ItemLists:
        """Return the items to use of some rows.

        Parameters
        ----------
        values : sequence of length n
            One list per row, or rows of what `prepare` returned.

        Returns
        -------
        ItemLists
            At least one item per row; with ``items="attention"``, at most `max_items`.

        Raises
        ------
        ModalityError
            If a value is not a list, or no item of a row can be used; the message names the row.
        """
        return values if isinstance(values, ItemLists) else self._shorten(self._read_lists(values))

    def pool_items(self, features: NDArray[np.float32], lists: ItemLists) -> NDArray[np.float32]:
        """Return the features of rows from those of their items, as the backbone does.

        Parameters
        ----------
        features : ndarray of shape (n_items, n_features)
            Features of ``lists.items``.
        lists : ItemLists
            What `list_items` returned.

        Returns
        -------
        ndarray of shape (n, ...)
            Features of the rows.
        """
        return lists.pool(features, str(self.items), max_items=self.max_items)

    def _split_lists(self, values: Any) -> ItemLists:
        return ItemLists.read(values, modality=self.name, delimiter=self.delimiter)

    def _read_lists(self, values: Any) -> ItemLists:
        """Return at least one item per row, or raise a ModalityError that names the row."""
        lists = self._split_lists(values)
        lists = lists.without(self._find_missing_items(lists.items))
        if not lists.counts.all():
            row = int(np.argmin(lists.counts))
            msg = (
                f"Modality {self.name!r} has no item in row {row}. Pass optional=True to the "
                "encoder, so that such rows lack the modality, or leave the row out."
            )
            raise ModalityError(msg, row=row)
        return lists

    def _shorten(self, lists: ItemLists) -> ItemLists:
        return lists.shortened(self.max_items) if self.items == "attention" else lists
