"""Check the files that Keras writes before Keras reads them.

Keras's own safe mode differs between versions: some run functions that a file names, or read other
files. So Keras receives only files that passed these checks.
"""

from __future__ import annotations

import os
import reprlib
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from multimodal_ensemble._regular_files import open_regular
from multimodal_ensemble._validation import find_repeated
from multimodal_ensemble.exceptions import ArtefactError
from multimodal_ensemble.saving._archive_format import (
    check_no_overlap,
    describe_reason,
    parse_manifest,
)
from multimodal_ensemble.saving._h5_weights import count_h5_values
from multimodal_ensemble.saving._model_size import check_model_sizes
from multimodal_ensemble.saving._safe_config import check_config

_CONFIG, _WEIGHTS = "config.json", "model.weights.h5"
_MEMBERS = {"metadata.json", _CONFIG, _WEIGHTS}
# Vocabularies of layers.
_ASSETS = "assets/"


def check_keras_file(path: str | os.PathLike[str]) -> None:
    """Check a model that was saved as ``.keras``, which must then be loaded uncompiled.

    The file may name only harmless objects (`check_config`), holds everything itself, and takes no
    more memory than its size.

    Raises
    ------
    ArtefactError
        If it is no such file; the message says why.
    OSError
        If it cannot be opened, or is no regular file.
    """
    where = f"The model {os.fspath(path)!r}"
    if not os.fspath(path).endswith(".keras"):
        msg = (
            f"{where} is no .keras file. Other formats can run code. Load it with Keras if you "
            "trust it, and save it as .keras."
        )
        raise ArtefactError(msg)
    with open_regular(path) as file, _explaining(where):
        with _open_archive(file) as archive:
            config = parse_manifest(archive.read(_CONFIG))
            check_config(config, where=where)
            with archive.open(_WEIGHTS) as weights:
                n_values = count_h5_values(weights)
            check_model_sizes(config, n_available=n_values, where=where)


def check_weights_file(path: str | os.PathLike[str]) -> None:
    """Check a file of weights in a format that Keras reads.

    Raises
    ------
    ArtefactError
        If it names other files, takes more memory than its size, or is of another format.
    OSError
        If it cannot be opened, or is no regular file.
    """
    where = f"The weights file {os.fspath(path)!r}"
    if not os.fspath(path).endswith((".h5", ".hdf5", ".keras")):
        msg = f"{where} must be a .weights.h5, .h5, .hdf5 or .keras file."
        raise ArtefactError(msg)
    with open_regular(path) as file, _explaining(where):
        if os.fspath(path).endswith(".keras"):
            with _open_archive(file) as archive, archive.open(_WEIGHTS) as weights:
                count_h5_values(weights)
        else:
            count_h5_values(file)


@contextmanager
def _open_archive(file: BinaryIO) -> Iterator[zipfile.ZipFile]:
    """Open a ``.keras`` file after a check that its members add up to no more than its size."""
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        names = [info.orig_filename for info in members]
        repeated = set(find_repeated(names))
        for info, name in zip(members, names, strict=True):
            parts = name.split("/")
            is_known = name in _MEMBERS or (name.startswith(_ASSETS) and ".." not in parts)
            problem = None
            if not is_known or info.filename != name or "\\" in name:
                problem = "is no part of a .keras file"
            elif name in repeated:
                problem = "occurs twice"
            elif info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
                problem = "is compressed, which .keras files never are"
            if problem is not None:
                msg = f"its member {reprlib.repr(name)} {problem}"
                raise ValueError(msg)
        if lacking := {_CONFIG, _WEIGHTS}.difference(names):
            msg = f"it lacks {sorted(lacking)}"
            raise ValueError(msg)
        check_no_overlap(members, archive.start_dir)
        yield archive


@contextmanager
def _explaining(where: str) -> Iterator[None]:
    try:
        yield
    except (ArtefactError, MemoryError):
        raise
    except Exception as error:
        # Malformed bytes make the readers raise almost any exception.
        reason = describe_reason(error)
        msg = f"{where} cannot be loaded: {reason}. It is damaged, or was not written by Keras."
        raise ArtefactError(msg) from error
