"""The file that holds a training at the end of an epoch."""

from __future__ import annotations

import errno
import io
import json
import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from multimodal_ensemble.exceptions import CheckpointError
from multimodal_ensemble.saving._files import SUFFIX, replacing

_ABOUT = "about.json"
# Counted up when a file of before can no longer be read.
_FORMAT = 1


@dataclass(frozen=True)
class Checkpoint:
    """A training at the end of an epoch.

    Parameters
    ----------
    about : mapping
        What JSON holds: ``metadata`` of the caller, ``identity`` of the training, ``scoring``,
        ``epoch`` (how many are finished), ``next_pass`` of the data set, and whether training
        had ``stopped`` there.
    arrays : mapping of str to list of ndarray
        Values of variables, in their order: ``model``, ``optimizer`` and ``best`` (weights).
    """

    about: Mapping[str, Any]
    arrays: Mapping[str, Sequence[NDArray[Any]]]


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint in place of the last one, which stays whole until then.

    Raises
    ------
    OSError
        If it cannot be written; nothing is left of it.
    """
    sizes = {group: len(values) for group, values in checkpoint.arrays.items()}
    about = {"format": _FORMAT, "arrays": sizes, **checkpoint.about}
    with replacing(path, part=_part(path)) as file, zipfile.ZipFile(file, "w") as archive:
        archive.writestr(_ABOUT, json.dumps(about))
        for group, values in checkpoint.arrays.items():
            for number, value in enumerate(values):
                with archive.open(f"{group}/{number}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, _plain(value), allow_pickle=False)


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint whole, checked against its CRC.

    Raises
    ------
    FileNotFoundError
        If there is none.
    CheckpointError
        If the file is not one, or is damaged.
    """
    return _read(path, with_arrays=True)


def read_checkpoint_metadata(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what `fit_model` was given as `checkpoint_metadata`; empty if nothing was.

    Raises
    ------
    FileNotFoundError
        If there is no file.
    CheckpointError
        If the file is not a checkpoint, or is damaged.
    """
    return dict(_read(Path(path), with_arrays=False).about["metadata"])


def check_metadata(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return metadata as JSON gives it back, or raise a TypeError that says what it is not."""
    try:
        checked: dict[str, Any] = json.loads(json.dumps(dict(metadata)))
    except (TypeError, ValueError) as error:
        msg = (
            "checkpoint_metadata must be a mapping of what JSON knows: texts, numbers, lists and "
            f"dictionaries of such. Received {metadata!r} ({error})."
        )
        raise TypeError(msg) from error
    return checked


def check_writable(path: Path) -> None:
    """Raise an error unless a checkpoint can be written; better before training than after.

    Raises
    ------
    OSError
        If no file can be written there.
    CheckpointError
        If there is a file that is not a checkpoint, which would be lost.
    """
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        path.parent.mkdir(parents=True, exist_ok=True)
        _part(path).write_bytes(b"")
        _part(path).unlink()
        is_other = path.exists() and path.stat().st_size > 0 and not _is_checkpoint(path)
    except OSError as error:
        msg = (
            f"The checkpoint {str(path)!r} cannot be written: {error.strerror or error}. Nothing "
            "was trained. Pass a file in a folder that can be written to."
        )
        raise OSError(error.errno, msg) from error
    if is_other:
        msg = (
            f"The file {str(path)!r} is not a checkpoint, and training would write one in its "
            "place. Pass another file as checkpoint, or delete this one."
        )
        raise CheckpointError(msg)


def _is_checkpoint(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return _ABOUT in archive.namelist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError):
        return False


def _plain(value: NDArray[Any]) -> NDArray[Any]:
    # numpy's files know no bfloat16, every value of which is one of float32, too.
    return value.astype(np.float32) if value.dtype.kind == "V" else value


def _part(path: Path) -> Path:
    # The same name each time, so that killed processes leave one such file at most.
    return path.with_name(f".{path.name}{SUFFIX}")


def _read(path: Path, *, with_arrays: bool) -> Checkpoint:
    try:
        file = path.open("rb")
    except FileNotFoundError as error:
        msg = (
            f"There is no checkpoint {str(path)!r}. One is written at the end of each epoch; "
            "without any, start anew with checkpoint=... and no resume_from."
        )
        raise FileNotFoundError(msg) from error
    with file:
        try:
            with zipfile.ZipFile(file) as archive:
                about = json.loads(archive.read(_ABOUT))
                is_known = about["format"] == _FORMAT
                arrays = _read_arrays(archive, about["arrays"]) if with_arrays and is_known else {}
        except MemoryError:
            raise
        except Exception as error:
            # Bytes that are not a checkpoint's make the readers raise almost anything.
            msg = (
                f"The file {str(path)!r} is not a checkpoint, or it is damaged "
                f"({str(error) or type(error).__name__}). Resume from another one, or start anew "
                "without resume_from."
            )
            raise CheckpointError(msg) from error
    if not is_known:
        msg = (
            f"The checkpoint {str(path)!r} is of format {about['format']}, and this version of "
            f"the package reads format {_FORMAT}. Resume with the version that wrote it."
        )
        raise CheckpointError(msg)
    return Checkpoint(about, arrays)


def _read_arrays(
    archive: zipfile.ZipFile, sizes: Mapping[str, int]
) -> dict[str, list[NDArray[Any]]]:
    return {
        group: [
            np.load(io.BytesIO(archive.read(f"{group}/{number}.npy")), allow_pickle=False)
            for number in range(size)
        ]
        for group, size in sizes.items()
    }
