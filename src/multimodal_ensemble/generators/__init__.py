"""Batches of several modalities for Keras."""

from multimodal_ensemble.generators._multimodal_dataset import Batch, MultimodalDataset

__all__ = ["Batch", "MultimodalDataset"]
