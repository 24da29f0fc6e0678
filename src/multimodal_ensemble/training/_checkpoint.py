"""Checkpoint files: a training at the end of an epoch, and which training it belongs to."""

from __future__ import annotations

import errno
import json
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._digest import digest_arrays
from multimodal_ensemble._version import __version__
from multimodal_ensemble.exceptions import CheckpointError
from multimodal_ensemble.generators import MultimodalDataset
from multimodal_ensemble.saving import (
    ArrayReader,
    pack_state,
    read_archive,
    unpack_state,
    write_archive,
)
from multimodal_ensemble.training._training_state import trained_variables

Identity = dict[str, dict[str, Any]]

_FORMAT_NAME = "multimodal_ensemble checkpoint"
_VERSION = 1
_ADVICE = "Resume from another checkpoint, or start again without resume_from."

# How to resolve a difference, by the part of the identity that it is in.
_FIXES = {
    "model": "Build the model as before",
    "training rows": "Make the training data set as before",
    "validation rows": "Make the validation data set as before",
    "optimizer": "Pass the same optimizer",
    "loss": "Pass the same loss and label_weight",
}


@dataclass(frozen=True)
class Checkpoint:
    """A training at the end of an epoch."""

    # The values that the caller of `fit_model` adds.
    metadata: dict[str, Any]
    identity: Identity
    # Numbers of finished epochs and of the training data set's next pass.
    epoch: int
    next_pass: int
    # Whether training stopped early after this epoch.
    stopped: bool
    # The result of `EvaluationState.to_dict`.
    evaluation: dict[str, Any]
    # Values of the model's trained variables and of the optimizer's variables, in their order.
    model: list[NDArray[Any]]
    optimizer: list[NDArray[Any]]


_TYPES = {
    **dict.fromkeys(("metadata", "identity", "evaluation"), dict),
    **{"epoch": int, "next_pass": int, "stopped": bool, "model": list, "optimizer": list},
}


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint in place of an older one, which stays intact until the end."""
    arrays: dict[str, NDArray[Any]] = {}
    document = {
        "format": _FORMAT_NAME,
        "format_version": _VERSION,
        "library_version": __version__,
        **{name: pack_state(value, arrays, name) for name, value in vars(checkpoint).items()},
    }
    write_archive(path, document, arrays)


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint; all of its values have the types of `Checkpoint`."""
    document, arrays = _open(path)
    with arrays, arrays.explaining("its parts do not fit together"):
        values = {name: _unpack(document, name, arrays) for name in _TYPES}
        # NumPy would give each string in a list the memory of the longest one.
        all_values = {"best_weights": [], **values["evaluation"], **values}
        for name in ("model", "optimizer", "best_weights"):
            if not all(isinstance(value, np.ndarray) for value in all_values[name]):
                msg = f"{name} must be a list of arrays"
                raise ValueError(msg)
        if not 1 <= values["epoch"] < 2**31 or not 0 <= values["next_pass"] < 2**31:
            msg = f"epoch {values['epoch']} and pass {values['next_pass']} are impossible"
            raise ValueError(msg)
        return Checkpoint(**values)


def read_checkpoint_metadata(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the `checkpoint_metadata` that `fit_model` received.

    Parameters
    ----------
    path : path
        A checkpoint.

    Returns
    -------
    dict
        JSON values; empty if `fit_model` received none.

    Raises
    ------
    FileNotFoundError
        If there is no file.
    CheckpointError
        If the file is no checkpoint, or is damaged.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from multimodal_ensemble import (
    ...     DenseEncoder, MultimodalDataset, fit_model, fuse_encoders)
    >>> from multimodal_ensemble.training import read_checkpoint_metadata
    >>> data = {"x": [-1.0, 0.0, 1.0, 2.0]}
    >>> x = DenseEncoder("x").fit(data["x"])
    >>> rows = MultimodalDataset(data, [x], [[0], [0], [1], [1]], shuffle=True)
    >>> model = fuse_encoders([x], n_labels=1, seed=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "run.checkpoint")
    ...     _ = fit_model(model, rows, rows, epochs=2, checkpoint=path,
    ...                   checkpoint_metadata={"run": 7}, verbose=0)
    ...     read_checkpoint_metadata(path)
    {'run': 7}
    """
    document, arrays = _open(Path(path))
    with arrays, arrays.explaining("its metadata cannot be read"):
        metadata: dict[str, Any] = _unpack(document, "metadata", arrays)
        return metadata


def check_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return metadata after a round trip through JSON, or raise a TypeError."""
    try:
        checked: dict[str, Any] = json.loads(json.dumps(dict(metadata)))
    except (TypeError, ValueError) as error:
        msg = (
            "checkpoint_metadata must be a mapping of JSON values: strings, numbers, lists and "
            f"dictionaries. Received {metadata!r} ({error})."
        )
        raise TypeError(msg) from error
    return checked


def check_writable(path: Path) -> None:
    """Raise an error if a checkpoint cannot be written, or if another file would be lost."""
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
        is_used = path.exists() and path.stat().st_size > 0
    except OSError as error:
        msg = (
            f"The checkpoint {str(path)!r} cannot be written: {error.strerror or error}. Nothing "
            "was trained. Pass a file in a writable folder."
        )
        raise OSError(error.errno, msg) from error
    if is_used:
        try:
            _open(path)[1].close()
        except CheckpointError as error:
            msg = (
                f"The file {str(path)!r} is no checkpoint, and training would overwrite it. Pass "
                "another file as checkpoint, or delete this one."
            )
            raise CheckpointError(msg) from error


def _open(path: Path) -> tuple[dict[str, Any], ArrayReader]:
    try:
        return read_archive(
            path,
            format_name=_FORMAT_NAME,
            max_version=_VERSION,
            error=CheckpointError,
            advice=_ADVICE,
        )
    except FileNotFoundError as error:
        msg = (
            f"There is no checkpoint {str(path)!r}. Training writes one at the end of each epoch. "
            "Start again with checkpoint=... and without resume_from."
        )
        raise FileNotFoundError(msg) from error


def _unpack(document: Mapping[str, Any], name: str, arrays: ArrayReader) -> Any:
    if name not in document:
        msg = f"it lacks {name!r}"
        raise ValueError(msg)
    value = unpack_state(document[name], arrays)
    if type(value) is not _TYPES[name]:
        msg = f"{name} must be of type {_TYPES[name].__name__}, not {type(value).__name__}"
        raise ValueError(msg)
    return value


# -- identity --------------------------------------------------------------------------------


def identify_training(
    model: keras.Model,
    trained: keras.Model,
    datasets: tuple[MultimodalDataset, MultimodalDataset],
    *,
    optimizer: keras.optimizers.Optimizer,
    loss: Any,
) -> Identity:
    """Return everything that must be equal for a training to be resumed, as JSON values.

    `trained` is the part of `model` that is trained, and `datasets` are training and validation
    rows. Only the class of the optimizer counts, because a learning rate is one of its variables.
    """
    changing = trained_variables(trained)
    ids = {id(variable) for variable in changing}
    frozen = [weight for weight in model.weights if id(weight) not in ids]
    name = loss if isinstance(loss, str) else getattr(loss, "__name__", type(loss).__name__)
    weights = ("positive_weight", "negative_weight")
    identity = {
        "model": {
            "inputs": {tensor.name: list(tensor.shape[1:]) for tensor in trained.inputs},
            "variables": [_describe_variable(variable) for variable in changing],
            "frozen weights": _digest(*(weight.numpy() for weight in frozen)),
        },
        "training rows": _describe_rows(datasets[0]),
        "validation rows": _describe_rows(datasets[1]),
        "optimizer": {"class": type(optimizer).__name__},
        "loss": {"name": name} | {weight: getattr(loss, weight, None) for weight in weights},
    }
    as_read: Identity = json.loads(json.dumps(identity))
    return as_read


def check_same_training(saved: Mapping[str, Any], current: Identity, *, path: Path) -> None:
    """Raise a CheckpointError that names a difference between a checkpoint and a training."""
    for part, values in current.items():
        saved_part = saved.get(part)
        for name, value in values.items():
            before = saved_part.get(name) if isinstance(saved_part, dict) else None
            if before != value:
                msg = (
                    f"The checkpoint {str(path)!r} belongs to another training. "
                    f"{part.capitalize()}: {_describe_difference(name, before, value)}. "
                    f"{_FIXES[part]}, or start again without resume_from."
                )
                raise CheckpointError(msg)


def _describe_variable(variable: Any) -> str:
    # Keras numbers unnamed objects through the whole process, so the numbers are removed.
    path = re.sub(r"_\d+(?=/|$)", "", variable.path)
    return f"{path} {tuple(variable.shape)} {variable.dtype}"


def _describe_rows(dataset: MultimodalDataset) -> dict[str, Any]:
    weight = dataset.sample_weight
    return {
        "number of rows": dataset.n_samples,
        "labels": list(dataset.labels),
        "batch_size": int(dataset.batch_size),
        "seed": int(dataset.seed),
        "shuffle": bool(dataset.shuffle),
        "augment": bool(dataset.augment),
        "features from a store": sorted(dataset.features),
        "y": _digest(np.asarray(dataset.y)),
        "sample_weight": None if weight is None else _digest(weight),
        # The same seed can produce another order with another version of NumPy's generator.
        "order": _digest(dataset.order_of(0)),
    }


def _digest(*arrays: NDArray[Any]) -> str:
    return f"sha256 {digest_arrays(arrays)}"


def _describe_difference(name: str, before: Any, value: Any) -> str:
    if name == "variables" and isinstance(before, list):
        if len(before) != len(value):
            return f"{len(before)} variables are trained in the checkpoint, {len(value)} here"
        pairs = zip(before, value, strict=True)
        name, before, value = "variable", *next((old, new) for old, new in pairs if old != new)
    if isinstance(value, str) and value.startswith("sha256 "):
        return f"{name} differs"
    return f"{name} is {before!r} in the checkpoint, {value!r} here"
