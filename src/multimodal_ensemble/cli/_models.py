"""Estimators as commands make, read and describe them."""

from __future__ import annotations

import argparse
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from multimodal_ensemble.cli._arguments import modules_of
from multimodal_ensemble.cli._console import Console
from multimodal_ensemble.cli._errors import CommandError, UsageError
from multimodal_ensemble.cli._imports import import_modules
from multimodal_ensemble.cli._row_reader import check_exists
from multimodal_ensemble.cli._startup import import_tensorflow

if TYPE_CHECKING:
    from multimodal_ensemble._target import Target
    from multimodal_ensemble.encoders import Encoder

MODELS = ("ensemble", "network")
# The key of `provenance_` under which `train` keeps what it read and measured.
TRAINED = "command"


def make_model(kind: str, encoders: Sequence[Encoder], values: argparse.Namespace) -> Any:
    """Return an estimator that is not fitted."""
    from multimodal_ensemble.encoders import TagEmbeddingEncoder
    from multimodal_ensemble.estimators import MultimodalClassifier, MultimodalEnsemble

    options: dict[str, Any] = {
        "threshold": values.threshold,
        "calibration": values.calibration,
        "store": values.store,
        "random_state": values.seed,
        "verbose": 0 if values.quiet else 1,
    }
    if kind == "ensemble":
        return MultimodalEnsemble(encoders, **options)
    if values.epochs is not None:
        options["epochs"] = values.epochs
    plain = [encoder for encoder in encoders if not isinstance(encoder, TagEmbeddingEncoder)]
    return MultimodalClassifier(plain, **options)


def check_calibration(kinds: Sequence[str], values: argparse.Namespace, console: Console) -> None:
    """Raise a UsageError if no model takes ``--calibration``, and warn if it changes none."""
    if values.calibration is None:
        return
    if not set(kinds) & set(MODELS):
        msg = (
            "--calibration is for ensembles and networks, and --models names none; leave it out, "
            "or name one."
        )
        raise UsageError(msg)
    if values.calibration == "platt" and "network" not in kinds:
        console.warn("--calibration platt changes nothing, because the ensemble always has it.")


def load_model(values: argparse.Namespace, *, store: str | None = None) -> Any:
    """Return the estimator that a command names, which prints nothing when it predicts."""
    check_model_file(values.model)
    import_tensorflow()
    import_modules(modules_of(values))
    from multimodal_ensemble.estimators import load_estimator

    return load_estimator(values.model).set_params(store=store, verbose=0)


def check_model_file(path: str) -> None:
    """Raise a CommandError unless there is a file."""
    check_exists(Path(path))
    if Path(path).is_dir():
        msg = f"{path!r} is a folder; name the file of a model."
        raise CommandError(msg)


def training_of(model: Any) -> dict[str, Any]:
    """Return what `train` kept in the provenance of a model; empty for models of other origin."""
    kept = model.provenance_.get(TRAINED)
    return kept if isinstance(kept, dict) else {}


def digest_of(path: str) -> str | None:
    """Return the SHA-256 of a file, by which a model knows the rows of its training again."""
    if Path(path).is_dir():
        return None
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def target_of(model: Any) -> Target:
    """Return what a model predicts of each row."""
    import numpy as np

    from multimodal_ensemble._target import Target

    return Target(model.target_type_, np.asarray(model.classes_))


def thresholds_of(model: Any) -> dict[str, float]:
    """Return the threshold of each label by its name; of two classes, of the second one alone."""
    names = map(str, target_of(model).labels.tolist())
    return dict(zip(names, model.thresholds_.tolist(), strict=True))


def list_encoders(encoders: Sequence[Encoder]) -> list[dict[str, Any]]:
    """Return the name, class and columns of each encoder."""
    return [
        {"name": each.name, "kind": type(each).__name__, "columns": each.columns}
        for each in encoders
    ]


def check_output(
    path: str, *inputs: str | None, option: str = "--out", may_be_folder: bool = False
) -> Path:
    """Return the path of a file to write, or raise a CommandError before a long computation.

    It must not be one of the `inputs`, which it would replace, and no device.
    """
    target = Path(path)
    if any(target.resolve() == Path(each).resolve() for each in inputs if each is not None):
        msg = f"{option} {path!r} is also read, and would be replaced; name another file."
        raise CommandError(msg)
    if not target.absolute().parent.is_dir():
        msg = f"{option} {path!r}: there is no folder {str(target.parent)!r}; create it first."
        raise CommandError(msg)
    if not os.access(target.absolute().parent, os.W_OK):
        msg = f"{option} {path!r}: nothing can be written to the folder {str(target.parent)!r}."
        raise CommandError(msg)
    if target.is_dir():
        if may_be_folder:
            return target
        msg = f"{option} {path!r} is a folder; name a file."
        raise CommandError(msg)
    if target.exists() and not target.is_file():
        msg = f"{option} {path!r} is no file but a device, which cannot be replaced; name a file."
        raise CommandError(msg)
    return target
