"""Exceptions of the package; each is also the standard type that a caller would catch."""

__all__ = [
    "ArtefactError",
    "CheckpointError",
    "FeatureStoreError",
    "ImageReadError",
    "ModalityError",
    "MultimodalEnsembleError",
    "WeightsUnavailableError",
]


class MultimodalEnsembleError(Exception):
    """Base class of every exception that this package defines.

    Examples
    --------
    >>> from multimodal_ensemble.exceptions import ModalityError, MultimodalEnsembleError
    >>> issubclass(ModalityError, MultimodalEnsembleError)
    True
    """


class ArtefactError(MultimodalEnsembleError, ValueError):
    """A saved artefact cannot be loaded; the message says why.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from multimodal_ensemble.estimators import load_estimator
    >>> from multimodal_ensemble.exceptions import ArtefactError
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder) / "genres.mme"
    ...     size = file.write_bytes(b"not a model")
    ...     try:
    ...         load_estimator(file)
    ...     except ArtefactError:
    ...         print("copy it again")
    copy it again
    """


class _RowError(MultimodalEnsembleError):
    def __init__(self, message: str, *, row: int | None = None) -> None:
        super().__init__(message)
        self.row = row


class ModalityError(_RowError, ValueError):
    """A modality is missing, unexpected, clashing or of the wrong shape; the message names it.

    Parameters
    ----------
    message : str
        What is wrong, and how to fix it.
    row : int, optional
        Position of the row at fault among the given values, from 0; also an attribute. Default:
        None, for an error that is not about a single row.

    Examples
    --------
    >>> from multimodal_ensemble import DenseEncoder
    >>> from multimodal_ensemble.exceptions import ModalityError
    >>> try:
    ...     DenseEncoder("year").fit([1977, float("inf")])
    ... except ModalityError as error:
    ...     print(error.row)
    1
    """


class ImageReadError(_RowError, OSError):
    """An image cannot be read; the message names the file and the reason.

    Parameters
    ----------
    message : str
        What is wrong, and how to fix it.
    row : int, optional
        Position of the image among the given images, from 0; also an attribute. Default: None,
        for an image that was read alone.

    Examples
    --------
    >>> from multimodal_ensemble.exceptions import ImageReadError
    >>> from multimodal_ensemble.images import read_images
    >>> try:
    ...     read_images(["absent.jpg"], size=8)
    ... except ImageReadError as error:
    ...     print(error.row, isinstance(error, OSError))
    0 True
    """


class WeightsUnavailableError(MultimodalEnsembleError, OSError):
    """Pretrained weights cannot be obtained; the message lists other ways to obtain them.

    Examples
    --------
    >>> from multimodal_ensemble import ImageEncoder
    >>> from multimodal_ensemble.exceptions import WeightsUnavailableError
    >>> encoder = ImageEncoder("poster", backbone="MobileNet", weights="absent.weights.h5")
    >>> try:
    ...     encoder.get_backbone()
    ... except WeightsUnavailableError:
    ...     print("download them first")
    download them first
    """


class FeatureStoreError(MultimodalEnsembleError, RuntimeError):
    """A feature store cannot be used as requested, for example because its folder is no store.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from multimodal_ensemble import FeatureStore
    >>> from multimodal_ensemble.exceptions import FeatureStoreError
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     size = (pathlib.Path(folder) / "letter.txt").write_text("Dear Ada")
    ...     try:
    ...         FeatureStore(folder)
    ...     except FeatureStoreError:
    ...         print("choose another folder")
    choose another folder
    """


class CheckpointError(MultimodalEnsembleError, ValueError):
    """A file is no checkpoint, is damaged or belongs to another training; the message says why.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from multimodal_ensemble import BagOfWordsEncoder, MultimodalClassifier
    >>> from multimodal_ensemble.exceptions import CheckpointError
    >>> classifier = MultimodalClassifier([BagOfWordsEncoder("tags")], verbose=0)
    >>> X, y = {"tags": [["space"], ["love"]] * 20}, [["Action"], ["Romance"]] * 20
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder) / "training.ckpt"
    ...     size = file.write_bytes(b"not a checkpoint")
    ...     try:
    ...         classifier.fit(X, y, resume_from=file)
    ...     except CheckpointError:
    ...         print("start again without resume_from")
    start again without resume_from
    """
