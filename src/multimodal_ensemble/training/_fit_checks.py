"""What `fit_model` refuses before anything is trained."""

from __future__ import annotations

from typing import Any

import keras

from multimodal_ensemble.exceptions import ModalityError
from multimodal_ensemble.generators import MultimodalDataset
from multimodal_ensemble.training._predict import check_modalities
from multimodal_ensemble.training._validation_scoring import required_labels


def check_datasets(
    model: keras.Model, train: MultimodalDataset, validation: MultimodalDataset
) -> None:
    """Raise an error unless both data sets fit the model and each other."""
    for dataset, what in ((train, "training"), (validation, "validation")):
        check_modalities(model, dataset)
        _check_labels(model, dataset, what)
    unnamed = [str(column) for column in range(len(train.labels))]
    if train.labels != validation.labels and unnamed not in (train.labels, validation.labels):
        msg = (
            "Training and validation rows must have the same labels in the same order. Received "
            f"{train.labels} and {validation.labels}."
        )
        raise ValueError(msg)
    if set(train.features) != set(validation.features):
        msg = (
            "Training and validation rows must give features of the same modalities. Received "
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


def check_loss(loss: Any, train: MultimodalDataset) -> None:
    """Raise a ValueError if the loss is Keras's categorical one and rows have several labels."""
    is_categorical = loss == "categorical_crossentropy" or isinstance(
        loss, keras.losses.CategoricalCrossentropy
    )
    if is_categorical and not (required_labels(train, "training").sum(axis=1) == 1).all():
        msg = (
            "Keras's categorical cross-entropy is for rows of exactly one label: it takes the "
            "softmax of what feeds the sigmoid units, and with several labels a row all scores "
            "run away to 1. Use loss='binary_crossentropy'."
        )
        raise ValueError(msg)


def refuse_class_weight(class_weight: Any) -> None:
    """Raise a ValueError if there are weights of classes."""
    if class_weight is not None:
        msg = (
            "class_weight is for rows of exactly one class: Keras takes the argmax of a multi-hot "
            "row as its one class, so that the weight of a row would depend on one of its labels "
            f"only. Received {class_weight!r}. Use label_weight, which weighs each label."
        )
        raise ValueError(msg)


def _check_labels(model: keras.Model, dataset: MultimodalDataset, what: str) -> None:
    n_labels = required_labels(dataset, what).shape[1]
    if n_labels != model.output_shape[-1]:
        msg = (
            f"The model {model.name!r} predicts {model.output_shape[-1]} labels, and the {what} "
            f"rows have {n_labels}. Build the model with n_labels={n_labels}."
        )
        raise ValueError(msg)
