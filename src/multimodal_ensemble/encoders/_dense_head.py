"""The trainable layers from features to an embedding."""

from __future__ import annotations

import keras

from multimodal_ensemble._keras import PACKAGE
from multimodal_ensemble._validation import check_at_least, check_choice, check_fraction
from multimodal_ensemble.encoders._layers import FeatureScaling
from multimodal_ensemble.encoders._parameters import CheckedParameters

# The meaning of input_dropout="auto": the rate, and the number of features from which it applies.
_AUTO_DROPOUT = 0.5
_MIN_FEATURES_TO_DROP = 16


@keras.saving.register_keras_serializable(package=PACKAGE)
class DenseHead(CheckedParameters):
    """One dense layer from features to an embedding, with optional scaling and dropout.

    A head holds no layers, so that several encoders may share it: each call builds new ones.

    Parameters
    ----------
    units : int or None, default=128
        Number of units of the embedding. None is half the number of features, at least 1.
    activation : str, callable or None, default="relu"
        Activation of the embedding.
    dropout : float, default=0.5
        Dropout rate on the embedding, in [0, 1).
    input_dropout : float or "auto", default=0
        Dropout rate on the features, in [0, 1). ``"auto"`` is 0.5 for 16 features or more and 0
        for fewer, because each of a few features matters.
    scaling : {"log", "standard", None}, default=None
        Scaling of the features by `FeatureScaling`, learned from the training rows: to mean 0 and
        variance 1, with ``"log"`` after ``sign(x) * log(1 + |x|)``.

    Raises
    ------
    ValueError
        If an option is out of range.

    Examples
    --------
    >>> from multimodal_ensemble.encoders import DenseHead
    >>> head = DenseHead(4, dropout=0.5)
    >>> layers = head((10,))
    >>> [layer.name for layer in layers.layers]
    ['dense', 'dropout']
    >>> layers.compute_output_shape((None, 10))
    (None, 4)
    """

    def __init__(
        self,
        units: int | None = 128,
        *,
        activation: str | None = "relu",
        dropout: float = 0.5,
        input_dropout: float | str = 0,
        scaling: str | None = None,
    ) -> None:
        if units is not None:
            check_at_least(units, 1, name="units")
        check_fraction(dropout, name="dropout")
        if isinstance(input_dropout, str):
            check_choice(input_dropout, ("auto",), name="input_dropout")
        else:
            check_fraction(input_dropout, name="input_dropout")
        check_choice(scaling, ("log", "standard", None), name="scaling")
        self.units = units
        self.activation = activation
        self.dropout = dropout
        self.input_dropout = input_dropout
        self.scaling = scaling

    def __call__(self, feature_shape: tuple[int, ...]) -> keras.Sequential:
        """Return new layers for features of a given shape.

        Parameters
        ----------
        feature_shape : tuple of int
            Shape of one row of features, without the batch axis.

        Returns
        -------
        keras.Sequential
            Scaling, dropout, a dense layer and dropout again, each only if it is enabled.
        """
        n_features = feature_shape[-1]
        units = max(1, n_features // 2) if self.units is None else self.units
        input_dropout = self.input_dropout
        if isinstance(input_dropout, str):
            input_dropout = _AUTO_DROPOUT if n_features >= _MIN_FEATURES_TO_DROP else 0
        layers: list[keras.Layer] = []
        if self.scaling is not None:
            layers.append(FeatureScaling(log=self.scaling == "log", name="scaling"))
        if input_dropout:
            layers.append(keras.layers.Dropout(float(input_dropout), name="input_dropout"))
        layers.append(keras.layers.Dense(int(units), activation=self.activation, name="dense"))
        if self.dropout:
            layers.append(keras.layers.Dropout(float(self.dropout), name="dropout"))
        return keras.Sequential(layers)
