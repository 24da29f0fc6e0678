"""Adaptation of a model's heads to the training rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
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
# Numbers in memory at once where there is no backbone: 8 MiB.
_NUMBERS_PER_CHUNK = 2**21


def adapt_to_rows(model: keras.Model, train: MultimodalDataset) -> None:
    """Adapt the layers of heads that have yet to adapt to the training rows."""
    parts = [part for part in fusion_parts(model).values() if part.needs_adapting]
    adapt_heads(model, {part.name: _head_input(part, train) for part in parts})


def _head_input(
    parts: ModalityParts, train: MultimodalDataset
) -> Callable[[], Iterator[NDArray[Any]]]:
    """Return a function for the input of a head, in chunks of rows that have the modality."""
    name = parts.name
    present = np.flatnonzero(train.present(name))
    if not present.size:
        msg = f"Modality {name!r} is missing in all training rows, so its head cannot adapt."
        raise ModalityError(msg)
    before = parts.trained if name in train.features else parts.backbone
    if before is None:
        size = train.encode_rows(present[:1], [name])[name].size
        step = max(_ROWS_PER_CALL, _NUMBERS_PER_CHUNK // max(1, size))
        # Rows are encoded again for each layer that adapts, because all of them may be too large.
        return partial(_encode_in_chunks, train, name, present, step)
    outputs = [
        np.asarray(predict_batch(before, inputs))
        for inputs in _encode_in_chunks(train, name, present, _ROWS_PER_CALL)
    ]
    return lambda: iter(outputs)


def _encode_in_chunks(
    train: MultimodalDataset, name: str, rows: NDArray[np.intp], step: int
) -> Iterator[NDArray[Any]]:
    for chunk in np.array_split(rows, -(-rows.size // step)):
        yield train.encode_rows(chunk, [name])[name]
