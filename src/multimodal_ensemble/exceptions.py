"""Exceptions of the package; each is also the standard type a caller would catch."""

__all__ = [
    "FeatureStoreError",
    "ImageReadError",
    "ModalityError",
    "MultimodalEnsembleError",
    "WeightsUnavailableError",
]


class MultimodalEnsembleError(Exception):
    """Base class of every exception that this package defines."""


class ModalityError(MultimodalEnsembleError, ValueError):
    """A modality is missing, unexpected, clashing or of the wrong shape; the message names it."""


class ImageReadError(MultimodalEnsembleError, OSError):
    """An image could not be read; the message names the file and says why."""


class WeightsUnavailableError(MultimodalEnsembleError, OSError):
    """Pretrained weights could not be obtained; the message names the other ways to get some."""


class FeatureStoreError(MultimodalEnsembleError, RuntimeError):
    """A feature store cannot be used as asked, for example because its folder is not one."""
