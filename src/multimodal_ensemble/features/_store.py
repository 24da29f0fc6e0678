"""The store of features of frozen backbones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import multimodal_ensemble.features._upkeep as upkeep
from multimodal_ensemble._validation import check_at_least, check_choice
from multimodal_ensemble.encoders import Encoder, as_encoder_list, present_values
from multimodal_ensemble.exceptions import FeatureStoreError
from multimodal_ensemble.features._choose_dtype import choose_dtypes, choose_known_dtype
from multimodal_ensemble.features._compute_dtype import COMPUTE_DTYPES
from multimodal_ensemble.features._compute_features import compute_features
from multimodal_ensemble.features._entry import StoreEntry
from multimodal_ensemble.features._folder import open_folder
from multimodal_ensemble.features._leases import Lease
from multimodal_ensemble.features._request import (
    Request,
    check_limit,
    entry_keys,
    frozen_backbone,
    make_request,
)
from multimodal_ensemble.features._shards import ShardFolder, ShardVanishedError

# Other processes may prune features that this one is about to read, but rarely repeatedly.
_TRIES = 5


class FeatureStore:
    """Features of frozen backbones on disk, computed once for each distinct content.

    Features are stored under a key of everything that they depend on: the structure and weights of
    the frozen layers, the way files are read, and the content of each file. They never go stale,
    and models with equal backbones share them.

    Any number of processes may use one folder at once, also on several machines that share a file
    system. Inside ``joblib.parallel_config(...)``, joblib's workers compute the features.

    Parameters
    ----------
    folder : path
        Folder of the store, created if it does not exist.
    batch_size : int, default=32
        Number of rows that go through the backbone at once.
    dtype : {"float16", "float32"}, default="float16"
        ``"float16"`` keeps 11 significant bits, ``"float32"`` all. They are returned as float32.
    compute_dtype : {"auto", "float32", "bfloat16"}, default="auto"
        Dtype in which the backbone computes. ``"bfloat16"`` keeps 8 significant bits in each layer,
        and takes about half the time on processors that multiply it (AVX512-BF16 or AMX).
        ``"auto"`` takes it on such a processor, without a GPU, for 256 rows or more, if no layer
        is a depthwise convolution and the features of the first 8 rows have a cosine of at least
        0.9999 with those in float32. An existing entry of the store is continued as it was begun.
    max_bytes : int, optional
        Maximum size of the files of the store: new features replace the least recently used ones.
        Processes that fill the store at once may exceed it until they end, because none removes
        what another one needs. Default: no limit.

    Raises
    ------
    FeatureStoreError
        If the folder is neither empty nor a feature store.
    ValueError
        If an option is out of range.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from multimodal_ensemble import FeatureStore, ImageEncoder
    >>> encoder = ImageEncoder("poster", backbone="MobileNet", weights=None, image_size=32)
    >>> images = [np.full((40, 30, 3), level, dtype="uint8") for level in (0, 200, 0)]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = FeatureStore(folder)
    ...     features = store.get_features(encoder, images, verbose=0)
    ...     n_uncomputed = store.count_uncomputed(encoder, images)
    >>> features.shape, n_uncomputed
    ((3, 1024), 0)
    """

    def __init__(
        self,
        folder: str | PathLike[str],
        *,
        batch_size: int = 32,
        dtype: str = "float16",
        compute_dtype: str = "auto",
        max_bytes: int | None = None,
    ) -> None:
        check_at_least(batch_size, 1, name="batch_size")
        check_choice(dtype, ("float16", "float32"), name="dtype")
        check_choice(compute_dtype, COMPUTE_DTYPES, name="compute_dtype")
        if max_bytes is not None:
            check_at_least(max_bytes, 1, name="max_bytes")
        self.folder = Path(folder).expanduser()
        self.batch_size = batch_size
        self.dtype = dtype
        self.compute_dtype = compute_dtype
        self.max_bytes = max_bytes
        self._opened: dict[str, ShardFolder] = {}
        open_folder(self.folder)

    def __repr__(self) -> str:
        """Return the call that creates this store."""
        return (
            f"FeatureStore({str(self.folder)!r}, batch_size={self.batch_size}, "
            f"dtype={self.dtype!r}, compute_dtype={self.compute_dtype!r}, "
            f"max_bytes={self.max_bytes})"
        )

    def get_features(
        self, encoder: Encoder, values: Any, *, view: int | None = None, verbose: int = 1
    ) -> NDArray[np.float32]:
        """Return the features of values, and compute those that are not in the store.

        An interrupted call keeps the features computed so far, and a new call continues from them.

        Parameters
        ----------
        encoder : Encoder
            A fitted encoder with a backbone whose first layers are frozen.
        values : sequence of length n
            Raw values.
        view : int, optional
            Number of the augmented view of each value, from 0. Default: the plain value.
        verbose : {0, 1}, default=1
            Whether a progress bar shows the number of images per second.

        Returns
        -------
        ndarray of shape (n, ...)
            The output of the encoder's `frozen_part`, float32; zeros where a value is missing.

        Raises
        ------
        ModalityError
            If the encoder has no backbone, one whose first layers are trained, or no such view; or
            if its backbone returns NaN or infinite features.
        FeatureStoreError
            If a file of the store is damaged or cannot be written, or if these features alone
            exceed `max_bytes`; the message gives a remedy.
        ImageReadError
            If an image cannot be read.
        """
        ((features,),) = self._read([self._request(encoder, values, [view])], verbose)
        return np.asarray(features)

    def compute_features(
        self, encoders: Sequence[Encoder], data: Any, *, augment: bool = False, verbose: int = 1
    ) -> int:
        """Compute the features of several encoders that are not in the store.

        Each image is decoded once for all encoders that read it in the same way, and for all views.
        Memory use does not grow with the data.

        Parameters
        ----------
        encoders : sequence of Encoder
            Fitted encoders; those without frozen layers are skipped.
        data : DataFrame or mapping of str to sequence
            The raw columns.
        augment : bool, default=False
            Whether to compute the features of augmented views also.
        verbose : {0, 1}, default=1
            Whether a progress bar is shown.

        Returns
        -------
        int
            Number of rows that went through a backbone.

        Raises
        ------
        ModalityError, FeatureStoreError, ImageReadError
            In the same cases as `get_features`.
        """
        distinct = {id(encoder): encoder for encoder in encoders}.values()
        requests = self._requests(distinct, data, augment=augment)
        requests = choose_dtypes(requests, verbose)
        with self._lease() as lease:
            return self._compute(requests, lease, verbose)

    def load_features(
        self, encoders: Sequence[Encoder], data: Any, *, augment: bool = False, verbose: int = 1
    ) -> dict[str, NDArray[np.float32]]:
        """Return the features of several encoders, and compute those that are not in the store.

        Parameters
        ----------
        encoders : sequence of Encoder
            Fitted encoders with distinct names; those without frozen layers are skipped.
        data : DataFrame or mapping of str to sequence
            The raw columns.
        augment : bool, default=False
            Whether to return the features of augmented views also.
        verbose : {0, 1}, default=1
            Whether a progress bar is shown.

        Returns
        -------
        dict of str to ndarray of shape (1 + views, n, ...)
            By modality: the features of the plain values, then those of each augmented view. Zeros
            where an optional modality is missing.

        Raises
        ------
        ModalityError, FeatureStoreError, ImageReadError
            As `get_features` does.
        """
        requests = self._requests(as_encoder_list(encoders), data, augment=augment)
        names = [request.rows.reader.name for request in requests]
        return dict(zip(names, self._read(requests, verbose), strict=True))

    def count_uncomputed(self, encoder: Encoder, values: Any, *, view: int | None = None) -> int:
        """Return the number of distinct values whose features are not in the store.

        Parameters
        ----------
        encoder : Encoder
            A fitted encoder with a backbone whose first layers are frozen.
        values : sequence
            Raw values.
        view : int, optional
            Number of the augmented view. Default: the plain value.

        Returns
        -------
        int
            Number of distinct contents that `get_features` would compute.
        """
        return len(self._request(encoder, values, [view]).find_uncomputed())

    # -- maintenance -------------------------------------------------------------------------

    @property
    def n_bytes(self) -> int:
        """Size of all files of the store, in bytes."""
        return upkeep.count_bytes(self.folder)

    def entries(self) -> list[StoreEntry]:
        """Return one entry per backbone, the most recently used first.

        Returns
        -------
        list of StoreEntry
            ``pandas.DataFrame(store.entries())`` is a table of them.

        Raises
        ------
        FeatureStoreError
            If a file is damaged; see `verify`.
        """
        return upkeep.list_entries(self.folder)

    def verify(self, *, remove: bool = False) -> dict[Path, str]:
        """Read and check every file of features, and find the leftovers of killed processes.

        Parameters
        ----------
        remove : bool, default=False
            Whether to delete these files; the features are recomputed when needed.

        Returns
        -------
        dict of Path to str
            The damaged files with the damage of each, and leftovers that no process needs.
        """
        return upkeep.verify(self.folder, remove=remove)

    def prune(
        self,
        *,
        max_bytes: int | None = None,
        unused_for: timedelta | None = None,
        keys: Iterable[str] = (),
    ) -> int:
        """Remove features, and the unfinished files of killed processes.

        Only files that the store has written are removed, and none that a running pass of this or
        another process needs. An unfinished file is removed when its process does not run any more;
        if it ran on another machine, a day after the last change.

        Parameters
        ----------
        max_bytes : int, optional
            Remove the least recently used features until the store is no larger than this.
        unused_for : timedelta, optional
            Remove features that were neither read nor written for this long.
        keys : iterable of str, default=()
            Remove all features of these entries; see `StoreEntry`.

        Returns
        -------
        int
            Number of removed bytes.

        Raises
        ------
        FeatureStoreError
            If the store has no such entry.
        ValueError
            If `max_bytes` or `unused_for` is negative or of another type.
        """
        return upkeep.prune(self.folder, max_bytes=max_bytes, unused_for=unused_for, keys=keys)

    def forget_index(self) -> None:
        """Free the memory that the index takes, about 24 bytes per row of the store.

        The next call reads the index again, which takes about a second per 200,000 rows.
        """
        self._opened = {}

    # -- internals ---------------------------------------------------------------------------

    def _requests(self, encoders: Iterable[Encoder], data: Any, *, augment: bool) -> list[Request]:
        """Return one request per encoder with frozen layers."""
        requests = []
        for encoder in encoders:
            if encoder.frozen_part() is None:
                continue
            has_views = augment and encoder.augmentation is not None
            views = [None, *(range(encoder.augmentation.views) if has_views else ())]
            values, present = present_values(encoder, encoder.select(data))
            requests.append(self._request(encoder, values, views, present))
        return requests

    def _request(
        self,
        encoder: Encoder,
        values: Any,
        views: Sequence[int | None],
        present: NDArray[np.bool_] | None = None,
    ) -> Request:
        backbone = frozen_backbone(encoder)
        if present is None:
            values, present = present_values(encoder, values)
        shards, others = (
            self._opened.setdefault(key, ShardFolder(self.folder / key, self.dtype))
            for key in entry_keys(backbone, encoder, self.dtype)
        )
        request = make_request(encoder, backbone, shards, values, views, present)
        return choose_known_dtype(request, others, self.compute_dtype)

    def _read(self, requests: Sequence[Request], verbose: int) -> list[NDArray[np.float32]]:
        """Return all features by request and variant, and compute those not in the store."""
        requests = choose_dtypes(requests, verbose)
        with self._lease() as lease:
            for _ in range(_TRIES):
                self._compute(requests, lease, verbose)
                try:
                    return [request.read() for request in requests]
                except ShardVanishedError:
                    # Features vanished between the lookup and the reading, or are not usable.
                    continue
        msg = (
            f"Features vanish from {str(self.folder)!r} faster than they are read: other processes "
            "prune the store, or max_bytes is too small for all processes that use it."
        )
        raise FeatureStoreError(msg)

    @contextmanager
    def _lease(self) -> Iterator[Lease]:
        """Protect features from being pruned until the end of a call."""
        if not self.folder.exists():
            # The store was deleted after it was opened.
            open_folder(self.folder)
        with Lease(self.folder) as lease:
            yield lease
            has_computed = lease.is_held
        if has_computed:
            # Features that were protected until now may exceed the limit.
            upkeep.keep_within(self.folder, self.max_bytes)

    def _compute(self, requests: Sequence[Request], lease: Lease, verbose: int) -> int:
        if self.max_bytes is not None:
            check_limit(requests, self.max_bytes, np.dtype(self.dtype).itemsize)
        return compute_features(
            requests,
            folder=self.folder,
            lease=lease,
            batch_size=self.batch_size,
            max_bytes=self.max_bytes,
            verbose=verbose,
        )
