"""What a store tells of one backbone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class StoreEntry:
    """The features of one backbone in a store; ``pandas.DataFrame(store.entries())`` is a table.

    Parameters
    ----------
    key : str
        Name of the folder: a digest of all that features depend on besides the values.
    modality : str
        Name of the encoder that first asked for them.
    network : str
        Name of the network.
    input_shape, feature_shape : tuple of int
        Of one value and of its features.
    dtype : str
        How features are kept: ``"float16"`` or ``"float32"``.
    n_rows : int
        How many values, each augmented view counted, have features.
    n_files : int
        In how many files.
    n_bytes : int
        Their size.
    last_used : datetime
        When features were last read or written, UTC.
    encoding : dict
        Settings of the encoder that features depend on.

    See Also
    --------
    FeatureStore.entries : Returns them.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from multimodal_ensemble import FeatureStore, ImageEncoder
    >>> encoder = ImageEncoder("poster", backbone="MobileNet", weights=None, image_size=32, seed=1)
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
    dtype: str
    n_rows: int
    n_files: int
    n_bytes: int
    last_used: datetime
    encoding: dict[str, Any]
