"""The description of one backbone's features in a store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class StoreEntry:
    """Description of one backbone's features in a store.

    ``pandas.DataFrame(store.entries())`` is a table of all entries.

    Parameters
    ----------
    key : str
        Name of the folder, for `FeatureStore.prune`.
    modality : str
        Name of the encoder that first requested the features.
    network : str
        Name of the network.
    input_shape, feature_shape : tuple of int
        Shape of one value and of its features.
    compute_dtype : str
        Dtype in which the network computed: ``"float32"`` or ``"bfloat16"``.
    dtype : str
        Stored dtype of the features: ``"float16"`` or ``"float32"``.
    n_rows : int
        Number of values with features; each augmented view counts.
    n_files : int
        Number of files.
    n_bytes : int
        Size of the files in bytes.
    last_used : datetime
        Time in UTC when features were last read or written.
    encoding : dict
        Settings of the encoder that features depend on.

    See Also
    --------
    FeatureStore.entries : Returns the entries of a store.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from multimodal_ensemble import FeatureStore, ImageEncoder
    >>> encoder = ImageEncoder(
    ...     "poster", backbone="MobileNet", weights=None, image_size=32, seed=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store = FeatureStore(folder)
    ...     _ = store.get_features(encoder, [np.zeros((9, 9), dtype="uint8")], verbose=0)
    ...     (entry,) = store.entries()
    >>> entry.modality, entry.network, entry.feature_shape, entry.n_rows
    ('poster', 'mobilenet_1.00_32', (1024,), 1)
    """

    key: str
    modality: str
    network: str
    input_shape: tuple[int, ...]
    feature_shape: tuple[int, ...]
    compute_dtype: str
    dtype: str
    n_rows: int
    n_files: int
    n_bytes: int
    last_used: datetime
    encoding: dict[str, Any]
