"""The store of frozen backbones' features."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from os import PathLike
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._validation import check_at_least
from multimodal_ensemble.encoders import Encoder
from multimodal_ensemble.exceptions import FeatureStoreError, ModalityError
from multimodal_ensemble.features._fingerprint import model_fingerprint
from multimodal_ensemble.features._progress import ExtractionProgress
from multimodal_ensemble.features._shards import ShardFolder, write_atomically

_MARKER = "feature_store.json"
_FORMAT = 1

# How many rows an interrupted pass loses at most: some 20 seconds of VGG16 on two cores.
_ROWS_A_SHARD = 256


class FeatureStore:
    """Features of frozen backbones on disk, computed once for each distinct content.

    What is kept is looked up by everything that features depend on: the backbone's structure
    and the values of its weights, which include its preprocessing, its input size and its
    pooling; how files are read; and the content of each file. So other weights, another size or
    a changed image never meet old features, and models that share a backbone share its features.

    Parameters
    ----------
    folder : path
        Where features are kept; made if need be. An existing folder must be empty or a feature
        store.
    batch_size : int, default=32
        How many rows go through the backbone at once.

    Raises
    ------
    FeatureStoreError
        If the folder holds something else than a feature store.

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

    def __init__(self, folder: str | PathLike[str], *, batch_size: int = 32) -> None:
        check_at_least(batch_size, 1, name="batch_size")
        self.folder = Path(folder).expanduser()
        self.batch_size = batch_size
        self._check_folder()

    def __repr__(self) -> str:
        """Return the call that makes this store."""
        return f"FeatureStore({str(self.folder)!r}, batch_size={self.batch_size})"

    def get_features(
        self, encoder: Encoder, values: Any, *, verbose: int = 1
    ) -> NDArray[np.float32]:
        """Return the backbone's features of values; those not yet in the store are computed.

        Features are kept as they are computed: a pass that is interrupted goes on where it
        stopped when it is called again.

        Parameters
        ----------
        encoder : Encoder
            A fitted encoder with a frozen backbone.
        values : sequence of length n
            Raw values.
        verbose : {0, 1}, default=1
            Whether a progress bar shows how many images a second go through the backbone.

        Returns
        -------
        ndarray of shape (n, ...)
            Rows of the encoder's `feature_shape`, float32.

        Raises
        ------
        ModalityError
            If the encoder has no backbone or an unfrozen one, or gives NaN or infinite features.
        FeatureStoreError
            If a file of the store is damaged; the message names it.
        ImageReadError
            If an image cannot be read.
        """
        backbone = _frozen_backbone(encoder)
        values = encoder.prepare(values)
        digests = encoder.content_digests(values)
        shards = self._open(encoder, backbone)
        index = shards.index()
        positions = _first_positions(digests, index)
        if positions:
            self._describe(encoder, backbone, shards)
            self._compute(encoder, backbone, shards, values, digests, positions, verbose)
            index = shards.index()
        return shards.read([index[digest] for digest in digests], encoder.feature_shape)

    def count_missing(self, encoder: Encoder, values: Any) -> int:
        """Return how many distinct values `get_features` would have to compute.

        Parameters
        ----------
        encoder : Encoder
            A fitted encoder with a frozen backbone.
        values : sequence
            Raw values.

        Returns
        -------
        int
            Number of distinct contents without features.
        """
        shards = self._open(encoder, _frozen_backbone(encoder))
        digests = encoder.content_digests(encoder.prepare(values))
        return len(_first_positions(digests, shards.index()))

    def _check_folder(self) -> None:
        marker = self.folder / _MARKER
        if self._is_something_else():
            msg = (
                f"{str(self.folder)!r} is neither a feature store nor an empty folder. "
                "Use another folder; nothing was written to this one."
            )
            raise FeatureStoreError(msg)
        if marker.is_file():
            try:
                found = json.loads(marker.read_text(encoding="utf-8"))["format"]
            except (ValueError, KeyError, TypeError):
                found = "unknown"
            if found != _FORMAT:
                msg = (
                    f"{str(self.folder)!r} is a feature store of format {found}, and this version "
                    f"reads format {_FORMAT}. Use another folder."
                )
                raise FeatureStoreError(msg)
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"format": _FORMAT})
        write_atomically(marker, lambda file: file.write(text.encode()))

    def _is_something_else(self) -> bool:
        if not self.folder.exists():
            return False
        if not self.folder.is_dir():
            return True
        found = {path.name for path in self.folder.iterdir()}
        # Another process may be writing the marker, or have died at it.
        return _MARKER not in found and any(_MARKER not in name for name in found)

    def _open(self, encoder: Encoder, backbone: keras.Model) -> ShardFolder:
        identity = [model_fingerprint(backbone), encoder.encoding_config()]
        key = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
        return ShardFolder(self.folder / key)

    def _describe(self, encoder: Encoder, backbone: keras.Model, shards: ShardFolder) -> None:
        """Say to a person who looks into the folder what its features are of."""
        description = {
            "modality": encoder.name,
            "network": _network_name(backbone),
            "input_shape": encoder.input_shape,
            "feature_shape": encoder.feature_shape,
            "encoding": encoder.encoding_config(),
        }
        shards.folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(description, indent=2)
        write_atomically(shards.folder / "backbone.json", lambda file: file.write(text.encode()))

    def _compute(
        self,
        encoder: Encoder,
        backbone: keras.Model,
        shards: ShardFolder,
        values: Any,
        digests: Sequence[bytes],
        positions: Sequence[int],
        verbose: int,
    ) -> None:
        batches = [
            np.array(positions[start : start + self.batch_size])
            for start in range(0, len(positions), self.batch_size)
        ]
        waiting: list[tuple[list[bytes], NDArray[np.float32]]] = []

        def flush() -> None:
            if waiting:
                shards.write(
                    [digest for some, _ in waiting for digest in some],
                    np.concatenate([features for _, features in waiting]),
                )
                waiting.clear()

        ahead = _encode_ahead(encoder, values, batches)
        network = _network_name(backbone)
        with ExtractionProgress(encoder.name, network, len(positions), verbose) as progress:
            try:
                for rows, batch in zip(batches, ahead, strict=True):
                    features = np.asarray(backbone.predict_on_batch(batch), dtype=np.float32)
                    _check_finite(features, encoder, rows)
                    waiting.append(([digests[row] for row in rows], features))
                    if sum(len(some) for some, _ in waiting) >= _ROWS_A_SHARD:
                        flush()
                    progress.add(len(rows))
            finally:
                # Also on Ctrl-C and on an unreadable image: what was computed is kept.
                flush()


def _frozen_backbone(encoder: Encoder) -> keras.Model:
    backbone = encoder.backbone()
    if backbone is None or not encoder.is_frozen:
        state = "has no backbone" if backbone is None else "has a backbone that is being trained"
        msg = f"Modality {encoder.name!r} {state}, so there are no features to keep."
        raise ModalityError(msg)
    return backbone


def _check_finite(features: NDArray[np.float32], encoder: Encoder, rows: NDArray[np.intp]) -> None:
    finite = np.isfinite(features.reshape(len(features), -1)).all(axis=1)
    if not finite.all():
        msg = (
            f"The backbone of {encoder.name!r} gives features that are not finite, first for value "
            f"number {rows[~finite][0]} (from 0). Are its weights damaged, or its numbers too "
            "large for half precision?"
        )
        raise ModalityError(msg)


def _network_name(backbone: keras.Model) -> str:
    inner = [layer.name for layer in backbone.layers if isinstance(layer, keras.Model)]
    return inner[0] if inner else str(backbone.name)


def _first_positions(digests: Sequence[bytes], index: dict[bytes, Any]) -> list[int]:
    """Return where each distinct content that is not in the index stands first."""
    first: dict[bytes, int] = {}
    for position, digest in enumerate(digests):
        if digest not in index:
            first.setdefault(digest, position)
    return list(first.values())


def _encode_ahead(
    encoder: Encoder, values: Any, batches: Sequence[NDArray[np.intp]]
) -> Iterator[NDArray[Any]]:
    """Yield encoded batches; the next one is read while the backbone works on the last."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        ahead = pool.submit(encoder.encode, values[batches[0]])
        for following in batches[1:]:
            batch = ahead.result()
            ahead = pool.submit(encoder.encode, values[following])
            yield batch
        yield ahead.result()
