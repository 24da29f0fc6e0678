"""Regularised linear models of many labels in closed form, with exact leave-one-out scores.

This module does not need Keras or TensorFlow.
"""

from multimodal_ensemble.linear._block import Block
from multimodal_ensemble.linear._class_scaling import ClassScaling
from multimodal_ensemble.linear._log_odds import log_odds
from multimodal_ensemble.linear._platt_scaling import PlattScaling, prior_log_odds
from multimodal_ensemble.linear._radial_features import RadialFeatures
from multimodal_ensemble.linear._ridge import RidgeFit, fit_ridge

__all__ = [
    "Block",
    "ClassScaling",
    "PlattScaling",
    "RadialFeatures",
    "RidgeFit",
    "fit_ridge",
    "log_odds",
    "prior_log_odds",
]
