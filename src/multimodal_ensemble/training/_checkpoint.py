"""Checkpoint files: a training at the end of an epoch."""

from __future__ import annotations

import errno
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble._version import __version__
from multimodal_ensemble.exceptions import CheckpointError
from multimodal_ensemble.saving import (
    ArrayReader,
    pack_state,
    read_archive,
    unpack_state,
    write_archive,
)
from multimodal_ensemble.training._identity import Identity
from multimodal_ensemble.training._training_state import check_type

_FORMAT_NAME = "multimodal_ensemble checkpoint"
_VERSION = 1
_ADVICE = "Resume from another checkpoint, or start again without resume_from."


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
    """Write a checkpoint in place of an older one, which stays intact until the end.

    Any other file at the path raises a CheckpointError and stays as it is.
    """
    _refuse_other_file(path)
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
        _refuse_other_file(path)
    except OSError as error:
        msg = (
            f"The checkpoint {str(path)!r} cannot be written: {error.strerror or error}. Nothing "
            "was trained. Pass a file in a writable folder."
        )
        raise OSError(error.errno, msg) from error


def _refuse_other_file(path: Path) -> None:
    """Raise a CheckpointError if a file that is no checkpoint would be overwritten."""
    try:
        if path.is_file() and path.stat().st_size == 0:
            return
        if path.exists() and not path.is_file():
            msg = "it is no regular file"
            raise CheckpointError(msg)
        _open(path)[1].close()
    except FileNotFoundError:
        return
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
    check_type(value, _TYPES[name], name)
    return value
