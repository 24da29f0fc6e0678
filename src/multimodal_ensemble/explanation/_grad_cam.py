"""Grad-CAM: which positions of the last feature map move a score."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from multimodal_ensemble._layer_names import SCORES
from multimodal_ensemble._validation import FloatArray
from multimodal_ensemble.encoders import split_at_feature_map
from multimodal_ensemble.exceptions import ModalityError
from multimodal_ensemble.explanation._recorded_graph import RecordedGraph

_TINY = float(np.finfo(np.float32).tiny)


class GradCam:
    """Weighs the positions of the last feature map for the score of a label.

    The weight of a position is the mean of its channels, each multiplied by the mean gradient of
    the log-odds to that channel, and 0 where that is negative [1]_.

    Parameters
    ----------
    model : keras.Model
        The part of the model behind the backbone, which takes features of the modality.
    backbone : keras.Model
        The frozen network in front of it.
    name : str
        The modality.

    Raises
    ------
    ModalityError
        If the backbone has no feature map, such as a vision transformer.

    References
    ----------
    .. [1] R. R. Selvaraju et al., "Grad-CAM: visual explanations from deep networks via
       gradient-based localization", IEEE International Conference on Computer Vision, 2017.
    """

    def __init__(self, model: keras.Model, backbone: keras.Model, name: str) -> None:
        split = split_at_feature_map(backbone)
        if split is None:
            msg = (
                f"The backbone of {name!r} has no feature map, so Grad-CAM is not defined for it. "
                "Use method='occlusion'."
            )
            raise ModalityError(msg)
        self._name = name
        self._before, self._after = split
        graph = RecordedGraph(model)
        self._inputs = list(graph.inputs)
        self._scores = keras.Model([*graph.inputs.values()], graph.returned[SCORES])

    def __call__(self, inputs: Mapping[str, Any], label: int) -> FloatArray:
        """Return the weight of each position of an image for a label.

        Parameters
        ----------
        inputs : mapping of str to array of shape (1, ...)
            Inputs of the model for one row, with the pixels of the modality.
        label : int
            Position of the label.

        Returns
        -------
        ndarray of shape (n_rows, n_columns)
            At least 0; the scale differs between images.
        """
        feature_map = self._before(inputs[self._name], training=False)
        with tf.GradientTape() as tape:
            tape.watch(feature_map)
            features = self._after(feature_map, training=False)
            taken = [
                features if key == self._name else tf.convert_to_tensor(inputs[key])
                for key in self._inputs
            ]
            score = self._scores(taken, training=False)[0, label]
            # At least the smallest float32, so that log-odds are finite.
            odds = tf.math.log(tf.maximum(score, _TINY)) - tf.math.log(tf.maximum(1 - score, _TINY))
        gradient = tape.gradient(odds, feature_map)
        weights = tf.reduce_mean(gradient, axis=(1, 2), keepdims=True)
        values = tf.nn.relu(tf.reduce_sum(weights * feature_map, axis=-1))[0]
        return np.asarray(values, dtype=np.float64)
