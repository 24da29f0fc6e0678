"""Joining encoders into one model."""

from __future__ import annotations

from collections.abc import Sequence

import keras

from multimodal_ensemble._layer_names import presence_name
from multimodal_ensemble._random import seeded_layers
from multimodal_ensemble._validation import check_at_least, check_fraction
from multimodal_ensemble.encoders import Encoder, as_encoder_list
from multimodal_ensemble.exceptions import ModalityError
from multimodal_ensemble.fusion._missing_modality import AlwaysPresent, MissingModality
from multimodal_ensemble.fusion._modality_dropout import ModalityDropout
from multimodal_ensemble.fusion._presence_dropout import PresenceDropout


def fuse_encoders(
    encoders: Sequence[Encoder],
    n_labels: int,
    *,
    dropout: float = 0,
    modality_dropout: float = 0,
    seed: int | None = None,
    name: str | None = None,
) -> keras.Model:
    """Build a model that concatenates the embeddings of several modalities.

    Each modality is an input named after its encoder, then the encoder's backbone if it has one,
    then a new head; the embeddings are concatenated, and one dense layer gives one sigmoid unit
    a label. With one encoder it is the unimodal model: hidden layer, output layer.

    Parameters
    ----------
    encoders : sequence of Encoder
        One fitted encoder a modality, with distinct names.
    n_labels : int
        How many labels to predict, at least 1.
    dropout : float, default=0
        Dropout rate on the concatenated embeddings, in [0, 1).
    modality_dropout : float, default=0
        Rate at which a whole modality is left out of a row in training, in [0, 1); never all of
        them at once, so with one encoder it does nothing. See `ModalityDropout` and, if one of the
        encoders is `optional`, `PresenceDropout`.
    seed : int, optional
        Makes the initial weights and the dropout repeatable.
    name : str, optional
        Name of the model. Default: the names of the modalities joined by ``_and_``.

    Returns
    -------
    keras.Model
        Takes a dictionary from modality name to an array of shape ``(n, *input_shape)``, gives
        scores of shape ``(n, n_labels)`` in 0..1, float32. An optional modality has a second
        input, ``poster_present`` of shape ``(n, 1)``, 1 where it is there and 0 where it is
        missing, as `MultimodalDataset` gives it. Layers are named after the modality:
        ``poster_backbone``, ``poster_features`` (where `feature_model` cuts), ``poster_head``,
        ``poster_or_missing`` (see `MissingModality`); the last one is ``scores``. The heads are
        the model's own, the backbones are the encoders' and shared by all models built from them.
        `fit_model` trains it and adapts the scaling of features; before a plain
        `keras.Model.fit`, call `adapt_heads`. `load_model` loads it after ``model.save``.

    Raises
    ------
    ModalityError
        If there is no encoder, or names clash: of two encoders, or of two layers.
    ValueError
        If `n_labels` or a dropout rate is out of range.

    See Also
    --------
    feature_model : The part of the model behind its backbones.
    fuse_models : The same for Keras models that are already trained.

    Examples
    --------
    >>> from multimodal_ensemble import BagOfWordsEncoder, DenseEncoder, fuse_encoders
    >>> tags = BagOfWordsEncoder("tags").fit([["space", "war"], ["love"]])
    >>> table = DenseEncoder("year").fit([1977, 1997])
    >>> model = fuse_encoders([tags, table], n_labels=2)
    >>> scores = model.predict({"tags": tags.encode([["war"]]), "year": table.encode([2001])},
    ...                        verbose=0)
    >>> scores.shape
    (1, 2)
    """
    encoders = as_encoder_list(encoders)
    check_at_least(n_labels, 1, name="n_labels")
    check_fraction(dropout, name="dropout")
    check_fraction(modality_dropout, name="modality_dropout")
    inputs: dict[str, keras.KerasTensor] = {}
    embeddings: list[keras.KerasTensor] = []
    # Before the seed is set: a backbone that is built only now would use up draws of the heads.
    backbones = [encoder.get_backbone() for encoder in encoders]
    _check_layer_names(encoders, backbones)
    with seeded_layers(seed):
        for encoder, backbone in zip(encoders, backbones, strict=True):
            tensor = keras.Input(encoder.input_shape, dtype=encoder.input_dtype, name=encoder.name)
            inputs[encoder.name] = tensor
            if backbone is not None:
                # The seam at which `feature_model` cuts, whatever the backbone is called.
                seam = keras.layers.Identity(name=f"{encoder.name}_features")
                tensor = seam(backbone(tensor, training=False))
            embeddings.append(_named_head(encoder)(tensor))
        if any(encoder.optional for encoder in encoders):
            inputs |= {
                presence_name(encoder.name): keras.Input((1,), name=presence_name(encoder.name))
                for encoder in encoders
                if encoder.optional
            }
            embeddings = _replace_missing(encoders, inputs, embeddings, modality_dropout)
        elif modality_dropout and len(embeddings) > 1:
            embeddings = ModalityDropout(modality_dropout, name="modality_dropout")(embeddings)
        joined = join_embeddings(embeddings)
        if dropout:
            joined = keras.layers.Dropout(dropout, name="embeddings_dropout")(joined)
        scores = score_layer(n_labels)(joined)
    return keras.Model(
        inputs, scores, name=name or "_and_".join(encoder.name for encoder in encoders)
    )


def _replace_missing(
    encoders: Sequence[Encoder],
    inputs: dict[str, keras.KerasTensor],
    embeddings: Sequence[keras.KerasTensor],
    modality_dropout: float,
) -> list[keras.KerasTensor]:
    """Put learned vectors in place of the embeddings that are missing or dropped."""
    is_dropped = modality_dropout > 0 and len(encoders) > 1
    presence: dict[str, keras.KerasTensor] = {}
    for encoder, embedding in zip(encoders, embeddings, strict=True):
        if encoder.optional:
            presence[encoder.name] = inputs[presence_name(encoder.name)]
        elif is_dropped:
            presence[encoder.name] = AlwaysPresent(
                dtype="float32", name=presence_name(encoder.name)
            )(embedding)
    if is_dropped:
        dropout = PresenceDropout(modality_dropout, name="modality_dropout")
        presence = dict(zip(presence, dropout(list(presence.values())), strict=True))
    return [
        MissingModality(name=f"{encoder.name}_or_missing")([embedding, presence[encoder.name]])
        if encoder.name in presence
        else embedding
        for encoder, embedding in zip(encoders, embeddings, strict=True)
    ]


def _check_layer_names(
    encoders: Sequence[Encoder], backbones: Sequence[keras.Model | None]
) -> None:
    names = ["embeddings", "embeddings_dropout", "modality_dropout", "scores"]
    for encoder in encoders:
        names += [encoder.name, f"{encoder.name}_features", f"{encoder.name}_head"]
        names += [presence_name(encoder.name), f"{encoder.name}_or_missing"]
    names += {id(backbone): backbone.name for backbone in backbones if backbone}.values()
    if clashing := sorted({name for name in names if names.count(name) > 1}):
        msg = (
            f"Two layers of the model would have the name(s) {clashing}. Rename the encoder, "
            "with column=... for the column it reads, or the backbone that it returns."
        )
        raise ModalityError(msg)


def join_embeddings(embeddings: Sequence[keras.KerasTensor]) -> keras.KerasTensor:
    """Concatenate embeddings; a single one stays as it is."""
    if len(embeddings) == 1:
        return embeddings[0]
    return keras.layers.Concatenate(name="embeddings")(embeddings)


def score_layer(n_labels: int) -> keras.layers.Dense:
    """Return one sigmoid unit a label, in float32 under mixed precision, too."""
    return keras.layers.Dense(int(n_labels), activation="sigmoid", dtype="float32", name="scores")


def _named_head(encoder: Encoder) -> keras.Layer:
    # `adapt_heads` finds a head by its name, and a third party's may have any.
    head, name = encoder.build_head(), f"{encoder.name}_head"
    return head if head.name == name else keras.Sequential([head], name=name)
