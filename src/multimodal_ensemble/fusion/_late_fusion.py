"""Late fusion: one linear model per member, and the sum of their log-odds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from multimodal_ensemble._keras import PACKAGE
from multimodal_ensemble._layer_names import (
    SCORES,
    head_name,
    member_name,
    presence_name,
    radial_name,
    spoken_name,
    standardized_name,
)
from multimodal_ensemble.encoders import Encoder, FeatureScaling
from multimodal_ensemble.fusion._encoder_inputs import features_of_input
from multimodal_ensemble.fusion._member_layout import MemberLayout, fuse_evidence


@keras.saving.register_keras_serializable(package=PACKAGE)
class RowPresence(keras.layers.Layer):
    """Return where a row has something to say: a modality that is present and not empty.

    Parameters
    ----------
    zeros_are_empty : bool
        Whether a row of zeros is empty.
    **kwargs
        Passed to `keras.layers.Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.fusion import RowPresence
    >>> presence = RowPresence(zeros_are_empty=True)
    >>> np.asarray(presence([np.array([[0.0, 2.0], [0.0, 0.0]])])).tolist()
    [[1.0], [0.0]]
    """

    def __init__(self, zeros_are_empty: bool, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        self.zeros_are_empty = zeros_are_empty

    def call(self, inputs: Sequence[Any]) -> Any:
        """Return ones and zeros of shape ``(n, 1)``, from the rows and perhaps their presence."""
        rows, *given = inputs
        rows = keras.ops.cast(rows, "float32")
        if self.zeros_are_empty:
            largest = keras.ops.max(keras.ops.abs(rows), axis=-1, keepdims=True)
            here = keras.ops.cast(largest > 0, "float32")
        else:
            here = keras.ops.ones_like(rows[:, :1])
        return here * keras.ops.cast(given[0], "float32") if given else here

    def compute_output_shape(
        self, input_shape: Sequence[tuple[int | None, ...]]
    ) -> tuple[int | None, int]:
        """Return the shape ``(n, 1)``."""
        return (input_shape[0][0], 1)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "zeros_are_empty": self.zeros_are_empty}


@keras.saving.register_keras_serializable(package=PACKAGE)
class TokenCount(keras.layers.Layer):
    """Count the values of a row that are not 0, over all bags of tokens.

    Parameters
    ----------
    **kwargs
        Passed to `keras.layers.Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.fusion import TokenCount
    >>> np.asarray(TokenCount()([np.array([[0.0, 2.0]]), np.array([[0.5, 0.1]])])).tolist()
    [[3.0]]
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)

    def call(self, inputs: Sequence[Any]) -> Any:
        """Return float32 counts of shape ``(n, 1)``."""
        held = [keras.ops.cast(keras.ops.not_equal(rows, 0), "float32") for rows in inputs]
        return sum(keras.ops.sum(rows, axis=1, keepdims=True) for rows in held)

    def compute_output_shape(
        self, input_shape: Sequence[tuple[int | None, ...]]
    ) -> tuple[int | None, int]:
        """Return the shape ``(n, 1)``."""
        return (input_shape[0][0], 1)


@keras.saving.register_keras_serializable(package=PACKAGE)
class RadialBasis(keras.layers.Layer):
    """Features of a radial basis kernel; see `multimodal_ensemble.linear.RadialFeatures`.

    Parameters
    ----------
    n_centres, n_features : int
        Number of centres and of features.
    **kwargs
        Passed to `keras.layers.Layer`.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.fusion import RadialBasis
    >>> RadialBasis(n_centres=3, n_features=2)(np.zeros((5, 4))).shape
    TensorShape([5, 2])
    """

    def __init__(self, n_centres: int, n_features: int, **kwargs: Any) -> None:
        super().__init__(autocast=False, **kwargs)
        self.n_centres = n_centres
        self.n_features = n_features

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create centres, width, projection and the mean of the features."""
        options = {"trainable": False, "autocast": False, "dtype": "float32"}
        shapes = {
            "centres": (self.n_centres, input_shape[-1]),
            "width": (),
            "projection": (self.n_centres, self.n_features),
            "mean": (self.n_features,),
        }
        for name, shape in shapes.items():
            weight = self.add_weight(name=name, shape=shape, initializer="ones", **options)
            setattr(self, name, weight)

    def call(self, inputs: Any) -> Any:
        """Return centred features of shape ``(n, n_features)``."""
        inputs = keras.ops.cast(inputs, "float32")
        squares = keras.ops.sum(inputs**2, axis=1, keepdims=True)
        centres = keras.ops.sum(self.centres**2, axis=1)
        products = keras.ops.matmul(inputs, keras.ops.transpose(self.centres))
        squared = keras.ops.maximum(squares - 2 * products + centres, 0.0)
        similarity = keras.ops.exp(-squared / self.width)
        return keras.ops.matmul(similarity, self.projection) - self.mean

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, int]:
        """Return the shape ``(n, n_features)``."""
        return (input_shape[0], self.n_features)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "n_centres": self.n_centres,
            "n_features": self.n_features,
        }


@keras.saving.register_keras_serializable(package=PACKAGE)
class LateFusion(keras.layers.Layer):
    """Calibrate the values of members, fuse them as log-odds, and return scores.

    Parameters
    ----------
    members : sequence of MemberLayout or dict
        The members, or the arguments of their layouts.
    modalities : sequence of str
        All modalities, in the order of their presences in the input.
    counts_tokens : bool, default=False
        Whether the last input is the number of tokens of each row, which the weights of members
        may grow or fall with.
    **kwargs
        Passed to `keras.layers.Layer`.

    See Also
    --------
    multimodal_ensemble.fusion.fuse_evidence : The rule.

    Examples
    --------
    >>> import numpy as np
    >>> from multimodal_ensemble.fusion import LateFusion, MemberLayout
    >>> fusion = LateFusion([MemberLayout("year", ("year",), evidence="year")], ["year"])
    >>> np.asarray(fusion([np.zeros((1, 2)), np.ones((1, 1))])).tolist()
    [[0.5, 0.5]]
    """

    def __init__(
        self,
        members: Sequence[Any],
        modalities: Sequence[str],
        counts_tokens: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{**kwargs, "autocast": False, "dtype": "float32"})
        self.modalities = list(modalities)
        self.counts_tokens = counts_tokens
        self.members = [
            member if isinstance(member, MemberLayout) else MemberLayout.from_config(member)
            for member in members
        ]

    def build(self, input_shape: Any) -> None:
        """Create slopes and intercepts of each member and of the sum, for each label."""
        n_labels = input_shape[0][-1]
        each = (len(self.members), n_labels)
        options = {"trainable": False, "autocast": False}
        self.member_slope = self.add_weight(
            name="member_slope", shape=each, initializer="ones", **options
        )
        self.member_intercept = self.add_weight(
            name="member_intercept", shape=each, initializer="zeros", **options
        )
        self.slope = self.add_weight(name="slope", shape=(n_labels,), initializer="ones", **options)
        self.intercept = self.add_weight(
            name="intercept", shape=(n_labels,), initializer="zeros", **options
        )
        if self.counts_tokens:
            self.exponent = self.add_weight(
                name="exponent", shape=(len(self.members),), initializer="zeros", **options
            )
            # Mean, smallest and largest of the training rows.
            self.log_counts = self.add_weight(
                name="log_counts", shape=(3,), initializer="zeros", **options
            )

    def call(self, inputs: Sequence[Any]) -> Any:
        """Return scores from the values of members, presences of modalities, perhaps counts."""
        n_members = len(self.members)
        values = [keras.ops.cast(value, "float32") for value in inputs]
        n_tokens = values.pop() if self.counts_tokens else None
        log_odds = [
            self.member_slope[position] * value + self.member_intercept[position]
            for position, value in enumerate(values[:n_members])
        ]
        if n_tokens is not None:
            amount = self.token_amount(n_tokens)
            log_odds = [
                keras.ops.exp(self.exponent[position] * amount) * odds
                for position, odds in enumerate(log_odds)
            ]
        present = dict(zip(self.modalities, values[n_members:], strict=True))
        presences = [member.presence(present) for member in self.members]
        evidence = fuse_evidence(self.members, log_odds, presences)
        return keras.ops.sigmoid(self.slope * evidence + self.intercept)

    def token_amount(self, n_tokens: Any) -> Any:
        """Return what the weights of members grow or fall with.

        Parameters
        ----------
        n_tokens : array of shape (n, 1)
            Numbers of tokens, float32.

        Returns
        -------
        array of shape (n, 1)
            The logarithm of the counts, within the range of the training rows, less its mean; 0
            for rows without tokens.
        """
        mean, least, most = (self.log_counts[position] for position in range(3))
        logarithm = keras.ops.log(keras.ops.maximum(n_tokens, 1.0))
        limited = keras.ops.minimum(keras.ops.maximum(logarithm, least), most)
        return (limited - mean) * keras.ops.cast(n_tokens > 0, "float32")

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """Return the shape of the values of one member."""
        shape: tuple[int | None, ...] = tuple(input_shape[0])
        return shape

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        members = [member.get_config() for member in self.members]
        return {
            **super().get_config(),
            "members": members,
            "modalities": self.modalities,
            "counts_tokens": self.counts_tokens,
        }


def fuse_late(
    encoders: Sequence[Encoder],
    members: Sequence[MemberLayout],
    n_labels: int,
    *,
    radial: Mapping[str, tuple[int, int]] = {},
) -> keras.Model:
    """Build the model of a late fusion; its weights are those of a model that is not fitted.

    Parameters
    ----------
    encoders : sequence of Encoder
        One fitted encoder per modality.
    members : sequence of MemberLayout
        The members, which take features of the encoders.
    n_labels : int
        Number of labels.
    radial : mapping of str to (int, int), default={}
        Numbers of centres and of features of the modalities with radial features.

    Returns
    -------
    keras.Model
        Takes the same inputs as the model of `fuse_encoders`, and returns float32 scores of shape
        ``(n, n_labels)`` in 0..1.

    Examples
    --------
    >>> from multimodal_ensemble import DenseEncoder
    >>> from multimodal_ensemble.fusion import MemberLayout, fuse_late
    >>> year = DenseEncoder("year").fit([1977, 1997])
    >>> member = MemberLayout("year", ("year",), evidence="year")
    >>> model = fuse_late([year], [member], n_labels=2)
    >>> model.predict({"year": year.encode([2001])}, verbose=0).shape
    (1, 2)
    """
    inputs: dict[str, keras.KerasTensor] = {}
    blocks: dict[str, keras.KerasTensor] = {}
    radial_blocks: dict[str, keras.KerasTensor] = {}
    presence: dict[str, keras.KerasTensor] = {}
    bags: list[keras.KerasTensor] = []
    scored = {name for member in members if member.is_scored for name in member.encoders}
    for encoder in encoders:
        name = encoder.name
        backbone = encoder.get_backbone()
        inputs[name], tensor = features_of_input(encoder, backbone)
        if len(tensor.shape) > 2:
            tensor = keras.layers.Flatten()(tensor)
        given = []
        if encoder.optional:
            inputs[presence_name(name)] = keras.Input((1,), name=presence_name(name))
            given = [inputs[presence_name(name)]]
        here = RowPresence(encoder.zeros_are_empty, name=spoken_name(name))([tensor, *given])
        presence[name] = here
        if encoder.values_are_tokens:
            bags.append(keras.layers.Multiply(dtype="float32")([tensor, here]))
        if name in scored:
            blocks[name] = tensor
            continue
        if backbone is not None:
            standardize = FeatureScaling(log=True, dtype="float32", name=standardized_name(name))
            tensor = keras.layers.UnitNormalization(dtype="float32")(standardize(tensor))
        scaled = FeatureScaling(dtype="float32", name=head_name(name))(tensor)
        # What a row lacks counts as the mean.
        blocks[name] = keras.layers.Multiply(dtype="float32")([scaled, here])
        if name in radial:
            features = RadialBasis(*radial[name], name=radial_name(name))(scaled)
            radial_blocks[name] = keras.layers.Multiply(dtype="float32")([features, here])
    values = []
    for member in members:
        parts = [blocks[name] for name in member.encoders]
        parts += [radial_blocks[name] for name in member.radial]
        if member.is_scored:
            values.append(parts[0])
            continue
        joined = parts[0] if len(parts) == 1 else keras.layers.Concatenate(dtype="float32")(parts)
        linear = keras.layers.Dense(
            n_labels, use_bias=False, dtype="float32", name=member_name(member.name)
        )
        values.append(linear(joined))
    counts = [TokenCount(dtype="float32")(bags)] if bags else []
    fusion = LateFusion(members, [*presence], counts_tokens=bool(bags), name=SCORES)
    scores = fusion([*values, *presence.values(), *counts])
    return keras.Model(inputs, scores, name="late_fusion")
