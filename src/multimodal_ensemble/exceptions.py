"""Exceptions of the package; each is also the standard type a caller would catch."""

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


class ModalityError(MultimodalEnsembleError, ValueError):
    """A modality is missing, unexpected, clashing or of the wrong shape; the message names it."""


class ImageReadError(MultimodalEnsembleError, OSError):
    """An image could not be read; the message names the file and says why."""


class WeightsUnavailableError(MultimodalEnsembleError, OSError):
    """Pretrained weights could not be obtained; the message names the other ways to get some."""


class FeatureStoreError(MultimodalEnsembleError, RuntimeError):
    """A feature store cannot be used as asked, for example because its folder is not one."""


class CheckpointError(MultimodalEnsembleError, ValueError):
    """A file is not a checkpoint, is damaged, or is one of another training; the message says."""
