"""Checks of data sets against a model and against each other, before any training."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._layer_names import presence_name
from multimodal_ensemble.encoders import Encoder
from multimodal_ensemble.exceptions import ModalityError
from multimodal_ensemble.features import model_fingerprint
from multimodal_ensemble.fusion import ModalityParts, fusion_parts
from multimodal_ensemble.generators import MultimodalDataset


def check_datasets(
    model: keras.Model, train: MultimodalDataset, validation: MultimodalDataset
) -> None:
    """Raise an error unless both data sets fit the model and each other."""
    for dataset, what in ((train, "training"), (validation, "validation")):
        check_modalities(model, dataset)
        _check_number_of_labels(model, dataset, what)
    unnamed = [str(column) for column in range(len(train.labels))]
    if train.labels != validation.labels and unnamed not in (train.labels, validation.labels):
        msg = (
            "Training and validation rows must have the same labels in the same order. Received "
            f"{train.labels} and {validation.labels}."
        )
        raise ValueError(msg)
    # Of rows of different lengths that are all missing, a data set has features without a store.
    if set(train.features) != set(validation.features) - _features_of_no_row(train, validation):
        msg = (
            "Training and validation rows must have features of the same modalities. Received "
            f"{sorted(train.features)} and {sorted(validation.features)}; make both data sets "
            "with the same store."
        )
        raise ModalityError(msg)
    if validation.augment:
        msg = (
            "Validation rows must not be augmented: make their data set with augment=False, or "
            "without shuffle=True, which augments by default."
        )
        raise ValueError(msg)


def check_is_dataset(dataset: Any) -> MultimodalDataset:
    """Return a data set, or raise a TypeError that says how to make one."""
    if not isinstance(dataset, MultimodalDataset):
        msg = (
            f"A MultimodalDataset is required. Received a {type(dataset).__name__}; convert it "
            "with MultimodalDataset(data, encoders, y)."
        )
        raise TypeError(msg)
    return dataset


def check_modalities(model: keras.Model, dataset: MultimodalDataset) -> None:
    """Raise a ModalityError unless the data set has exactly the modalities of the model."""
    check_is_dataset(dataset)
    wanted = {tensor.name: tensor.shape[1:] for tensor in model.inputs}
    given = {encoder.name: encoder.input_shape for encoder in dataset.encoders}
    given |= {presence_name(encoder.name): (1,) for encoder in dataset.encoders if encoder.optional}
    absent = sorted(set(wanted) - set(given))
    extra = sorted(set(given) - set(wanted))
    if absent or extra:
        msg = (
            f"The model {model.name!r} takes the modalities {list(wanted)}, and the data "
            f"set has {list(given)}. Absent: {absent}. Unexpected: {extra}. "
            "Make the data set with the encoders that the model was built from."
        )
        raise ModalityError(msg)
    parts = fusion_parts(model)
    for encoder in dataset.encoders:
        from_store = encoder.name in dataset.features
        if from_store and not dataset.has_features_of(encoder):
            msg = (
                f"The backbone of {encoder.name!r} was unfrozen after the data set took its "
                "features from the store, or was frozen again. Make the data set again."
            )
            raise ModalityError(msg)
        _check_same_backbone(model, parts[encoder.name], encoder, from_store=from_store)
    for name, shape in wanted.items():
        if tuple(shape) != tuple(given[name]):
            msg = (
                f"The model {model.name!r} takes rows of shape {tuple(shape)} as {name!r}, and "
                f"the data set's encoder returns {tuple(given[name])}. "
                "Was the encoder fitted again after the model was built?"
            )
            raise ModalityError(msg)


def required_labels(dataset: MultimodalDataset, what: str) -> NDArray[np.bool_]:
    """Return the labels of a data set, or raise a ValueError that names the rows without labels."""
    if dataset.y is None:
        msg = f"The {what} rows have no labels. Make their data set with y=..."
        raise ValueError(msg)
    return dataset.y


def _check_same_backbone(
    model: keras.Model, parts: ModalityParts, encoder: Encoder, *, from_store: bool
) -> None:
    """Raise a ModalityError if the model's backbone differs from its encoder's."""
    expected = encoder.get_backbone()
    received = parts.backbone
    if expected is None or received is None or received is expected:
        return
    if expected.trainable_weights and not received.trainable_weights:
        msg = (
            f"The backbone of the encoder {encoder.name!r} is unfrozen, but the model "
            f"{model.name!r} has a frozen backbone of its own, as loaded models do. Build the "
            "model from the encoder, and copy the loaded weights with set_weights(get_weights()); "
            "or freeze the encoder's backbone with unfreeze(0), and make the data sets again."
        )
        raise ModalityError(msg)
    if from_store:
        # A loaded model has a backbone of its own, which must be equal.
        frozen = encoder.frozen_part()
        if parts.frozen and frozen and model_fingerprint(parts.frozen) == model_fingerprint(frozen):
            return
        msg = (
            f"The data set has features of another backbone for {encoder.name!r} than the model "
            f"{model.name!r}: its structure, preprocessing or weights differ. Make the data set "
            "with the encoder that the model was built from."
        )
        raise ModalityError(msg)


def _check_number_of_labels(model: keras.Model, dataset: MultimodalDataset, what: str) -> None:
    n_labels = required_labels(dataset, what).shape[1]
    if n_labels != model.output_shape[-1]:
        msg = (
            f"The model {model.name!r} predicts {model.output_shape[-1]} labels, and the {what} "
            f"rows have {n_labels}. Build the model with n_labels={n_labels}."
        )
        raise ValueError(msg)


def _features_of_no_row(train: MultimodalDataset, validation: MultimodalDataset) -> set[str]:
    """Return the modalities that no validation row has, and of which only these have features."""
    more = set(validation.features) - set(train.features)
    return {name for name in more if not validation.present(name).any()}
