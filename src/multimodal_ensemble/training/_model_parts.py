"""The only module of `training` that looks inside a fusion model."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble.encoders import Encoder
from multimodal_ensemble.exceptions import ModalityError
from multimodal_ensemble.features import model_fingerprint
from multimodal_ensemble.fusion import adapt_heads
from multimodal_ensemble.fusion._feature_model import (
    backbone_names,
    find_backbone,
    frozen_part,
    heads_to_adapt,
    trained_part,
)
from multimodal_ensemble.generators import MultimodalDataset

# Encoded rows, for example images, that go through a backbone at once.
_ROWS_PER_CALL = 32


def adapt_to_rows(model: keras.Model, train: MultimodalDataset) -> None:
    """Adapt the layers of heads that have yet to adapt to the training rows."""
    adapt_heads(model, {name: _head_input(model, train, name) for name in heads_to_adapt(model)})


def _head_input(model: keras.Model, train: MultimodalDataset, name: str) -> NDArray[Any]:
    """Return the input of a head for the training rows that have the modality."""
    present = np.flatnonzero(train.present(name))
    if not present.size:
        msg = f"Modality {name!r} is missing in all training rows, so its head cannot adapt."
        raise ModalityError(msg)
    before: keras.Model | None = None
    if name in train.features:
        before = trained_part(model, name)
        if before is None:
            return train.features[name][present]
    elif name in backbone_names(model):
        before = find_backbone(model, name)
    parts = []
    for rows in np.array_split(present, -(-present.size // _ROWS_PER_CALL)):
        inputs = train.encode_rows(rows, [name])[name]
        parts.append(inputs if before is None else np.asarray(before.predict_on_batch(inputs)))
    return np.concatenate(parts)


def check_same_backbone(model: keras.Model, encoder: Encoder, *, from_store: bool) -> None:
    """Raise a ModalityError if the model's backbone differs from its encoder's.

    Parameters
    ----------
    model : keras.Model
        A fusion model.
    encoder : Encoder
        One of the data set's encoders.
    from_store : bool
        Whether the data set has the encoder's features from a store.
    """
    backbone = encoder.get_backbone()
    if backbone is None or encoder.name not in backbone_names(model):
        return
    here = find_backbone(model, encoder.name)
    if here is backbone:
        return
    if not encoder.is_frozen and not here.trainable_weights:
        msg = (
            f"The backbone of the encoder {encoder.name!r} is unfrozen, but the model "
            f"{model.name!r} has a frozen backbone of its own, as loaded models do. Build the "
            "model from the encoder, and copy the loaded weights with set_weights(get_weights()); "
            "or freeze the encoder's backbone with unfreeze(0), and make the data sets again."
        )
        raise ModalityError(msg)
    if from_store:
        # A loaded model has a backbone of its own, which must be equal.
        frozen_here, frozen = frozen_part(model, encoder.name), encoder.frozen_part()
        if frozen_here and frozen and model_fingerprint(frozen_here) == model_fingerprint(frozen):
            return
        msg = (
            f"The data set has features of another backbone for {encoder.name!r} than the model "
            f"{model.name!r}: its structure, preprocessing or weights differ. Make the data set "
            "with the encoder that the model was built from."
        )
        raise ModalityError(msg)
