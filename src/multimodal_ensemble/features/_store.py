"""The store of frozen backbones' features."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import timedelta
from os import PathLike
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._validation import check_at_least, check_choice
from multimodal_ensemble.encoders import Encoder, as_encoder_list, present_values
from multimodal_ensemble.exceptions import FeatureStoreError
from multimodal_ensemble.features import _upkeep
from multimodal_ensemble.features._entry import StoreEntry
from multimodal_ensemble.features._fill import fill
from multimodal_ensemble.features._fingerprint import model_fingerprint
from multimodal_ensemble.features._folder import open_folder
from multimodal_ensemble.features._request import Request, frozen_backbone, make_request
from multimodal_ensemble.features._shards import ShardFolder, ShardVanishedError

# Other processes may prune what this one is about to read, but hardly time and again.
_TRIES = 5


class FeatureStore:
    """Features of frozen backbones on disk, computed once for each distinct content.

    What is kept is looked up by everything that features depend on: the frozen layers' structure
    and the values of their weights, which include the preprocessing, the input size and the
    pooling; how files are read; and the content of each file. So other weights, another size or
    a changed image never meet old features, and models that share a backbone share its features.

    Any number of processes, also on several machines that share a file system, may use one folder
    at once. Inside ``joblib.parallel_config(...)`` features are computed by the workers of the
    engine that it names.

    Parameters
    ----------
    folder : path
        Where features are kept; made if need be. An existing folder must be empty or a feature
        store.
    batch_size : int, default=32
        How many rows go through the backbone at once.
    dtype : {"float16", "float32"}, default="float16"
        How features are kept. ``"float16"`` rounds each to 11 significant bits and takes half the
        space; ``"float32"`` keeps them to the last bit. Either way they are returned as float32.
    max_bytes : int, optional
        Size that the store's files are kept within: features that were not used for longest are
        removed for new ones. Each process that writes may exceed it by one file for a moment.
        Default: no limit.

    Raises
    ------
    FeatureStoreError
        If the folder holds something else than a feature store.
    ValueError
        If an option is out of range.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from multimodal_ensemble import FeatureStore, ImageEncoder
    >>> encoder = ImageEncoder("poster", backbone="MobileNet", weights=None, image_size=32, seed=1)
    >>> images = [np.full((40, 30, 3), level, dtype="uint8") for level in (0, 200, 0)]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = FeatureStore(folder)
    ...     features = store.get_features(encoder, images, verbose=0)
    ...     missing = store.count_missing(encoder, images)
    >>> features.shape, missing
    ((3, 1024), 0)
    """

    def __init__(
        self,
        folder: str | PathLike[str],
        *,
        batch_size: int = 32,
        dtype: str = "float16",
        max_bytes: int | None = None,
    ) -> None:
        check_at_least(batch_size, 1, name="batch_size")
        check_choice(dtype, ("float16", "float32"), name="dtype")
        if max_bytes is not None:
            check_at_least(max_bytes, 1, name="max_bytes")
        self.folder = Path(folder).expanduser()
        self.batch_size = batch_size
        self.dtype = dtype
        self.max_bytes = max_bytes
        self._opened: dict[str, ShardFolder] = {}
        open_folder(self.folder)

    def __repr__(self) -> str:
        """Return the call that makes this store."""
        return (
            f"FeatureStore({str(self.folder)!r}, batch_size={self.batch_size}, "
            f"dtype={self.dtype!r}, max_bytes={self.max_bytes})"
        )

    # -- features ----------------------------------------------------------------------------

    def get_features(
        self, encoder: Encoder, values: Any, *, view: int | None = None, verbose: int = 1
    ) -> NDArray[np.float32]:
        """Return the features of values; those not yet in the store are computed.

        Features are kept as they are computed: a pass that is interrupted goes on where it
        stopped when it is called again.

        Parameters
        ----------
        encoder : Encoder
            A fitted encoder with a backbone whose first layers are frozen.
        values : sequence of length n
            Raw values.
        view : int, optional
            Which augmented view of each value, from 0 to the augmentation's ``views - 1``. Default:
            the plain value.
        verbose : {0, 1}, default=1
            Whether a progress bar shows how many images a second go through the backbone.

        Returns
        -------
        ndarray of shape (n, ...)
            The output of the encoder's `frozen_part`, float32: feature vectors if its backbone is
            frozen, and what goes into the first trained layers otherwise.

        Raises
        ------
        ModalityError
            If the encoder has no backbone, one whose first layers are trained, or no such view; or
            if its backbone gives NaN or infinite features.
        FeatureStoreError
            If a file of the store is damaged or cannot be written, or if these features alone
            exceed `max_bytes`; the message says what can be done.
        ImageReadError
            If an image cannot be read.
        """
        request = self._request(encoder, values, [view])
        ((features,),) = self._collect([request], verbose)
        return np.asarray(features)

    def compute_features(
        self, encoders: Sequence[Encoder], data: Any, *, augment: bool = False, verbose: int = 1
    ) -> int:
        """Compute what the store lacks of several encoders' features, without returning them.

        Encoders that read the same images in the same way share the reading: each image is
        decoded once for all backbones and augmented views. Memory does not grow with the data.

        Parameters
        ----------
        encoders : sequence of Encoder
            Fitted encoders; those without a backbone that could be cached are left out.
        data : DataFrame or mapping of str to sequence
            The raw columns.
        augment : bool, default=False
            Compute the augmented views, too, of encoders that have some.
        verbose : {0, 1}, default=1
            Whether a progress bar is shown.

        Returns
        -------
        int
            How many rows went through a backbone.

        Raises
        ------
        ModalityError, FeatureStoreError, ImageReadError
            As `get_features` does.

        Examples
        --------
        >>> import tempfile
        >>> import numpy as np
        >>> from multimodal_ensemble import FeatureStore, ImageEncoder
        >>> data = {"poster": [np.full((9, 9), level, dtype="uint8") for level in (0, 200)]}
        >>> encoders = [
        ...     ImageEncoder(name, backbone=name, weights=None, image_size=32, column="poster")
        ...     for name in ("MobileNet", "MobileNetV2")]
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     FeatureStore(folder).compute_features(encoders, data, verbose=0)
        4
        """
        distinct = {id(encoder): encoder for encoder in encoders}.values()
        requests = self._requests(distinct, data, augment=augment)
        return self._compute([request for request, _ in requests], verbose)

    def load_features(
        self, encoders: Sequence[Encoder], data: Any, *, augment: bool = False, verbose: int = 1
    ) -> dict[str, NDArray[np.float32]]:
        """Return several encoders' features at once, after `compute_features`.

        Parameters
        ----------
        encoders : sequence of Encoder
            Fitted encoders with distinct names; those without a backbone that could be cached are
            left out.
        data : DataFrame or mapping of str to sequence
            The raw columns.
        augment : bool, default=False
            Return the augmented views, too, of encoders that have some.
        verbose : {0, 1}, default=1
            Whether a progress bar is shown.

        Returns
        -------
        dict of str to ndarray of shape (1 + views, n, ...)
            By modality: the plain values' features, then those of each augmented view, if asked
            for. Zeros where an optional modality is missing.

        Raises
        ------
        ModalityError, FeatureStoreError, ImageReadError
            As `get_features` does.

        Examples
        --------
        >>> import tempfile
        >>> import numpy as np
        >>> from multimodal_ensemble import FeatureStore, ImageEncoder
        >>> poster = ImageEncoder("poster", backbone="MobileNet", weights=None, image_size=32)
        >>> data = {"poster": [np.zeros((9, 9), dtype="uint8")]}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     features = FeatureStore(folder).load_features([poster], data, verbose=0)
        >>> features["poster"].shape
        (1, 1, 1024)
        """
        requests = self._requests(as_encoder_list(encoders), data, augment=augment)
        features = self._collect([request for request, _ in requests], verbose)
        return {
            request.encoder.name: _spread(array, present)
            for (request, present), array in zip(requests, features, strict=True)
        }

    def count_missing(self, encoder: Encoder, values: Any, *, view: int | None = None) -> int:
        """Return how many distinct values `get_features` would have to compute.

        Parameters
        ----------
        encoder : Encoder
            A fitted encoder with a backbone whose first layers are frozen.
        values : sequence
            Raw values.
        view : int, optional
            Which augmented view. Default: the plain value.

        Returns
        -------
        int
            Number of distinct contents without features.
        """
        return len(self._request(encoder, values, [view]).missing())

    # -- upkeep ------------------------------------------------------------------------------

    @property
    def n_bytes(self) -> int:
        """Size of all files of the store, in bytes."""
        return _upkeep.count_bytes(self.folder)

    def entries(self) -> list[StoreEntry]:
        """Return what the store holds, one entry a backbone, the one used last first.

        Returns
        -------
        list of StoreEntry
            ``pandas.DataFrame(store.entries())`` makes a table of it.

        Raises
        ------
        FeatureStoreError
            If a file is damaged; see `verify`.
        """
        return _upkeep.list_entries(self.folder)

    def verify(self, *, remove: bool = False) -> dict[Path, str]:
        """Read every file of features and check it.

        Parameters
        ----------
        remove : bool, default=False
            Delete the damaged files; their features are then computed again when they are needed.

        Returns
        -------
        dict of Path to str
            The damaged files and what is wrong with each; empty if all is well.
        """
        damaged = _upkeep.find_damaged(self.folder)
        if remove:
            for path in damaged:
                path.unlink(missing_ok=True)
        return damaged

    def prune(
        self,
        *,
        max_bytes: int | None = None,
        unused_for: timedelta | None = None,
        keys: Iterable[str] = (),
    ) -> int:
        """Remove features, and what killed processes left behind.

        Without options only the latter goes: unfinished files that are older than a day.

        Parameters
        ----------
        max_bytes : int, optional
            Remove what was not used for longest until the store is no larger.
        unused_for : timedelta, optional
            Remove what was neither read nor written for so long.
        keys : iterable of str, default=()
            Remove all features of these entries; see `StoreEntry`.

        Returns
        -------
        int
            How many bytes were removed.

        Raises
        ------
        FeatureStoreError
            If the store has no such entry.
        ValueError
            If `max_bytes` is not a whole number of at least 0, or `unused_for` no timedelta of at
            least 0.
        """
        if max_bytes is not None:
            check_at_least(max_bytes, 0, name="max_bytes")
        is_duration = isinstance(unused_for, timedelta) and unused_for >= timedelta(0)
        if unused_for is not None and not is_duration:
            msg = (
                "unused_for must be a datetime.timedelta of at least 0. "
                f"Received unused_for={unused_for!r}; try datetime.timedelta(days=30)."
            )
            raise ValueError(msg)
        keys = [keys] if isinstance(keys, str) else list(keys)
        known = _upkeep.entry_folders(self.folder)
        if unknown := sorted(set(keys) - set(known)):
            msg = f"The store has no entries {unknown}. It has {sorted(known)}."
            raise FeatureStoreError(msg)
        return _upkeep.prune(self.folder, max_bytes=max_bytes, unused_for=unused_for, keys=keys)

    # -- inside ------------------------------------------------------------------------------

    def _requests(
        self, encoders: Iterable[Encoder], data: Any, *, augment: bool
    ) -> list[tuple[Request, NDArray[np.bool_]]]:
        """Return a request for the values that are there of each encoder, and which those are."""
        requests = []
        for encoder in encoders:
            if encoder.frozen_part() is None:
                continue
            values, present = present_values(encoder, encoder.select(data))
            with_views = augment and encoder.augmentation is not None
            views = [None, *(range(encoder.augmentation.views) if with_views else ())]
            requests.append((self._request(encoder, values, views), present))
        return requests

    def _request(self, encoder: Encoder, values: Any, views: Sequence[int | None]) -> Request:
        backbone = frozen_backbone(encoder)
        return make_request(encoder, backbone, self._open(encoder, backbone), values, views)

    def _open(self, encoder: Encoder, backbone: keras.Model) -> ShardFolder:
        identity = [model_fingerprint(backbone), encoder.encoding_config(), self.dtype]
        key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
        if key not in self._opened:
            self._opened[key] = ShardFolder(self.folder / key, self.dtype)
        return self._opened[key]

    def _collect(self, requests: Sequence[Request], verbose: int) -> list[NDArray[np.float32]]:
        """Compute what is missing and return all features, by request and variant."""
        for _ in range(_TRIES):
            self._compute(requests, verbose)
            try:
                return [request.read() for request in requests]
            except ShardVanishedError:
                # Pruned by another process between our look and our reading.
                continue
        msg = (
            f"Features vanish from {str(self.folder)!r} faster than they are read: other processes "
            "prune the store, or max_bytes is too small for all that use it at once."
        )
        raise FeatureStoreError(msg)

    def _compute(self, requests: Sequence[Request], verbose: int) -> int:
        if self.max_bytes is not None:
            self._check_limit(requests)
        return fill(
            requests,
            folder=self.folder,
            batch_size=self.batch_size,
            max_bytes=self.max_bytes,
            verbose=verbose,
        )

    def _check_limit(self, requests: Sequence[Request]) -> None:
        """Refuse what cannot be kept before hours of work, and keep what is in use from pruning."""
        itemsize = np.dtype(self.dtype).itemsize
        # Encoders with the same backbone share its features.
        distinct = {request.shards.folder: request for request in requests}.values()
        needed = sum(request.n_bytes(itemsize) for request in distinct)
        if self.max_bytes is not None and needed > self.max_bytes:
            msg = (
                f"These features need {needed:,} bytes, and the store is limited to "
                f"max_bytes={self.max_bytes:,}. Raise the limit, or ask for fewer rows or views."
            )
            raise FeatureStoreError(msg)
        for request in requests:
            index = request.shards.index()
            used = {
                index[digest][0] for row in request.variants for digest in row if digest in index
            }
            request.shards.touch(used)


def _spread(features: NDArray[np.float32], present: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return features of all rows from those of the rows that are there."""
    if present.all():
        return features
    spread = np.zeros((len(features), len(present), *features.shape[2:]), dtype=features.dtype)
    spread[:, present] = features
    return spread
