"""Batches of several modalities for Keras."""

from multimodal_ensemble.generators._batch import Batch
from multimodal_ensemble.generators._multimodal_dataset import MultimodalDataset

__all__ = ["Batch", "MultimodalDataset"]
