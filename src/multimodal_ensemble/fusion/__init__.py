"""Fusion: encoders, or trained models, joined into one `keras.Model`."""

from multimodal_ensemble.fusion._adapt_heads import adapt_heads
from multimodal_ensemble.fusion._attention_fusion import AttentionFusion
from multimodal_ensemble.fusion._class_probabilities import ClassProbabilities
from multimodal_ensemble.fusion._feature_model import feature_model
from multimodal_ensemble.fusion._fuse_encoders import fuse_encoders
from multimodal_ensemble.fusion._fuse_models import fuse_models
from multimodal_ensemble.fusion._fusion_layer import check_fusion, fusion_shapes
from multimodal_ensemble.fusion._gated_fusion import GatedFusion
from multimodal_ensemble.fusion._isotonic_calibration import IsotonicCalibration
from multimodal_ensemble.fusion._late_fusion import (
    LateFusion,
    RadialBasis,
    RowPresence,
    TokenCount,
    fuse_late,
)
from multimodal_ensemble.fusion._load_model import load_model
from multimodal_ensemble.fusion._member_layout import MemberLayout, fuse_evidence
from multimodal_ensemble.fusion._missing_modality import MissingModality
from multimodal_ensemble.fusion._modality_dropout import ModalityDropout
from multimodal_ensemble.fusion._parts import ModalityParts, fusion_parts
from multimodal_ensemble.fusion._platt_calibration import PlattCalibration

__all__ = [
    "AttentionFusion",
    "ClassProbabilities",
    "GatedFusion",
    "IsotonicCalibration",
    "LateFusion",
    "MemberLayout",
    "MissingModality",
    "ModalityDropout",
    "ModalityParts",
    "PlattCalibration",
    "RadialBasis",
    "RowPresence",
    "TokenCount",
    "adapt_heads",
    "check_fusion",
    "feature_model",
    "fuse_encoders",
    "fuse_evidence",
    "fuse_late",
    "fuse_models",
    "fusion_parts",
    "fusion_shapes",
    "load_model",
]
