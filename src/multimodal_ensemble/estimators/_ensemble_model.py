"""The Keras model that computes what the members of an ensemble computed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import keras
import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._layer_names import (
    SCORES,
    head_name,
    member_name,
    radial_name,
    standardized_name,
)
from multimodal_ensemble.encoders import Encoder
from multimodal_ensemble.estimators._feature_blocks import FeatureBlock, Standardization
from multimodal_ensemble.estimators._member_weights import MemberWeights
from multimodal_ensemble.estimators._members import FittedMember
from multimodal_ensemble.fusion import fuse_late
from multimodal_ensemble.linear import Block, PlattScaling

# A constant feature, divided by this, has no influence whatever its value is in prediction.
_NO_INFLUENCE = 1e30


def make_ensemble_model(
    encoders: Sequence[Encoder],
    members: Sequence[FittedMember],
    blocks: Mapping[str, FeatureBlock],
    weights: MemberWeights,
    scaling: PlattScaling,
) -> keras.Model:
    """Return the model that computes what the members computed."""
    radial = {
        name: block.radial.projection.shape
        for name, block in blocks.items()
        if block.radial is not None
    }
    n_labels = len(scaling.slope)
    layouts = [member.layout for member in members]
    model = fuse_late(encoders, layouts, n_labels, radial=radial)
    for name, each in blocks.items():
        model.get_layer(head_name(name)).set_weights(_scaling(each.block, each.unit))
        if each.features is not None:
            layer = model.get_layer(standardized_name(name))
            layer.set_weights(_scaling(each.features, math.sqrt(len(each.features.mean))))
        if each.radial is not None and each.radial_block is not None:
            rbf = each.radial
            model.get_layer(radial_name(name)).set_weights(
                [rbf.centres, np.float32(rbf.width), rbf.projection, each.radial_block.mean]
            )
    for member in members:
        if member.kernel is not None:
            model.get_layer(member_name(member.layout.name)).set_weights([member.kernel])
    factors = weights.weights[:, np.newaxis]
    slopes = factors * np.stack([member.scaling.slope for member in members])
    intercepts = factors * np.stack([member.scaling.intercept for member in members])
    fusion = model.get_layer(SCORES)
    counts = [weights.exponents, weights.log_counts] if fusion.counts_tokens else []
    fusion.set_weights([slopes, intercepts, scaling.slope, scaling.intercept, *counts])
    return model


def _scaling(block: Block | Standardization, unit: float) -> list[NDArray[np.float64]]:
    """Return the mean and the scale that turn features into `unit` times the rows of a block."""
    factor = block.factor * unit
    scale = np.divide(1, factor, out=np.full_like(factor, _NO_INFLUENCE), where=factor > 0)
    return [block.mean, scale]
