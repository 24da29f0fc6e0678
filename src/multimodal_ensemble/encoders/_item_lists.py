"""Rows that are lists of items, such as the photos of a product."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._tables import as_object_array
from multimodal_ensemble.encoders._printed_lists import read_strings
from multimodal_ensemble.encoders._token_encoder import is_count
from multimodal_ensemble.exceptions import ImageReadError, ModalityError

# What fills the places behind the last item of a list. No pixel and no token id is -1.
PADDING = -1


@dataclass(frozen=True, eq=False)
class ItemLists:
    """The lists of some rows: each distinct item once, and the items of each row.

    ``lists[rows]`` are the lists of some rows, as `Encoder.prepare` demands of what it returns.

    Parameters
    ----------
    items : ndarray of shape (n_items,)
        Distinct items. Each is in at least one row.
    index : ndarray of shape (n_places,)
        The lists one after another, as positions in `items`.
    counts : ndarray of shape (n_rows,)
        Length of each list.

    Examples
    --------
    >>> from multimodal_ensemble.encoders import ItemLists
    >>> lists = ItemLists.read([["a.jpg", "b.jpg"], ["a.jpg"]], modality="photos")
    >>> lists.items.tolist(), lists.index.tolist(), lists.counts.tolist()
    (['a.jpg', 'b.jpg'], [0, 1, 0], [2, 1])
    >>> lists.pool([[1.0], [3.0]], "mean").tolist()
    [[2.0], [1.0]]
    """

    items: NDArray[Any]
    index: NDArray[np.intp]
    counts: NDArray[np.intp]

    @classmethod
    def read(cls, values: Any, *, modality: str, delimiter: str | None = None) -> Self:
        """Read one list per row.

        Parameters
        ----------
        values : sequence of length n_rows
            A list, tuple or array of items per row, or a mapping from item to its number of places.
            Lists of strings may also be text, such as ``'["a.jpg", "b.jpg"]'``.
        modality : str
            Name of the modality, for messages.
        delimiter : str, optional
            Splits values that are strings, and no lists as text.

        Returns
        -------
        ItemLists
            Items that are equal strings, paths or bytes, or the same object, are one item.

        Raises
        ------
        ModalityError
            If the value of a row is not a list; the message names the row.
        """
        positions: dict[Any, int] = {}
        items: list[Any] = []
        index: list[int] = []
        counts: list[int] = []
        for row, value in enumerate(values):
            listed = _as_list(value, delimiter)
            if listed is None:
                msg = (
                    f"Modality {modality!r} takes a list of items per row, or a mapping from item "
                    f"to count. Received {value!r:.80} ({type(value).__name__}) in row {row}. Put "
                    "a single item in a list, or pass items=None for one item per row."
                )
                raise ModalityError(msg, row=row)
            counts.append(len(listed))
            for item in listed:
                is_text = isinstance(item, str | bytes | os.PathLike)
                key = item if is_text else id(item)
                if key not in positions:
                    positions[key] = len(items)
                    # It also keeps the object, so that no other one gets its id.
                    items.append(item)
                index.append(positions[key])
        return cls(as_object_array(items), np.array(index, np.intp), np.array(counts, np.intp))

    @property
    def shape(self) -> tuple[int]:
        """Number of rows, as the shape of an array."""
        return (len(self.counts),)

    def __getitem__(self, rows: Any) -> ItemLists:
        """Return the lists of some rows, in the given order."""
        rows = np.asarray(rows)
        counts = self.counts[rows]
        places = self._starts[rows] - (np.cumsum(counts) - counts)
        return self._use(np.repeat(places, counts) + np.arange(counts.sum()), counts)

    @property
    def rows(self) -> NDArray[np.intp]:
        """Row of each place, of shape (n_places,)."""
        return np.repeat(np.arange(len(self.counts)), self.counts)

    @property
    def places(self) -> NDArray[np.intp]:
        """Number of each place in its list, from 0, of shape (n_places,)."""
        numbers: NDArray[np.intp] = np.arange(len(self.index)) - self._starts[self.rows]
        return numbers

    @property
    def first_places(self) -> NDArray[np.intp]:
        """First place of each item, of shape (n_items,)."""
        _, first = np.unique(self.index, return_index=True)
        return first

    @property
    def first_rows(self) -> NDArray[np.intp]:
        """First row of each item, of shape (n_items,)."""
        return self.rows[self.first_places]

    def without(self, items: NDArray[np.bool_]) -> ItemLists:
        """Return the lists without some items.

        Parameters
        ----------
        items : ndarray of shape (n_items,)
            True for the items to leave out.

        Returns
        -------
        ItemLists
            Lists of the same rows, some of which may be empty.
        """
        return self._keep(~items[self.index]) if items.any() else self

    def shortened(self, max_items: int) -> ItemLists:
        """Return the first items of each list.

        Parameters
        ----------
        max_items : int
            Maximum number of items per list.

        Returns
        -------
        ItemLists
            Lists of the same rows.
        """
        return self._keep(self.places < max_items)

    def reasons_by_row(self, reasons: Mapping[int, str]) -> dict[int, str]:
        """Return why rows are left out because of an item.

        Parameters
        ----------
        reasons : mapping of int to str
            Reasons by position in `items`.

        Returns
        -------
        dict of int to str
            The first reason of each row, and the place of the item in its list.
        """
        found: dict[int, str] = {}
        for row, place, item in zip(
            self.rows.tolist(), self.places.tolist(), self.index.tolist(), strict=True
        ):
            if item in reasons:
                found.setdefault(row, f"item {place} (from 0) of its list: {reasons[item]}")
        return found

    def pad(self, encoded: NDArray[Any]) -> NDArray[Any]:
        """Return encoded items by row, with -1 in the places behind the last item of a list.

        Parameters
        ----------
        encoded : ndarray of shape (n_items, ...)
            One encoded item each.

        Returns
        -------
        ndarray of shape (n_rows, n_longest, ...)
            Of a dtype that has negative numbers; ``n_longest`` is at least 1.
        """
        shape = (len(self.counts), max(1, self.counts.max(initial=0)), *encoded.shape[1:])
        padded = np.full(shape, PADDING, dtype=np.result_type(encoded.dtype, np.int8))
        padded[self.rows, self.places] = encoded[self.index]
        return padded

    def pool(
        self, features: Any, kind: str, *, max_items: int | None = None
    ) -> NDArray[np.float32]:
        """Return the features of each row from those of the items.

        Parameters
        ----------
        features : array-like of shape (n_items, n_features)
            Features of `items`.
        kind : {"mean", "max", "attention"}
            As in `PoolItems`.
        max_items : int, optional
            Places per row, for ``"attention"``. Default: the length of the longest list.

        Returns
        -------
        ndarray of shape (n_rows, n_features) or (n_rows, max_items, n_features + 1)
            Zeros for an empty list.
        """
        features = np.asarray(features, dtype=np.float32)
        longest = self.counts.max(initial=0)
        n_rows, n_features = len(self.counts), features.shape[1]
        shape: tuple[int, ...] = (n_rows, n_features)
        if kind == "attention":
            shape = (n_rows, longest if max_items is None else max_items, n_features + 1)
        pooled = np.zeros(shape, dtype=np.float32)
        starts = self._starts
        # Place by place, so that the features of all places are never in memory at once.
        for place in range(longest):
            rows = np.flatnonzero(self.counts > place)
            here = features[self.index[starts[rows] + place]]
            if kind == "attention":
                pooled[rows, place, :-1] = here
                pooled[rows, place, -1] = 1
            elif kind == "max" and place:
                pooled[rows] = np.maximum(pooled[rows], here)
            else:
                pooled[rows] += here
        if kind == "mean":
            pooled /= np.maximum(self.counts, 1)[:, np.newaxis]
        return pooled

    @contextmanager
    def locating_errors(self) -> Iterator[None]:
        """Name the row and the place of an item in an error that has its position in `items`.

        Yields
        ------
        None
            For the block that may raise a ModalityError or an ImageReadError.
        """
        try:
            yield
        except (ModalityError, ImageReadError) as error:
            if error.row is not None and error.row < len(self.items):
                place = self.first_places[error.row]
                before, found, after = str(error).rpartition(f"in row {error.row}")
                error.row = int(self.rows[place])
                where = f"item {self.places[place]} (from 0) of the list in row {error.row}"
                error.args = (f"{before}as {where}{after}" if found else f"{after} It is {where}.",)
            raise

    @property
    def _starts(self) -> NDArray[np.intp]:
        starts: NDArray[np.intp] = np.cumsum(self.counts) - self.counts
        return starts

    def _keep(self, kept: NDArray[np.bool_]) -> ItemLists:
        counts = np.bincount(self.rows[kept], minlength=len(self.counts))
        return self._use(np.flatnonzero(kept), counts)

    def _use(self, places: NDArray[np.intp], counts: NDArray[np.intp]) -> ItemLists:
        used, index = np.unique(self.index[places], return_inverse=True)
        return ItemLists(self.items[used], index.astype(np.intp), counts)


def _as_list(value: Any, delimiter: str | None) -> Any:
    """Return the items of a list in order, or None if the value is no list."""
    if isinstance(value, str):
        listed = read_strings(value)
        if listed is None and delimiter is not None:
            listed = [part.strip() for part in value.split(delimiter) if part.strip()]
        return listed
    if isinstance(value, Mapping):
        if not all(map(is_count, value.values())):
            return None
        return [item for item, count in value.items() for _ in range(int(count))]
    if isinstance(value, np.ndarray):
        # An array of numbers with fewer axes may be a single image.
        is_list = value.ndim == 4 or (value.ndim == 1 and value.dtype.kind in "OU")
    else:
        is_list = isinstance(value, list | tuple)
    return value if is_list else None
