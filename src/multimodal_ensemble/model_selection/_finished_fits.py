"""The finished fits of a comparison in a folder, so that an interrupted comparison goes on."""

from __future__ import annotations

import re
from os import PathLike
from pathlib import Path
from typing import Any

import joblib
from numpy.typing import NDArray

from multimodal_ensemble._version import __version__
from multimodal_ensemble.model_selection._comparison_fit import Fit
from multimodal_ensemble.model_selection._search_identity import Identity, describe_differences
from multimodal_ensemble.saving import read_archive, write_archive

FORMAT = "multimodal_ensemble comparison fit"
VERSION = 1


class FinishedFits:
    """Files of finished fits: one for each model, repeat and fold.

    Each file also says what its fit depends on. Models, repeats and folds can therefore be added
    to a comparison, and a changed one is refused.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self._folder = Path(path)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            msg = f"path must be a folder for the finished fits. {str(path)!r} is a file."
            raise ValueError(msg) from error

    def read(self, model: str, repeat: int, fold: int, identity: Identity) -> Fit | None:
        """Return a finished fit, or None; raise a ValueError if it depends on something else."""
        path = self._path(model, repeat, fold)
        if not path.exists():
            return None
        advice = "Remove it to repeat its fit."
        document, arrays = read_archive(
            path, format_name=FORMAT, max_version=VERSION, advice=advice
        )
        with arrays, arrays.explaining("its parts do not fit together"):
            known = {str(name): str(value) for name, value in document["identity"].items()}
            fit = Fit(
                arrays["y_score"],
                arrays["thresholds"],
                float(document["seconds"]),
                arrays["y_pred"] if document.get("has_predictions") else None,
            )
        if differences := describe_differences(known, identity, where="in the folder"):
            msg = (
                f"The folder {str(self._folder)!r} has another fit of {model!r}, repeat {repeat}, "
                f"fold {fold}. What differs: {differences}. Pass the same arguments to go on, or "
                "another path to begin a new comparison."
            )
            raise ValueError(msg)
        return fit

    def write(self, model: str, repeat: int, fold: int, identity: Identity, fit: Fit) -> None:
        """Write a finished fit at once."""
        document = {
            "format": FORMAT,
            "format_version": VERSION,
            "library_version": __version__,
            "model": model,
            "identity": identity,
            "seconds": fit.seconds,
            "has_predictions": fit.y_pred is not None,
        }
        arrays: dict[str, NDArray[Any]] = {"y_score": fit.y_score, "thresholds": fit.thresholds}
        if fit.y_pred is not None:
            arrays["y_pred"] = fit.y_pred
        write_archive(self._path(model, repeat, fold), document, arrays)

    def _path(self, model: str, repeat: int, fold: int) -> Path:
        # Two names may differ only in characters that file names cannot have.
        readable = re.sub(r"[^A-Za-z0-9]+", "-", model)[:40].strip("-")
        name = f"{readable}-{str(joblib.hash(model))[:8]}-repeat{repeat}-fold{fold}.fit"
        return self._folder / name
