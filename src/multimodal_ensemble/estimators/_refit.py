"""Training the heads of some modalities again, while the other heads keep their weights."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import pandas as pd
from sklearn.base import clone

from multimodal_ensemble.encoders import Encoder, fit_encoders
from multimodal_ensemble.exceptions import ModalityError
from multimodal_ensemble.fusion import fusion_parts


def refit_encoders(
    fitted: Sequence[Encoder],
    configured: Sequence[Encoder],
    modalities: Sequence[str],
    data: pd.DataFrame,
) -> list[Encoder]:
    """Return the `configured` encoders: those of `modalities` newly fitted, the others as is."""
    present = {encoder.name: encoder for encoder in fitted}
    wanted = {encoder.name: encoder for encoder in configured}
    if unknown := [name for name in modalities if name not in wanted]:
        msg = f"There is no encoder for {unknown}; the classifier has {list(wanted)}."
        raise ModalityError(msg)
    if new := [name for name in wanted if name not in {*present, *modalities}]:
        msg = f"The encoders of {new} are new, so their heads must be trained. Add them."
        raise ModalityError(msg)
    if set(wanted) <= set(modalities):
        msg = f"The heads of all modalities, {list(wanted)}, would be trained; call fit for that."
        raise ModalityError(msg)
    refitted = fit_encoders([clone(wanted[name]) for name in modalities], data)
    present |= {encoder.name: encoder for encoder in refitted}
    return [present[name] for name in wanted]


def keep_heads(model: keras.Model, trained: keras.Model, modalities: Sequence[str]) -> None:
    """Copy the heads of these modalities from a trained model, and freeze them."""
    parts, trained_parts = fusion_parts(model), fusion_parts(trained)
    for name in modalities:
        new, old = parts[name], trained_parts[name]
        for layer, before in ((new.head, old.head), (new.or_missing, old.or_missing)):
            if layer is not None and before is not None:
                layer.set_weights(before.get_weights())
                layer.trainable = False
