"""Loading a saved model in a new process."""

from __future__ import annotations

from os import PathLike

import keras


def load_model(path: str | PathLike[str]) -> keras.Model:
    """Load a model that was saved with ``model.save("file.keras")``.

    Does what `keras.models.load_model` does, and makes sure that Keras knows this package's layers,
    which are imported only when they are used. Code in the file is not run.

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
        If the file is not one of Keras, or holds layers whose code Keras would have to run.

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
    # Importing this module has imported the package's layers, and so registered them with Keras.
    return keras.models.load_model(path, safe_mode=True)
