"""Loading a saved model."""

from __future__ import annotations

from os import PathLike

import keras

from multimodal_ensemble.saving import check_keras_file


def load_model(path: str | PathLike[str]) -> keras.Model:
    """Load a model that was saved with ``model.save("file.keras")``; never run code from the file.

    With every version of Keras, the file is checked before Keras reads it: it may name only parts
    of models, may not refer to other files, and takes no more memory than its size allows.

    Parameters
    ----------
    path : path
        A ``.keras`` file.

    Returns
    -------
    keras.Model
        The model, with its weights, not compiled: ``compile`` it to train it further. Its layers
        keep their dtype policies, whatever the current one is.

    Raises
    ------
    ArtefactError
        If the file is not a Keras model, is damaged, or loading it would run code or read other
        files.
    OSError
        If there is no such file, or it is no regular file.

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
    check_keras_file(path)
    # Importing this module has registered the layers of the package with Keras.
    return keras.models.load_model(path, compile=False, safe_mode=True)
