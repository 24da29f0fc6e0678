"""Regularised linear models of many labels in closed form, with exact leave-one-out scores.

This module does not need Keras or TensorFlow.
"""

from multimodal_ensemble.linear._block import Block, JoinedBlocks
from multimodal_ensemble.linear._decomposition import Decomposition, decompose
from multimodal_ensemble.linear._leave_one_out import leave_one_out
from multimodal_ensemble.linear._platt_scaling import PlattScaling
from multimodal_ensemble.linear._radial_features import RadialFeatures
from multimodal_ensemble.linear._ridge import PENALTIES, RidgeFit, fit_ridge

__all__ = [
    "PENALTIES",
    "Block",
    "Decomposition",
    "JoinedBlocks",
    "PlattScaling",
    "RadialFeatures",
    "RidgeFit",
    "decompose",
    "fit_ridge",
    "leave_one_out",
]
