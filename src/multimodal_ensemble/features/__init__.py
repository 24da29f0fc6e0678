"""Features of frozen backbones, computed once and stored on disk."""

from multimodal_ensemble.features._entry import StoreEntry
from multimodal_ensemble.features._fingerprint import model_fingerprint
from multimodal_ensemble.features._open_store import open_store
from multimodal_ensemble.features._store import FeatureStore

__all__ = ["FeatureStore", "StoreEntry", "model_fingerprint", "open_store"]
