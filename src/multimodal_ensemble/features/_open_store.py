"""Stores as arguments of other functions."""

from __future__ import annotations

from os import PathLike

from multimodal_ensemble.features._store import FeatureStore


def open_store(store: FeatureStore | str | PathLike[str] | None) -> FeatureStore | None:
    """Return the feature store for an argument ``store=``.

    Parameters
    ----------
    store : FeatureStore, path or None
        A store, which is returned unchanged, or the folder of one.

    Returns
    -------
    FeatureStore or None
        None if `store` is None.

    Raises
    ------
    TypeError
        If `store` is none of these.
    FeatureStoreError
        If the folder is neither empty nor a feature store.

    Examples
    --------
    >>> import tempfile
    >>> from multimodal_ensemble.features import open_store
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     open_store(folder).dtype
    'float16'
    """
    if store is None or isinstance(store, FeatureStore):
        return store
    other: object = store
    if isinstance(other, str | PathLike):
        return FeatureStore(other)
    msg = f"store must be a FeatureStore, the path of a folder, or None. Received {store!r}."
    raise TypeError(msg)
