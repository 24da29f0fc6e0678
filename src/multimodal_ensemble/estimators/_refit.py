"""Training some heads anew, with the others as they are."""

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
    """Return newly fitted encoders of some modalities beside the present ones of the others.

    Parameters
    ----------
    fitted : sequence of Encoder
        Those of the classifier so far.
    configured : sequence of Encoder
        All that it shall have, in their order.
    modalities : sequence of str
        Which of these to fit to the data.
    data : DataFrame
        The training rows.

    Raises
    ------
    ModalityError
        If there is no such encoder, or no head would be left as it is.
    """
    present = {encoder.name: encoder for encoder in fitted}
    wanted = {encoder.name: encoder for encoder in configured}
    if unknown := [name for name in modalities if name not in wanted]:
        msg = f"There is no encoder for {unknown}; the classifier has {list(wanted)}."
        raise ModalityError(msg)
    if new := [name for name in wanted if name not in {*present, *modalities}]:
        msg = f"The encoders of {new} are new, so their heads must be trained, too."
        raise ModalityError(msg)
    if set(wanted) <= set(modalities):
        msg = (
            f"The heads of all modalities, {list(wanted)}, would be trained anew; that is what fit "
            "does."
        )
        raise ModalityError(msg)
    new_ones = fit_encoders([clone(wanted[name]) for name in modalities], data)
    present |= {encoder.name: encoder for encoder in new_ones}
    return [present[name] for name in wanted]


def keep_heads(model: keras.Model, trained: keras.Model, modalities: Sequence[str]) -> None:
    """Give a model the trained heads of all but some modalities, and freeze these heads."""
    trained_parts = fusion_parts(trained)
    for name, parts in fusion_parts(model).items():
        if name in modalities:
            continue
        kept = trained_parts[name]
        for layer, before in ((parts.head, kept.head), (parts.or_missing, kept.or_missing)):
            if layer is not None and before is not None:
                layer.set_weights(before.get_weights())
                layer.trainable = False
