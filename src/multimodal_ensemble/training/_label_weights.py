"""Weights of labels in the loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from numpy.typing import ArrayLike, NDArray

from multimodal_ensemble._keras import check_loss
from multimodal_ensemble._known_labels import read_known_labels
from multimodal_ensemble._label_names import values_by_label
from multimodal_ensemble.generators import MultimodalDataset
from multimodal_ensemble.training._check_datasets import required_labels
from multimodal_ensemble.training._entry_loss import EntryLoss, is_mean_over_labels
from multimodal_ensemble.training._label_weighted_crossentropy import (
    LabelWeightedCrossentropy,
    check_weights,
)


def balanced_label_weights(y: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return weights with which the positives of each label count as much as its negatives.

    For each label, they are the balanced class weights of scikit-learn [1]_:
    ``n / (2 * n_positive)`` and ``n / (2 * n_negative)``. A label without positives or without
    negatives has weight 1.

    Parameters
    ----------
    y : array-like of shape (n_samples, n_labels)
        Multi-hot labels of the training rows, 0 or 1, or NaN where a label is unknown.

    Returns
    -------
    positive : ndarray of shape (n_labels,)
        Weights where a label is present, float64.
    negative : ndarray of shape (n_labels,)
        Weights where it is absent, float64.

    Raises
    ------
    ValueError
        If `y` is not multi-hot.

    See Also
    --------
    fit_model : Uses them for ``label_weight="balanced"``.
    LabelWeightedCrossentropy : The loss that takes them.

    References
    ----------
    .. [1] `sklearn.utils.class_weight.compute_class_weight`, after G. King, L. Zeng, "Logistic
       regression in rare events data", Political Analysis 9(2), 2001.

    Examples
    --------
    >>> from multimodal_ensemble.training import balanced_label_weights
    >>> positive, negative = balanced_label_weights([[1, 0], [0, 0], [0, 0], [0, 0]])
    >>> positive.tolist(), [round(weight, 3) for weight in negative.tolist()]
    ([2.0, 1.0], [0.667, 1.0])
    """
    present, known = read_known_labels(y, name="y")
    n_rows = len(present) if known is None else known.sum(axis=0)
    n_positive = present.sum(axis=0)
    has_both = (n_positive > 0) & (n_positive < n_rows)
    n_positive = np.where(has_both, n_positive, n_rows / 2)
    return n_rows / (2 * n_positive), n_rows / (2 * (n_rows - n_positive))


def resolve_loss(loss: Any, label_weight: Any, train: MultimodalDataset) -> Any:
    """Return the loss to train with, for the `loss` and `label_weight` of `fit_model`."""
    y = required_labels(train, "training")
    check_loss(loss)
    has_weights_of_labels = train.sample_weight is not None and train.sample_weight.ndim == 2
    if label_weight is not None:
        weighted = _weighted_loss(label_weight, train.truth, train.labels, loss=loss)
        return EntryLoss(weighted) if has_weights_of_labels else weighted
    is_categorical = loss == "categorical_crossentropy" or isinstance(
        loss, keras.losses.CategoricalCrossentropy
    )
    if is_categorical and not (y.sum(axis=1) == 1).all():
        msg = (
            "Keras's categorical cross-entropy is for rows with exactly one label. It takes the "
            "softmax over the inputs of the sigmoid units, and with several labels per row all "
            "scores approach 1. Use loss='binary_crossentropy'."
        )
        raise ValueError(msg)
    if is_categorical and has_weights_of_labels:
        msg = (
            "Keras's categorical cross-entropy is one loss of all labels of a row, so it cannot "
            "leave out unknown labels (NaN in y) or weigh each label. Use "
            "loss='binary_crossentropy'."
        )
        raise ValueError(msg)
    if has_weights_of_labels and not is_mean_over_labels(loss):
        msg = (
            f"loss={loss!r} is no mean over the labels of a row, so it cannot leave out unknown "
            "labels (NaN in y) or weigh each label. Use loss='binary_crossentropy', or a function "
            "that returns the mean over the last axis."
        )
        raise ValueError(msg)
    return EntryLoss(loss) if has_weights_of_labels else loss


def _weighted_loss(
    label_weight: Any, y: Any, labels: Sequence[str], *, loss: Any
) -> LabelWeightedCrossentropy:
    if not (isinstance(loss, str) and loss == "binary_crossentropy"):
        msg = (
            "label_weight weights the labels in the binary cross-entropy, so it requires "
            f"loss='binary_crossentropy'. Received loss={loss!r}."
        )
        raise ValueError(msg)
    label_weight = values_by_label(label_weight, labels)
    if isinstance(label_weight, str):
        if label_weight != "balanced":
            msg = (
                "label_weight must be 'balanced', one weight per label, or a mapping of label "
                f"names to weights. Received {label_weight!r}."
            )
            raise ValueError(msg)
        return LabelWeightedCrossentropy(*balanced_label_weights(y))
    if isinstance(label_weight, Mapping):
        if unknown := [name for name in label_weight if name not in labels]:
            msg = (
                f"label_weight names {unknown}, which are not labels of the training rows. These "
                f"have {list(labels)}."
            )
            raise ValueError(msg)
        label_weight = [label_weight.get(name, 1.0) for name in labels]
    positive = check_weights(label_weight, name="label_weight")
    if len(positive) != len(labels):
        msg = (
            f"label_weight must have shape ({len(labels)},), one weight per label. Received shape "
            f"{positive.shape}."
        )
        raise ValueError(msg)
    return LabelWeightedCrossentropy(positive, np.ones(len(labels)))
