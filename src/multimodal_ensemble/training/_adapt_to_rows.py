"""Adaptation of a model's heads to the training rows."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._graphs import predict_batch
from multimodal_ensemble.exceptions import ModalityError
from multimodal_ensemble.fusion import ModalityParts, adapt_heads, fusion_parts
from multimodal_ensemble.generators import MultimodalDataset

# Encoded rows, for example images, that go through a backbone at once.
_ROWS_PER_CALL = 32


def adapt_to_rows(model: keras.Model, train: MultimodalDataset) -> None:
    """Adapt the layers of heads that have yet to adapt to the training rows."""
    parts = [part for part in fusion_parts(model).values() if part.needs_adapting]
    adapt_heads(model, {part.name: _head_input(part, train) for part in parts})


def _head_input(parts: ModalityParts, train: MultimodalDataset) -> NDArray[Any]:
    """Return the input of a head for the training rows that have the modality."""
    name = parts.name
    present = np.flatnonzero(train.present(name))
    if not present.size:
        msg = f"Modality {name!r} is missing in all training rows, so its head cannot adapt."
        raise ModalityError(msg)
    if name in train.features and parts.trained is None:
        return train.features[name][present]
    before = parts.trained if name in train.features else parts.backbone
    outputs = []
    for rows in np.array_split(present, -(-present.size // _ROWS_PER_CALL)):
        inputs = train.encode_rows(rows, [name])[name]
        outputs.append(inputs if before is None else np.asarray(predict_batch(before, inputs)))
    return np.concatenate(outputs)
