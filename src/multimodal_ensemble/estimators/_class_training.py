"""What the training of a network of several classes needs: its loss, and weights of classes."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._label_names import in_label_order, values_by_label
from multimodal_ensemble._target import MULTICLASS, Target
from multimodal_ensemble.estimators._rows import TrainingRows

_LOSSES = {MULTICLASS: "categorical_crossentropy"}


def activation_of(target: Target) -> str:
    """Return the activation of the last layer of a network."""
    return "softmax" if target.kind == MULTICLASS else "sigmoid"


def loss_of(loss: Any, target: Target) -> Any:
    """Return the loss of a network, where "auto" is that of its last layer."""
    is_auto = isinstance(loss, str) and loss == "auto"
    return _LOSSES.get(target.kind, "binary_crossentropy") if is_auto else loss


def weigh_classes(rows: TrainingRows, label_weight: Any) -> TrainingRows:
    """Return the rows with the weight of the class of each training row.

    ``"balanced"`` gives all classes the same sum of weights.
    """
    if label_weight is None:
        return rows
    train, labels = rows.train, rows.labels
    by_class = _read_weights(label_weight, labels, train.y)
    weight = by_class[train.y.argmax(axis=1)]
    if train.weight is not None:
        weight = weight * train.weight
    return dataclasses.replace(rows, train=dataclasses.replace(train, weight=weight))


def _read_weights(
    label_weight: Any, labels: NDArray[Any], y: NDArray[np.bool_]
) -> NDArray[np.float64]:
    if isinstance(label_weight, str) and label_weight == "balanced":
        counts = y.sum(axis=0)
        return np.where(counts > 0, len(y) / (len(labels) * np.maximum(counts, 1)), 1.0)
    given = values_by_label(label_weight, labels.tolist())
    if isinstance(given, Mapping):
        names = [str(label) for label in labels.tolist()]
        if unknown := [name for name in given if name not in names]:
            msg = f"label_weight names {unknown}, which are no classes. The classes are {names}."
            raise ValueError(msg)
        given = [given.get(name, 1.0) for name in names]
    given = in_label_order(given, labels.tolist(), name="label_weight")
    weights = np.asarray(None if isinstance(given, str) else given)
    is_valid = weights.dtype.kind in "iuf" and weights.shape == labels.shape
    if not is_valid or not np.isfinite(weights).all() or not (weights > 0).all():
        msg = (
            "label_weight must be 'balanced', or one positive number for each of the "
            f"{len(labels)} classes, perhaps as a mapping. Received {label_weight!r}."
        )
        raise ValueError(msg)
    return weights.astype(np.float64)
