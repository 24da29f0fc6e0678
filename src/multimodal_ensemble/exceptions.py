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
    """Base class of every exception that this package defines."""


class ArtefactError(MultimodalEnsembleError, ValueError):
    """A saved artefact cannot be loaded; the message says why."""


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
    """


class WeightsUnavailableError(MultimodalEnsembleError, OSError):
    """Pretrained weights cannot be obtained; the message lists other ways to obtain them."""


class FeatureStoreError(MultimodalEnsembleError, RuntimeError):
    """A feature store cannot be used as requested, for example because its folder is no store."""


class CheckpointError(MultimodalEnsembleError, ValueError):
    """A file is no checkpoint, is damaged or belongs to another training; the message says why."""
