"""Loading a saved model."""

from __future__ import annotations

from os import PathLike

import keras


def load_model(path: str | PathLike[str]) -> keras.Model:
    """Load a model that was saved with ``model.save("file.keras")``; never run code from the file.

    `keras.models.load_model` only works after the layers of this package were imported.

    Parameters
    ----------
    path : path
        A ``.keras`` file.

    Returns
    -------
    keras.Model
        The model, with its weights.

    Raises
    ------
    ValueError
        If the file is not a Keras model, or loading it would run code from the file.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from multimodal_ensemble import DenseEncoder, fuse_encoders, load_model
    >>> model = fuse_encoders([DenseEncoder("year").fit([1977, 1997])], n_labels=2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     model.save(Path(folder) / "model.keras")
    ...     load_model(Path(folder) / "model.keras").name
    'year'
    """
    # Importing this module has registered the layers of the package with Keras.
    return keras.models.load_model(path, safe_mode=True)
