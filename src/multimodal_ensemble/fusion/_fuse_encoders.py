"""Joining encoders into one model."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from multimodal_ensemble._layer_names import (
    EMBEDDINGS_DROPOUT,
    MODALITY_DROPOUT,
    SCORES,
    SHARED_NAMES,
    head_name,
    names_of,
    or_missing_name,
    presence_name,
)
from multimodal_ensemble._random import seeded_layers
from multimodal_ensemble._validation import (
    check_at_least,
    check_choice,
    check_fraction,
    find_repeated,
)
from multimodal_ensemble.encoders import Encoder, as_encoder_list
from multimodal_ensemble.exceptions import ModalityError
from multimodal_ensemble.fusion._encoder_inputs import features_of_input
from multimodal_ensemble.fusion._fusion_layer import check_fusion, make_fusion_layer
from multimodal_ensemble.fusion._missing_modality import AlwaysPresent, MissingModality
from multimodal_ensemble.fusion._modality_dropout import ModalityDropout


def fuse_encoders(
    encoders: Sequence[Encoder],
    n_labels: int,
    *,
    activation: str = "sigmoid",
    fusion: str | keras.Layer = "concat",
    dropout: float = 0,
    modality_dropout: float = 0,
    seed: int | None = None,
    name: str | None = None,
) -> keras.Model:
    """Build a model that joins the embeddings of several modalities.

    Each modality is an input named after its encoder, followed by the encoder's backbone, if any,
    and a new head. One dense layer with a unit per label takes the joined embeddings.

    Parameters
    ----------
    encoders : sequence of Encoder
        One fitted encoder per modality, with distinct names.
    n_labels : int
        Number of labels to predict, at least 1.
    activation : {"sigmoid", "softmax"}, default="sigmoid"
        ``"sigmoid"`` scores each label on its own. ``"softmax"`` is for one of several classes per
        row, whose scores add up to 1; train it with ``loss="categorical_crossentropy"``.
    fusion : {"concat", "gated", "attention"} or keras.Layer, default="concat"
        How embeddings are joined: concatenated, by `GatedFusion`, by `AttentionFusion`, or by any
        Keras layer that takes a list of embeddings and returns one, such as ``GatedFusion(64)`` or
        ``keras.layers.Average()``. The model gets a copy of a layer, with new weights. There is
        nothing to join with one encoder.
    dropout : float, default=0
        Dropout rate on the joined embeddings, in [0, 1).
    modality_dropout : float, default=0
        Probability of dropping a whole modality of a row in training, in [0, 1). At least one
        modality of each row is kept, so this has no effect with one encoder. See
        `ModalityDropout`.
    seed : int, optional
        Seed of the initial weights and of dropout. Default: both differ between calls.
    name : str, optional
        Name of the model. Default: the names of the modalities joined by ``_and_``.

    Returns
    -------
    keras.Model
        Takes a dictionary from modality name to an array of shape ``(n, *input_shape)`` and
        returns float32 scores of shape ``(n, n_labels)`` in 0..1. An optional modality has a
        second input, such as ``poster_present`` of shape ``(n, 1)``: 1 where a row has the
        modality, else 0. `MultimodalDataset` provides it.

    Raises
    ------
    ModalityError
        If there is no encoder, or if two encoders or two layers have the same name.
    ValueError
        If `n_labels` or a dropout rate is out of range, or `fusion` does not return one embedding
        per row.

    See Also
    --------
    fusion_parts : The parts of the model by modality.
    feature_model : The part of the model behind its backbones.
    fuse_models : Joins Keras models that are already trained.

    Notes
    -----
    Layers are named after their modality: ``poster_backbone``, ``poster_features`` (the seam
    between backbone and head), ``poster_head`` and ``poster_or_missing`` (see `MissingModality`).
    The fusion is ``embeddings`` and the last layer ``scores``. Heads and the fusion are new in
    each model; backbones belong to the encoders.

    `fit_model` trains the model and adapts the scaling of features. Before a plain
    `keras.Model.fit`, call `adapt_heads`. `load_model` loads the model after ``model.save``.

    Examples
    --------
    >>> from multimodal_ensemble import BagOfWordsEncoder, DenseEncoder, fuse_encoders
    >>> tags = BagOfWordsEncoder("tags").fit([["space", "war"], ["love"]])
    >>> year = DenseEncoder("year").fit([1977, 1997])
    >>> model = fuse_encoders([tags, year], n_labels=2)
    >>> inputs = {"tags": tags.encode([["war"]]), "year": year.encode([2001])}
    >>> model.predict(inputs, verbose=0).shape
    (1, 2)
    """
    encoders = as_encoder_list(encoders)
    check_at_least(n_labels, 1, name="n_labels")
    check_fraction(dropout, name="dropout")
    check_fraction(modality_dropout, name="modality_dropout")
    check_choice(activation, ("sigmoid", "softmax"), name="activation")
    check_fusion(fusion)
    inputs: dict[str, keras.KerasTensor] = {}
    embeddings: list[keras.KerasTensor] = []
    backbones = [_seeded_backbone(encoder, seed) for encoder in encoders]
    _check_layer_names(encoders, backbones)
    with seeded_layers(seed):
        for encoder, backbone in zip(encoders, backbones, strict=True):
            inputs[encoder.name], features = features_of_input(encoder, backbone)
            head = encoder.build_head()
            # `fusion_parts` finds a head by its name, and a subclass may return one of any name.
            head.name = head_name(encoder.name)
            embeddings.append(head(features))
        optional = [presence_name(encoder.name) for encoder in encoders if encoder.optional]
        inputs |= {presence: keras.Input((1,), name=presence) for presence in optional}
        if optional:
            embeddings = _replace_missing(encoders, inputs, embeddings, modality_dropout)
        elif modality_dropout and len(embeddings) > 1:
            embeddings = ModalityDropout(modality_dropout, name=MODALITY_DROPOUT)(embeddings)
        scores = join_embeddings(embeddings, n_labels, dropout, fusion, activation)
    return keras.Model(
        inputs, scores, name=name or "_and_".join(encoder.name for encoder in encoders)
    )


def _seeded_backbone(encoder: Encoder, seed: int | None) -> keras.Model | None:
    """Return a backbone; random weights without a seed of their own follow from `seed`."""
    # In a block of its own, because a backbone that is built here must not change the draws of the
    # heads, and one that was built before must not change those of other backbones.
    with seeded_layers(seed):
        return encoder.get_backbone()


def join_embeddings(
    embeddings: Sequence[keras.KerasTensor],
    n_labels: int,
    dropout: float,
    fusion: str | keras.Layer = "concat",
    activation: str = "sigmoid",
) -> keras.KerasTensor:
    """Return the scores from several embeddings."""
    joined = embeddings[0]
    if len(embeddings) > 1:
        joined = make_fusion_layer(fusion)(list(embeddings))
        if len(getattr(joined, "shape", ())) != 2:
            shape = getattr(joined, "shape", type(joined).__name__)
            msg = (
                "fusion must return one embedding per row, a tensor of shape (n, size). Received "
                f"{shape} from {fusion!r}."
            )
            raise ValueError(msg)
    if dropout:
        joined = keras.layers.Dropout(dropout, name=EMBEDDINGS_DROPOUT)(joined)
    # Scores stay float32 under mixed precision.
    layer = keras.layers.Dense(int(n_labels), activation=activation, dtype="float32", name=SCORES)
    return layer(joined)


def _replace_missing(
    encoders: Sequence[Encoder],
    inputs: dict[str, keras.KerasTensor],
    embeddings: Sequence[keras.KerasTensor],
    modality_dropout: float,
) -> list[keras.KerasTensor]:
    """Replace the embeddings of missing or dropped modalities by learned vectors."""
    is_dropped = modality_dropout > 0 and len(encoders) > 1
    presence = {}
    for encoder, embedding in zip(encoders, embeddings, strict=True):
        if encoder.optional:
            presence[encoder.name] = inputs[presence_name(encoder.name)]
        elif is_dropped:
            always = AlwaysPresent(dtype="float32", name=presence_name(encoder.name))
            presence[encoder.name] = always(embedding)
    if is_dropped:
        dropout = ModalityDropout(modality_dropout, presence=True, name=MODALITY_DROPOUT)
        presence = dict(zip(presence, dropout(list(presence.values())), strict=True))
    return [
        MissingModality(name=or_missing_name(encoder.name))([embedding, presence[encoder.name]])
        if encoder.name in presence
        else embedding
        for encoder, embedding in zip(encoders, embeddings, strict=True)
    ]


def _check_layer_names(
    encoders: Sequence[Encoder], backbones: Sequence[keras.Model | None]
) -> None:
    names = [*SHARED_NAMES, *(name for encoder in encoders for name in names_of(encoder.name))]
    names += {id(backbone): backbone.name for backbone in backbones if backbone}.values()
    if clashing := find_repeated(names):
        msg = (
            f"Two layers of the model would have the name(s) {clashing}. Rename the encoder, "
            "with column=... for the column it reads, or the backbone that it returns."
        )
        raise ModalityError(msg)
