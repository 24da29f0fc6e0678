"""What tells one training from another, so that none is resumed with other data or models."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble.exceptions import CheckpointError
from multimodal_ensemble.generators import MultimodalDataset
from multimodal_ensemble.training._changing_variables import changing_variables

Identity = dict[str, dict[str, Any]]

# What to do about a difference, by the part of the identity that it is in.
_FIXES = {
    "model": "Build the model as it was built then",
    "training rows": "Make the training data set as it was made then",
    "validation rows": "Make the validation data set as it was made then",
    "optimizer": "Pass the same optimizer",
    "loss": "Pass the same loss and label_weight",
}


def training_identity(
    model: keras.Model,
    trained: keras.Model,
    datasets: tuple[MultimodalDataset, MultimodalDataset],
    *,
    optimizer: keras.optimizers.Optimizer,
    loss: Any,
) -> Identity:
    """Return what must be the same when a training is resumed, as JSON gives it back.

    Parameters
    ----------
    model, trained : keras.Model
        The whole model, and the part of it that is trained.
    datasets : pair of MultimodalDataset
        Training and validation rows.
    optimizer : keras.optimizers.Optimizer
        Only its class counts: a learning rate is one of its variables.
    loss : str, keras.losses.Loss or callable
        Told by its name, and by its weights where it has some.
    """
    changing = changing_variables(trained)
    ids = {id(variable) for variable in changing}
    frozen = [weight for weight in model.weights if id(weight) not in ids]
    train, validation = datasets
    identity = {
        "model": {
            "inputs": {tensor.name: list(tensor.shape[1:]) for tensor in trained.inputs},
            "variables": [_describe(variable) for variable in changing],
            "frozen weights": _digest(*(weight.numpy() for weight in frozen)),
        },
        "training rows": _describe_rows(train),
        "validation rows": _describe_rows(validation),
        "optimizer": {"class": type(optimizer).__name__},
        "loss": _describe_loss(loss),
    }
    as_read: Identity = json.loads(json.dumps(identity))
    return as_read


def check_same_training(there: Mapping[str, Any], here: Identity, *, path: Path) -> None:
    """Raise a CheckpointError that names what differs between a checkpoint and a training."""
    for part, values in here.items():
        for name, value in values.items():
            before = there.get(part, {}).get(name)
            if before != value:
                msg = (
                    f"The checkpoint {str(path)!r} is of another training. {part.capitalize()}: "
                    f"{_difference(name, before, value)}. {_FIXES[part]}, or start anew without "
                    "resume_from."
                )
                raise CheckpointError(msg)


def _describe(variable: Any) -> str:
    # Keras numbers what has no name of its own, through the whole process.
    path = re.sub(r"_\d+(?=/|$)", "", variable.path)
    return f"{path} {tuple(variable.shape)} {variable.dtype}"


def _describe_rows(dataset: MultimodalDataset) -> dict[str, Any]:
    order = dataset.order_of(0)
    return {
        "number of rows": dataset.n_samples,
        "labels": list(dataset.labels),
        "batch_size": int(dataset.batch_size),
        "seed": int(dataset.seed),
        "shuffle": bool(dataset.shuffle),
        "augment": bool(dataset.augment),
        "features from a store": sorted(dataset.features),
        "y": _digest(np.asarray(dataset.y)),
        "sample_weight": None if dataset.sample_weight is None else _digest(dataset.sample_weight),
        # The same seed gives another order where numpy's generator is another one.
        "order": _digest(order),
    }


def _describe_loss(loss: Any) -> dict[str, Any]:
    name = loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__)
    return {
        "name": name,
        "positive_weight": getattr(loss, "positive_weight", None),
        "negative_weight": getattr(loss, "negative_weight", None),
    }


def _digest(*arrays: NDArray[Any]) -> str:
    total = hashlib.sha256()
    for array in arrays:
        total.update(f"{array.shape} {array.dtype}".encode())
        total.update(np.ascontiguousarray(array).tobytes())
    return f"sha256 {total.hexdigest()}"


def _difference(name: str, before: Any, value: Any) -> str:
    if name == "variables" and before is not None:
        if len(before) != len(value):
            return f"{len(before)} variables are trained there, {len(value)} here"
        pairs = zip(before, value, strict=True)
        name, before, value = "variable", *next((old, new) for old, new in pairs if old != new)
    if isinstance(value, str) and value.startswith("sha256 "):
        return f"{name} not the same"
    return f"{name} {before!r} there, {value!r} here"
